package dockerdoc

import (
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ashore/ashore/internal/agent/runtime"
	"github.com/ashore/ashore/internal/wire/acs"
)

// equal compares specifications. An address is one value.
func equal(a, b runtime.Spec) string {
	return cmp.Diff(a, b, cmpopts.EquateComparable(netip.Addr{}), cmpopts.EquateEmpty())
}

// samples has a value for each known key.
var samples = map[string]string{
	"User": `"1000:1000"`, "WorkingDir": `"/srv"`, "Hostname": `"web"`, "Domainname": `"example"`,
	"Labels": `{"a":"b"}`, "Tty": `true`, "OpenStdin": `true`, "NetworkDisabled": `true`,
	"StopSignal": `"SIGUSR1"`, "ExposedPorts": `{"80/tcp":{}}`,
	"Healthcheck": `{"Test":["CMD","true"],"Interval":1000000000,"Timeout":2,"StartPeriod":3,"StartInterval":4,"Retries":5}`,
	"NetworkMode": `"host"`, "Privileged": `true`, "ReadonlyRootfs": `true`, "CapAdd": `["NET_ADMIN"]`, "CapDrop": `["ALL"]`,
	"Init": `true`, "Devices": `[{"PathOnHost":"/dev/a","PathInContainer":"/dev/b","CgroupPermissions":"rw"}]`,
	"ShmSize": `67108864`, "Tmpfs": `{"/tmp":"size=64m"}`, "Sysctls": `{"net.core.somaxconn":"1024"}`,
	"Ulimits": `[{"Name":"nofile","Soft":1,"Hard":2}]`, "ExtraHosts": `["db:10.0.0.1"]`, "Dns": `["10.0.0.2"]`,
	"DnsSearch": `["example.org"]`, "SecurityOpt": `["no-new-privileges"]`, "MemoryReservation": `1048576`,
	"MemorySwap": `-1`, "MemorySwappiness": `10`, "LogConfig": `{"Type":"local","Config":{"max-size":"1m"}}`,
}

// Each known key has its effect, in upper or lower case, and no effect if it is null.
func TestEachKnownKeyHasItsEffect(t *testing.T) {
	base := runtime.Spec{Network: "bridge", Labels: map[string]string{"ours": "1"}}
	for of, apply := range map[reflect.Type]func(string, *runtime.Spec) error{
		reflect.TypeFor[config](): func(doc string, s *runtime.Spec) error { return Apply(doc, "", s) },
		reflect.TypeFor[host]():   func(doc string, s *runtime.Spec) error { return Apply("", doc, s) },
	} {
		for i := range of.NumField() {
			key := of.Field(i).Name
			if key == "Unknown" || key == "RestartPolicy" {
				continue
			}
			sample, there := samples[key]
			if !there {
				t.Errorf("no sample of %s", key)
			}
			for doc, effect := range map[string]bool{
				`{"` + key + `":` + sample + `}`: true, `{"` + strings.ToUpper(key) + `":` + sample + `}`: true,
				`{"` + key + `":null}`: false, `{}`: false, ``: false,
			} {
				s := base
				if err := apply(doc, &s); err != nil {
					t.Errorf("%s: %v", doc, err)
				}
				if changed := equal(base, s) != ""; changed != effect {
					t.Errorf("%s: effect %v", doc, changed)
				}
				if s.Labels["ours"] != "1" || len(base.Labels) != 1 {
					t.Errorf("%s: labels %v", doc, s.Labels)
				}
			}
		}
	}
}

// An unknown key with a value fails the container, and the error names it.
func TestUnknownKeys(t *testing.T) {
	for doc, key := range map[string]string{
		`{"PidsLimit":5}`:                           "PidsLimit",
		`{"OomKillDisable":true}`:                   "OomKillDisable",
		`{"OomKillDisable":false}`:                  "",
		`{"Binds":["/a:/b"]}`:                       "Binds",
		`{"Binds":null,"PortBindings":{}}`:          "",
		`{"Memory":0,"CpuShares":0,"Links":[]}`:     "",
		`{"Memory":64}`:                             "Memory",
		`{"ConsoleSize":[0,0]}`:                     "",
		`{"Privileged":true,"UsernsMode":"host"}`:   "UsernsMode",
		`{"PortBindings":{"80/tcp":[]}}`:            "PortBindings",
		`{"Volumes":{"/data":{}}}`:                  "Volumes",
		`{"RestartPolicy":{"Name":"always"}}`:       "RestartPolicy.Name",
		`{"RestartPolicy":{"Name":"no"}}`:           "",
		`{"RestartPolicy":{}}`:                      "",
		`{"LogConfig":{"Type":"local","Level":1}}`:  "LogConfig.Level",
		`{"Ulimits":[{"Name":"core","Medium":3}]}`:  "Ulimits.Medium",
		`{"Devices":[{"PathOnHost":"/a","X":"y"}]}`: "Devices.X",
	} {
		err := Apply("", doc, &runtime.Spec{})
		want := "Unable decode given docker host config: key " + key + " is not supported on this container instance"
		if key == "" && err != nil || key != "" && (err == nil || err.Error() != want) {
			t.Errorf("%s: %v", doc, err)
		}
	}
	err := Apply(`{"Healthcheck":{"Test":["NONE"],"Patience":1}}`, "", &runtime.Spec{})
	if err == nil || err.Error() != "Unable decode given docker config: key Healthcheck.Patience is not supported on this container instance" {
		t.Error(err)
	}
}

func TestUnreadableDocuments(t *testing.T) {
	for _, doc := range []string{`{`, `[]`, `{"Privileged":"yes"}`, `{"Dns":["nowhere"]}`, `{"ShmSize":1.5}`} {
		if err := Apply("", doc, &runtime.Spec{}); err == nil || !strings.HasPrefix(err.Error(), "Unable decode given docker host config: ") {
			t.Errorf("%s: %v", doc, err)
		}
	}
}

// Every key that our control plane writes is known.
func TestWhatOurControlPlaneWrites(t *testing.T) {
	goldens, err := filepath.Glob("../../link/payload/testdata/*.golden")
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
			t.Fatal(path, err)
		}
		for _, c := range task.Containers {
			if err := Apply(c.DockerConfig.Config, c.DockerConfig.HostConfig, &runtime.Spec{}); err != nil {
				t.Errorf("%s: %s: %v", path, c.Name, err)
			}
		}
	}
}

func TestABlockingLogHasABuffer(t *testing.T) {
	for doc, want := range map[string]string{
		`{"LogConfig":{"Type":"awslogs","Config":{"mode":"non-blocking"}}}`:                        "10m",
		`{"LogConfig":{"Type":"awslogs","Config":{"mode":"non-blocking","max-buffer-size":"1m"}}}`: "1m",
		`{"LogConfig":{"Type":"awslogs","Config":{"mode":"blocking"}}}`:                            "",
		`{"LogConfig":{"Type":"awslogs"}}`:                                                         "",
	} {
		var s runtime.Spec
		if err := Apply("", doc, &s); err != nil || s.Log.Options["max-buffer-size"] != want {
			t.Errorf("%s: %+v, %v", doc, s.Log, err)
		}
	}
}

func TestMemoryReservation(t *testing.T) {
	for doc, want := range map[string]int64{``: 0, `{}`: 0, `{"MemoryReservation":5}`: 5, `{"MemoryReservation":-5}`: 0, `{"MemoryReservation":`: 0} {
		if got := MemoryReservation(doc); got != want {
			t.Errorf("%s: %d", doc, got)
		}
	}
}
