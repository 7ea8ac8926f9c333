package link

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/ashore/ashore/internal/wire/acs"
	"github.com/ashore/ashore/internal/wire/tcs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/coder/websocket"
)

func dialTCS(ctx context.Context, s *server, cluster, instance string) (*websocket.Conn, *http.Response, error) {
	return dialTCSAs(ctx, s, cluster, instance, fleet.AgentRun{})
}

func dialTCSAs(ctx context.Context, s *server, cluster, instance string, run fleet.AgentRun) (*websocket.Conn, *http.Response, error) {
	q := url.Values{"cluster": {cluster}, "containerInstance": {instance}, "agentVersion": {"1.2.3"}, "agentHash": {"abc"}, "dockerVersion": {"20.10.24"}}
	if run.Process != "" {
		q.Set(acs.RunParameter, run.Process)
	}
	return websocket.Dial(ctx, strings.Replace(s.http.URL, "http", "ws", 1)+"/tcs/ws?"+q.Encode(), nil)
}

func TestTelemetryIsAcknowledgedAndNotStored(t *testing.T) {
	w := newWorld(t)
	st := w.store(store.Config{Sole: true})
	seed(t, st)
	s, inst := w.server("s1", st), instance(t, st)
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
	if now := st.Snapshot().Revision(); now != rev {
		t.Errorf("telemetry wrote to the store: revision %d, was %d", now, rev)
	}
	put(t, st, store.InstanceKey("c", inst), &fleet.Instance{Cluster: "c", ID: inst, Status: fleet.InstanceInactive})
	if _, _, err := conn.Read(t.Context()); websocket.CloseStatus(err) != closeRefused || !strings.Contains(err.Error(), "InactiveInstanceException") {
		t.Errorf("after deregistration: %v", err)
	}
}

// A host's health is written when it changes, not when it is repeated.
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

// Containers' health is written when it changes, not when it is repeated, and only for the
// host's own tasks that have not ended.
func TestTaskHealthIsWrittenOnChange(t *testing.T) {
	w := newWorld(t)
	st := w.store(store.Config{Sole: true})
	seed(t, st)
	s, inst := w.server("s1", st), instance(t, st)
	other := instance(t, st)
	mine, stopped, foreign := fleet.NewID(), fleet.NewID(), fleet.NewID()
	for id, on := range map[string]string{mine: inst, stopped: inst, foreign: other} {
		put(t, st, store.TaskKey("c", id), &fleet.Task{Cluster: "c", ID: id, Instance: on, Family: "f", Revision: 1, Containers: []fleet.TaskContainer{{Name: "main"}, {Name: "side"}}})
	}
	submit(t, st, stopped, fleet.TaskStopped)
	conn, _, err := dialTCS(t.Context(), s, "c", inst)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	say := func(id string, containers ...string) (rev int64) {
		t.Helper()
		th := tcs.TaskHealth{TaskArn: "arn:aws:ecs:us-east-1:000000000000:task/c/" + id}
		for _, c := range containers {
			name, status, _ := strings.Cut(c, "=")
			th.Containers = append(th.Containers, tcs.ContainerHealth{ContainerName: name, HealthStatus: status, StatusSince: tcs.Time{Time: time.Unix(1e9, 0)}})
		}
		body, err := tcs.Encode(&tcs.PublishHealthRequest{Tasks: []tcs.TaskHealth{th, th}})
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
	is := func(id string) string {
		h := st.Snapshot().Task("c", id).Health
		if h == nil {
			return ""
		}
		var out []string
		for _, c := range h.Containers {
			if c.Since.Unix() != 1e9 {
				t.Errorf("since %s", c.Since)
			}
			out = append(out, c.Name+"="+string(c.Status))
		}
		return strings.Join(out, " ")
	}
	rev := st.Snapshot().Revision()
	for _, c := range []struct {
		task string
		says []string
	}{
		{mine, nil}, {mine, []string{"main=UNKNOWN"}}, {mine, []string{"main=NONSENSE"}}, {mine, []string{"nobody=HEALTHY"}},
		{stopped, []string{"main=HEALTHY"}}, {foreign, []string{"main=HEALTHY"}}, {"", []string{"main=HEALTHY"}}, {fleet.NewID(), []string{"main=HEALTHY"}},
	} {
		if now := say(c.task, c.says...); now != rev {
			t.Errorf("%s wrote of %s: %s", c.says, c.task, is(c.task))
		}
	}
	first := say(mine, "main=HEALTHY", "side=UNKNOWN")
	if first == rev || is(mine) != "main=HEALTHY" {
		t.Errorf("not written: %s", is(mine))
	}
	if say(mine, "main=HEALTHY") != first {
		t.Error("what says nothing new was written")
	}
	if say(mine, "main=UNHEALTHY", "side=HEALTHY") == first || is(mine) != "main=UNHEALTHY side=HEALTHY" {
		t.Errorf("a change was not written: %s", is(mine))
	}
	if v := st.Snapshot().Task("c", mine).Health.Version; v != 2 {
		t.Errorf("version %d", v)
	}
}
