package link

import (
	"testing"
	"time"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/ashore/ashore/internal/wire/acs"
)

// An agent that renews its connection counts as connected all the time, even if it comes
// back after the old connection has ended, or to another server. What runs there stays
// known meanwhile.
func TestRenewedSessions(t *testing.T) {
	w := newWorld(t)
	st1, st2 := w.store(store.Config{}), w.store(store.Config{})
	seed(t, st1)
	s1, s2 := w.server("s1", st1), w.server("s2", st2)
	inst := instance(t, st1)
	same := manners{run: fleet.AgentRun{Process: "p"}}
	a := connect(t, s1, inst, same)
	next[*acs.TaskManifestMessage](a)
	first := st1.Snapshot().Session("c", inst).ConnectedSince()
	for i, s := range []*server{s1, s2, s2, s1} {
		a.disconnect()
		eventually(t, "both servers know that the agent has gone", func() bool {
			return st1.Snapshot().Session("c", inst) == nil && st2.Snapshot().Session("c", inst) == nil
		})
		away := st1.Snapshot().Instance("c", inst)
		if v := away.Runs(nil); v.Agent != "1.2.3" || v.Hash != "abc" || v.Docker != "20.10.24" {
			t.Errorf("%d: while the agent is away: %+v", i, v)
		}
		eventually(t, "the server has looked at that", func() bool {
			s.renewals.mu.Lock()
			defer s.renewals.mu.Unlock()
			_, ok := s.renewals.departures[peer{"c", inst}]
			return ok
		})
		a = connect(t, s, inst, same)
		next[*acs.TaskManifestMessage](a)
		rec := s.st.Snapshot().Session("c", inst)
		if !rec.ConnectedSince().Equal(first) || !rec.ConnectedAt.After(first) {
			t.Errorf("%d: connected since %s, at first %s", i, rec.ConnectedSince(), first)
		}
		if i == 0 {
			b := connect(t, s2, inst, same) // before the old one has ended
			next[*acs.TaskManifestMessage](b)
			if rec := st2.Snapshot().Session("c", inst); !rec.ConnectedSince().Equal(first) {
				t.Errorf("beside the old one: since %s, at first %s", rec.ConnectedSince(), first)
			}
			// Otherwise s1 would treat the record as its own after b has gone.
			eventually(t, "the old one is ended", func() bool { return s1.CountConnected() == 0 })
			a = b
		}
	}
	if v := st1.Snapshot().Instance("c", inst).Version; v != 1 {
		t.Errorf("the record was written %d times", v)
	}
}

func TestRenewals(t *testing.T) {
	var r renewals
	p, q := peer{"c", "1"}, peer{"c", "2"}
	at := func(s int) time.Time { return time.Date(2026, 1, 1, 0, 0, s, 0, time.UTC) }
	if got := r.connectedSince(p, nil, at(5)); !got.Equal(at(5)) {
		t.Errorf("an unknown one: %s", got)
	}
	r.noteLeft(p, &fleet.InstanceSession{ConnectedAt: at(5)}, at(10), at(10))
	for _, tt := range []struct{ now, want int }{{10, 5}, {70, 5}, {71, 71}} {
		if got := r.connectedSince(p, nil, at(tt.now)); !got.Equal(at(tt.want)) {
			t.Errorf("back at %d: since %s", tt.now, got)
		}
	}
	if got := r.connectedSince(p, &fleet.InstanceSession{ConnectedAt: at(8), Since: at(3)}, at(20)); !got.Equal(at(3)) {
		t.Errorf("beside an older session: since %s", got)
	}
	r.noteLeft(q, &fleet.InstanceSession{ConnectedAt: at(90), Since: at(20)}, at(100), at(100))
	if _, old := r.departures[p]; old || len(r.departures) != 1 {
		t.Errorf("kept: %v", r.departures)
	}
}
