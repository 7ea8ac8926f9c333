package link

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/ashore/ashore/internal/wire/acs"
	"github.com/coder/websocket"
)

// dialRefused dials as an agent that must be refused, and returns the response.
func dialRefused(t *testing.T, s *server, inst string, run fleet.AgentRun) string {
	t.Helper()
	return refusedBy(t, func(ctx context.Context) (*websocket.Conn, *http.Response, error) {
		return dialAs(ctx, s, "c", site.InstanceARN("c", inst), run)
	})
}

func refusedBy(t *testing.T, dial func(context.Context) (*websocket.Conn, *http.Response, error)) string {
	t.Helper()
	conn, r, err := dial(t.Context())
	if err == nil {
		conn.CloseNow()
		t.Error("a second agent is taken")
		return ""
	}
	if r == nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Error(err)
	}
	return string(body)
}

// While an agent is connected, another agent with its identity is refused, on every
// server. That holds for our agent and the stock agent. The first agent notices nothing.
func TestASecondAgentIsRefused(t *testing.T) {
	w := newWorld(t)
	st1, st2 := w.store(store.Config{}), w.store(store.Config{})
	seed(t, st1)
	s1, s2 := w.server("s1", st1), w.server("s2", st2)
	ours, clone := fleet.AgentRun{Process: "p", Boot: "b"}, fleet.AgentRun{Process: "q", Boot: "c"}
	for _, first := range []fleet.AgentRun{ours, {}} {
		inst := instance(t, st1)
		a := connect(t, s1, inst, manners{run: first})
		next[*acs.TaskManifestMessage](a)
		id := st1.Snapshot().Session("c", inst).Connection
		for _, second := range []fleet.AgentRun{clone, {Process: "q", Boot: "b"}, {}} {
			for _, s := range []*server{s1, s2, s1, s2} {
				if body := dialRefused(t, s, inst, second); !strings.Contains(body, acs.InvalidInstanceException) || !strings.Contains(body, "is connected as the container instance "+inst) {
					t.Errorf("%+v after %+v: %s", second, first, body)
				}
			}
		}
		a.expectNoPayload(st1, inst)
		if rec := st1.Snapshot().Session("c", inst); rec == nil || rec.Connection != id {
			t.Errorf("the session is %+v", rec)
		}
		eventually(t, "both servers know of it", func() bool {
			d1, d2 := st1.Snapshot().Instance("c", inst).Duplicate, st2.Snapshot().Instance("c", inst).Duplicate
			return d1 != nil && d2 != nil && d1.Refused && d2.Refused && d1.Connection == id && d1.Address == "127.0.0.1" && !d1.ReportedAt.IsZero() && d1.ReportedAt.Equal(d2.ReportedAt)
		})
		told := st1.Snapshot().Instance("c", inst).Duplicate.ReportedAt
		dialRefused(t, s1, inst, clone)
		if d := st1.Snapshot().Instance("c", inst).Duplicate; !d.ReportedAt.Equal(told) {
			t.Error("told of once more")
		}
		a.disconnect()
	}
}

// A connection that broke silently does not count as connected. The next agent is
// accepted, on every server.
func TestAHalfOpenConnectionIsNoAgent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	st1, st2 := w.store(store.Config{}), w.store(store.Config{})
	seed(t, st1)
	quick := func(c *Config) { c.AskFor = 200 * time.Millisecond }
	s1, s2 := w.server("s1", st1, quick), w.server("s2", st2, quick)
	for _, second := range []fleet.AgentRun{{Process: "q", Boot: "b"}, {Process: "q", Boot: "c"}, {}} {
		for _, s := range []*server{s1, s2} {
			inst := instance(t, st1)
			dead := connect(t, s1, inst, manners{deaf: true, run: fleet.AgentRun{Process: "p", Boot: "b"}})
			a := connect(t, s, inst, manners{run: second})
			next[*acs.TaskManifestMessage](a)
			eventually(t, "the first session ends, and the second stays", func() bool {
				rec := s.st.Snapshot().Session("c", inst)
				return rec != nil && rec.Run == second && (s == s1 || s1.findSession(peer{"c", inst}) == nil)
			})
			a.expectNoPayload(st1, inst)
			dead.conn.CloseNow()
			a.disconnect()
		}
	}
}

