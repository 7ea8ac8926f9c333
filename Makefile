# make up is all that a new machine needs; make help lists the rest.
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X github.com/ashore/ashore/internal/version.Number=$(VERSION)
GOBUILD := CGO_ENABLED=0 go build -trimpath -ldflags "$(LDFLAGS)"
# More arguments for ashore, such as make up ARGS="--cluster MyCluster".
ARGS ?=
# What make bench-scale shall measure; go run ./test/bench -h names the flags.
SCALE ?=
# How long make soak lets each fuzz target search; make test runs what is known.
FUZZTIME ?= 60s
# make test vets with the build's own flags, so that what the build has compiled serves it.
# What make test tests, the longest first. Many tests mostly wait, so one more package than
# there are cores runs at once.
TESTED ?= ./test/... ./internal/sim ./internal/store ./internal/link ./internal/agent/... ./internal/api/... ./...
PACKAGES ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)

.DEFAULT_GOAL := help
.PHONY: up down test soak bench bench-reads bench-scale lint build dist help

up: build ## control plane, agent and a sample on this machine, in the background
	scripts/ensure-engine.sh
	bin/ashore up --detach $(ARGS)

down: build ## stop control plane and agent; make down ARGS=--tasks, ARGS=--purge for more
	bin/ashore down $(ARGS)

test: build ## everything, with real containers; installs what it needs
	scripts/ensure-engine.sh
	scripts/ensure-test-tools.sh
	@echo "gofmt"; bad=$$(gofmt -l cmd internal test); if [ -n "$$bad" ]; then echo "not formatted: $$bad"; exit 1; fi
	CGO_ENABLED=0 go vet -trimpath ./...
	ASHORE_TEST_BINARY=$(CURDIR)/bin/ashore CGO_ENABLED=1 go test -race -p $(PACKAGES) -vet=off -ldflags="-s -w" -timeout 20m $(TESTED)

soak: build ## the tests that kill servers, agents and etcd, fill disks, cut the power and change versions, and the fuzz targets, for minutes instead of seconds
	ASHORE_SOAK=1 go test -count=1 -timeout 60m -v -run Linearizable ./internal/store
	go test -count=1 -timeout 60m -v -run KillsAndPartitions ./test/cluster -args -cluster.for 20m
	scripts/ensure-engine.sh
	go test -count=1 -timeout 90m -v -run JournalLost ./test/crash -args -crash.kills 300
	ASHORE_SOAK=1 ASHORE_TEST_BINARY=$(CURDIR)/bin/ashore go test -count=1 -timeout 60m -v -run FullAtRandom ./test/disk
	ASHORE_TEST_BINARY=$(CURDIR)/bin/ashore go test -count=1 -timeout 90m -v ./test/power -args -power.cuts 100
	scripts/build-previous.sh dist/previous
	ASHORE_TEST_BINARY=$(CURDIR)/bin/ashore go test -count=1 -timeout 60m -v ./test/upgrade -args -upgrade.from $(CURDIR)/dist/previous -upgrade.moves 8
	FUZZTIME=$(FUZZTIME) scripts/fuzz.sh

bench: build ## measure, print a table, write dist/bench.json
	scripts/ensure-engine.sh
	mkdir -p dist
	go run ./test/bench -ashore bin/ashore -json dist/bench.json

bench-reads: ## measure every list and describe at 100,000 tasks, print a table, write dist/reads.json
	mkdir -p dist
	go run ./test/bench -reads -json dist/reads.json -profiles dist/profiles

bench-scale: build ## measure server and fleet as processes, 100 to 5,000 hosts, an hour; SCALE="-hosts 1000 -parts burst" for less; writes dist/scale.json
	mkdir -p dist
	go run ./test/bench -scale -ashore bin/ashore -json dist/scale.json -plot docs/scale.svg $(SCALE)

lint: ## staticcheck and vet, for Linux and for the other systems' client
	go vet ./...
	GOOS=darwin go vet ./cmd/ashore
	GOOS=windows go vet ./cmd/ashore
	# Not: ECS's own words as errors (ST1005), members that ECS has given up and still takes (SA1019).
	go run honnef.co/go/tools/cmd/staticcheck@v0.8.2 -checks inherit,-ST1005,-SA1019 ./...

build: ## bin/ashore, static, for this machine
	$(GOBUILD) -o bin/ashore ./cmd/ashore

dist: ## dist/: Linux for amd64 and arm64; the client for macOS and Windows
	rm -rf dist/ashore-* dist/SHA256SUMS
	GOOS=linux GOARCH=amd64 $(GOBUILD) -o dist/ashore-linux-amd64 ./cmd/ashore
	GOOS=linux GOARCH=arm64 $(GOBUILD) -o dist/ashore-linux-arm64 ./cmd/ashore
	GOOS=darwin GOARCH=amd64 $(GOBUILD) -o dist/ashore-darwin-amd64 ./cmd/ashore
	GOOS=darwin GOARCH=arm64 $(GOBUILD) -o dist/ashore-darwin-arm64 ./cmd/ashore
	GOOS=windows GOARCH=amd64 $(GOBUILD) -o dist/ashore-windows-amd64.exe ./cmd/ashore
	cd dist && sha256sum ashore-* > SHA256SUMS

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20
