package docker

import (
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/moby/moby/api/types/network"

	"github.com/ashore/ashore/internal/agent/dockerdoc"
	"github.com/ashore/ashore/internal/agent/runtime"
	"github.com/ashore/ashore/internal/wire/acs"
)

// A document that is decoded into typed fields and mapped to the engine's API has the same
// effect as the document itself, decoded over the other fields.
func TestDocumentsReachTheEngineAsTheyAre(t *testing.T) {
	docs := map[string]acs.DockerConfig{"all keys": {
		Config: `{"User":"1000:1000","WorkingDir":"/srv","Hostname":"web","Domainname":"example","Labels":{"a":"b","ours":"no"},
			"Tty":true,"OpenStdin":true,"NetworkDisabled":true,"StopSignal":"SIGUSR1","ExposedPorts":{"81/udp":{},"80/tcp":{}},
			"Healthcheck":{"Test":["CMD","true"],"Interval":1000000000,"Timeout":2,"StartPeriod":3,"StartInterval":4,"Retries":5}}`,
		HostConfig: `{"NetworkMode":"host","Privileged":true,"ReadonlyRootfs":true,"CapAdd":["NET_ADMIN"],"CapDrop":["ALL"],"Init":false,
			"Devices":[{"PathOnHost":"/dev/a","PathInContainer":"/dev/b","CgroupPermissions":"rw"}],"ShmSize":67108864,"Tmpfs":{"/tmp":"size=64m"},
			"Sysctls":{"net.core.somaxconn":"1024"},"Ulimits":[{"Name":"nofile","Soft":1,"Hard":2},{"Name":"core","Soft":-1,"Hard":-1}],
			"ExtraHosts":["db:10.0.0.1"],"Dns":["10.0.0.2","fd00::1"],"DnsSearch":["example.org"],"SecurityOpt":["no-new-privileges"],
			"MemoryReservation":1048576,"MemorySwap":-1,"MemorySwappiness":0,"LogConfig":{"Type":"local","Config":{"max-size":"1m"}}}`,
	}}
	goldens, err := filepath.Glob("../../../link/payload/testdata/*.golden")
	if err != nil || len(goldens) == 0 {
		t.Fatal(goldens, err)
	}
	for _, path := range goldens {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var task acs.Task
		if err := json.Unmarshal(data, &task); err != nil {
			t.Fatal(err)
		}
		for _, c := range task.Containers {
			docs[filepath.Base(path)+" "+c.Name] = *c.DockerConfig
		}
	}
	for name, doc := range docs {
		base := func() runtime.Spec {
			return runtime.Spec{
				Name: "n", Image: "i", Command: []string{"c"}, Env: []string{"A=b"}, Labels: map[string]string{"ours": "yes"},
				CPUShares: 100, Memory: 64 << 20, Network: "bridge", CgroupParent: "/ecs/t",
				Ports:  []runtime.Port{{ContainerPort: 80, HostPort: 8080, Protocol: "tcp"}},
				Mounts: []runtime.Mount{{Source: "/srv", Target: "/srv", ReadOnly: true}},
			}
		}
		want, wantHost, err := buildConfigs(base())
		if err != nil {
			t.Fatal(err)
		}
		labels := want.Labels
		want.Labels = map[string]string{}
		for doc, into := range map[string]any{doc.Config: want, doc.HostConfig: wantHost} {
			if err := json.Unmarshal([]byte(doc), into); err != nil {
				t.Fatal(name, err)
			}
		}
		for k, v := range labels {
			want.Labels[k] = v
		}
		if lc := wantHost.LogConfig.Config; lc["mode"] == "non-blocking" && lc["max-buffer-size"] == "" {
			lc["max-buffer-size"] = "10m"
		}
		s := base()
		if err := dockerdoc.Apply(doc.Config, doc.HostConfig, &s); err != nil {
			t.Fatal(name, err)
		}
		got, gotHost, err := buildConfigs(s)
		if err != nil {
			t.Fatal(name, err)
		}
		same := []cmp.Option{cmpopts.EquateComparable(netip.Addr{}, network.Port{}), cmpopts.EquateEmpty()}
		if d := cmp.Diff(want, got, same...) + cmp.Diff(wantHost, gotHost, same...); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}
