package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"go.uber.org/goleak"

	"github.com/ashore/ashore/internal/client"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func config(t *testing.T) Config {
	dir, err := os.MkdirTemp("", "srv") // short: a socket's path has a limit
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return Config{
		Dir: filepath.Join(dir, "server"), Version: "test", Log: slog.New(slog.DiscardHandler),
		SealKey: func(string) string { return filepath.Join(dir, "seal.key") },
	}
}

// start opens a server and serves until the end of the test, or until stop.
func start(t *testing.T, cfg Config) (s *Server, api *ecs.Client, stop func()) {
	t.Helper()
	begun := time.Now()
	s, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("ready in %s", time.Since(begun))
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, l) }()
	h := &http.Client{Transport: &http.Transport{}}
	done := false
	stop = func() {
		if done {
			return
		}
		done = true
		h.CloseIdleConnections()
		cancel()
		if err := errors.Join(<-served, s.Close()); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	return s, ecs.New(ecs.Options{
		Region: s.Installation().Region, BaseEndpoint: aws.String("http://" + l.Addr().String()), HTTPClient: client.BufferedClient{Client: h},
		Credentials: credentials.NewStaticCredentialsProvider(s.Admin().AccessKeyID, s.Admin().SecretAccessKey, ""),
	}), stop
}

func TestStateOutlivesTheServer(t *testing.T) {
	cfg := config(t)
	first, api, stop := start(t, cfg)
	if _, err := api.CreateCluster(t.Context(), &ecs.CreateClusterInput{ClusterName: aws.String("kept")}); err != nil {
		t.Fatal(err)
	}
	// RunTask needs the placer: it must answer, even if only with a failure.
	_, err := api.RunTask(t.Context(), &ecs.RunTaskInput{Cluster: aws.String("kept"), TaskDefinition: aws.String("none")})
	var refused *types.ClientException
	if !errors.As(err, &refused) {
		t.Errorf("RunTask of an unknown definition: %v", err)
	}
	stop()

	second, api, stop := start(t, cfg)
	if second.Installation().ID != first.Installation().ID || second.Admin() != first.Admin() {
		t.Error("another installation, or another key, after a restart")
	}
	l, err := api.ListClusters(t.Context(), &ecs.ListClustersInput{})
	if err != nil || len(l.ClusterArns) != 1 {
		t.Errorf("%v, %v", l, err)
	}
	stop()

	cfg.Site = fleet.Site{Account: "123456789012", Region: "us-east-1"}
	var site *store.SiteError
	if _, err := Open(t.Context(), cfg); !errors.As(err, &site) {
		t.Errorf("another account: %v", err)
	}
	cfg.Site = fleet.Site{}
	cfg.SealKey = func(string) string { return filepath.Join(cfg.Dir, "lost.key") }
	if _, err := Open(t.Context(), cfg); err == nil {
		t.Error("it opened without its seal key")
	}
}