// A server that does not answer for its agent's connection is itself gone.
func TestASessionOfAServerThatIsGone(t *testing.T) {
	w := newWorld(t)
	st := w.store(store.Config{})
	seed(t, st)
	s, inst := w.server("s1", st, func(c *Config) { c.AskFor = 200 * time.Millisecond }), instance(t, st)
	put(t, st, store.SessionKey("c", inst), &fleet.InstanceSession{Server: "gone", Connection: "x", Run: fleet.AgentRun{Process: "p"}})
	a := connect(t, s, inst, manners{run: fleet.AgentRun{Process: "q"}})
	next[*acs.TaskManifestMessage](a)
}

// The machine that was connected last may come back before another machine with its
// identity is accepted: after it was last heard, and after the server was away. A process
// on the same machine is accepted at once. So is the stock agent, which sends no machine.
func TestTheLastMachineMayComeBackFirst(t *testing.T) {
	w := newWorld(t)
	st := w.store(store.Config{Sole: true})
	seed(t, st)
	s := w.server("s1", st, func(c *Config) { c.Comeback = time.Hour })
	inst := instance(t, st)
	leave := func(a *agent) {
		t.Helper()
		next[*acs.TaskManifestMessage](a)
		a.disconnect()
		eventually(t, "it has gone", func() bool {
			_, known := s.renewals.lastHeard(peer{"c", inst})
			return known && st.Snapshot().Session("c", inst) == nil
		})
	}
	leave(connect(t, s, inst, manners{run: fleet.AgentRun{Process: "p", Boot: "b"}}))
	if body := dialRefused(t, s, inst, fleet.AgentRun{Process: "q", Boot: "c"}); !strings.Contains(body, acs.ServerException) || !strings.Contains(body, "1h0m0s to come back") {
		t.Error(body)
	}
	leave(connect(t, s, inst, manners{run: fleet.AgentRun{Process: "r", Boot: "b"}}))
	leave(connect(t, s, inst, manners{}))
	// The time of the last machine is over.
	s.cfg.Comeback = time.Nanosecond
	leave(connect(t, s, inst, manners{run: fleet.AgentRun{Process: "q", Boot: "c"}}))
	if boot := st.Snapshot().Instance("c", inst).Boot; boot != "c" {
		t.Errorf("boot %q", boot)
	}

	later := w.server("s2", st, func(c *Config) { c.Comeback, c.Away = time.Hour, time.Now() })
	if body := dialRefused(t, later, inst, fleet.AgentRun{Process: "s", Boot: "d"}); !strings.Contains(body, acs.ServerException) {
		t.Error(body)
	}
	next[*acs.TaskManifestMessage](connect(t, later, inst, manners{run: fleet.AgentRun{Process: "t", Boot: "c"}}))
}

// A second agent's telemetry does not replace the first one's.
func TestASecondAgentsTelemetryIsRefused(t *testing.T) {
	w := newWorld(t)
	st := w.store(store.Config{Sole: true})
	seed(t, st)
	s := w.server("s1", st)
	telemetryAs := func(inst string, run fleet.AgentRun) func(context.Context) (*websocket.Conn, *http.Response, error) {
		return func(ctx context.Context) (*websocket.Conn, *http.Response, error) {
			return dialTCSAs(ctx, s, "c", inst, run)
		}
	}
	for _, first := range []fleet.AgentRun{{Process: "p"}, {}} {
		inst := instance(t, st)
		next[*acs.TaskManifestMessage](connect(t, s, inst, manners{run: first}))
		conn, _, err := telemetryAs(inst, first)(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		reading := conn.CloseRead(t.Context()) // and answers pings
		for _, second := range []fleet.AgentRun{{Process: "q"}, {}} {
			refusedBy(t, telemetryAs(inst, second))
		}
		if err := conn.Ping(t.Context()); err != nil || reading.Err() != nil {
			t.Errorf("the first one's telemetry: %v", err)
		}
		conn.CloseNow()
		again, _, err := telemetryAs(inst, first)(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		again.CloseNow()
	}
}
