package link

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/link/tcs"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/coder/websocket"
)

func dialTCS(ctx context.Context, s *server, cluster, instance string) (*websocket.Conn, *http.Response, error) {
	q := url.Values{"cluster": {cluster}, "containerInstance": {instance}, "agentVersion": {"1.2.3"}, "agentHash": {"abc"}, "dockerVersion": {"20.10.24"}}
	return websocket.Dial(ctx, strings.Replace(s.http.URL, "http", "ws", 1)+"/tcs/ws?"+q.Encode(), nil)
}

type sink chan *tcs.PublishHealthRequest

func (s sink) Health(_, _ string, m *tcs.PublishHealthRequest) { s <- m }

func TestTelemetryIsAcknowledgedAndNotStored(t *testing.T) {
	w := newWorld(t)
	st := w.store(store.Config{Sole: true})
	seed(t, st)
	health := make(sink, 1)
	s, inst := w.server("s1", st, func(c *Config) { c.Health = health }), instance(t, st)
	conn, _, err := dialTCS(t.Context(), s, "c", inst)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	rev := st.Snapshot().Revision()
	header := http.Header{"Authorization": {"AWS4-HMAC-SHA256 …"}, "Host": {"x"}, "X-Amz-Date": {"20261121T193248Z"}}
	for _, c := range []struct {
		m    tcs.Message
		want string
	}{
		{&tcs.PublishMetricsRequest{Metadata: tcs.Metadata{Idle: true, Fin: true}}, "AckPublishMetric"},
		{&tcs.PublishHealthRequest{Tasks: []tcs.TaskHealth{{TaskArn: "a"}}}, "AckPublishHealth"},
		{&tcs.PublishInstanceStatusRequest{}, "AckPublishInstanceStatus"},
	} {
		body, err := tcs.Encode(c.m)
		if err != nil {
			t.Fatal(err)
		}
		for _, junk := range []string{"no end of header", "A: b\r\n\r\n{", `{"type":"Nonsense","message":{}}`} {
			if err := conn.Write(t.Context(), websocket.MessageText, []byte(junk)); err != nil {
				t.Fatal(err)
			}
		}
		if err := conn.Write(t.Context(), websocket.MessageText, tcs.WithHeader(header, body)); err != nil {
			t.Fatal(err)
		}
		_, data, err := conn.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		m, err := tcs.Decode(data)
		if err != nil || tcs.TypeOf(m) != c.want {
			t.Errorf("answer %s (%v), want %s", data, err, c.want)
		}
	}
	select {
	case m := <-health:
		if len(m.Tasks) != 1 || m.Tasks[0].TaskArn != "a" {
			t.Errorf("health %+v", m)
		}
	case <-time.After(patience):
		t.Error("health was not handed on")
	}
	if now := st.Snapshot().Revision(); now != rev {
		t.Errorf("telemetry wrote to the store: revision %d, was %d", now, rev)
	}
	put(t, st, store.InstanceKey("c", inst), &fleet.Instance{Cluster: "c", ID: inst, Status: fleet.InstanceInactive})
	if _, _, err := conn.Read(t.Context()); websocket.CloseStatus(err) != closeRefused || !strings.Contains(err.Error(), "InactiveInstanceException") {
		t.Errorf("after deregistration: %v", err)
	}
}

// How a host is gets written when it changes, not when it is said again.
func TestInstanceHealthIsWrittenOnChange(t *testing.T) {
	w := newWorld(t)
	st := w.store(store.Config{Sole: true})
	seed(t, st)
	s, inst := w.server("s1", st), instance(t, st)
	conn, _, err := dialTCS(t.Context(), s, "c", inst)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	say := func(statuses ...tcs.InstanceStatus) (rev int64) {
		t.Helper()
		body, err := tcs.Encode(&tcs.PublishInstanceStatusRequest{Statuses: statuses})
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.Write(t.Context(), websocket.MessageText, tcs.WithHeader(http.Header{"A": {"b"}}, body)); err != nil {
			t.Fatal(err)
		}
		if _, _, err := conn.Read(t.Context()); err != nil {
			t.Fatal(err)
		}
		return st.Snapshot().Revision()
	}
	check := func(status string) tcs.InstanceStatus {
		return tcs.InstanceStatus{Type: tcs.StatusContainerRuntime, Status: status, LastUpdated: tcs.Time{Time: time.Now()}, LastStatusChange: tcs.Time{Time: time.Unix(1e9, 0)}}
	}
	is := func() types.InstanceHealthCheckState {
		h := st.Snapshot().InstanceHealth("c", inst)
		if h == nil || len(h.Checks) != 1 || h.Checks[0].Type != types.InstanceHealthCheckTypeContainerRuntime || h.Checks[0].ChangedAt.Unix() != 1e9 {
			t.Fatalf("health: %+v", h)
		}
		return h.Checks[0].Status
	}
	first := say(check(tcs.StatusOK))
	if is() != types.InstanceHealthCheckStateOk {
		t.Error("not written")
	}
	if say(check(tcs.StatusOK)) != first || say() != first || say(check("NONSENSE")) != first || say(tcs.InstanceStatus{Type: "Nonsense", Status: "OK"}) != first {
		t.Error("what says nothing new was written")
	}
	if say(check(tcs.StatusImpaired)) == first || is() != types.InstanceHealthCheckStateImpaired {
		t.Error("a change was not written")
	}
}
