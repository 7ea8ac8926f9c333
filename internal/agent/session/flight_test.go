package session

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/agent/engine"
	"github.com/ashore/ashore/internal/agent/runtime"
	"github.com/ashore/ashore/internal/wire/acs"
)

// A server that knows port ranges gets them. An older server gets each port separately.
func TestReportsOnTheWire(t *testing.T) {
	began := time.UnixMilli(1795289876660)
	report := engine.Report{TaskArn: "t", Status: "RUNNING", Pulls: []engine.PullReport{{Container: "c", Since: began}}, Containers: []engine.ContainerReport{{Name: "c", Status: "RUNNING", Ports: []engine.Binding{
		{Port: runtime.Port{ContainerPort: 80, HostPort: 32768, Protocol: "tcp"}},
		{Port: runtime.Port{ContainerPort: 7000, HostPort: 9000, Protocol: "udp", HostIP: "127.0.0.1"}, Count: 3},
	}}}}
	const single = `{"bindIP":"0.0.0.0","containerPort":80,"hostPort":32768,"protocol":"tcp"}`
	for ranges, want := range map[bool]string{
		true: `[` + single + `,{"bindIP":"127.0.0.1","containerPort":0,"hostPort":0,"containerPortRange":"7000-7002","hostPortRange":"9000-9002","protocol":"udp"}]`,
		false: `[` + single + `,{"bindIP":"127.0.0.1","containerPort":7000,"hostPort":9000,"protocol":"udp"},` +
			`{"bindIP":"127.0.0.1","containerPort":7001,"hostPort":9001,"protocol":"udp"},{"bindIP":"127.0.0.1","containerPort":7002,"hostPort":9002,"protocol":"udp"}]`,
	} {
		f := &reportBatch{id: "1", conn: &acsConn{Session: &Session{}, ranges: ranges}, reports: []engine.Report{report}}
		got, err := json.Marshal(f.message().Reports[0].Containers[0].NetworkBindings)
		if err != nil {
			t.Fatal(err)
		}
		if p := f.message().Reports[0].Pulls; len(p) != 1 || p[0] != (acs.Pull{ContainerName: "c", StartedAt: 1795289876660}) {
			t.Errorf("pulls %+v", p)
		}
		if string(got) != want {
			t.Errorf("ranges %v:\n%s, not\n%s", ranges, got, want)
		}
	}
	got, err := json.Marshal(toBinding(report.Containers[0].Ports[1])) // of an API call
	if err != nil || string(got) != `{"bindIP":"127.0.0.1","containerPortRange":"7000-7002","hostPortRange":"9000-9002","protocol":"udp"}` {
		t.Errorf("%s, %v", got, err)
	}
}
