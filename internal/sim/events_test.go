package sim

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"

	"github.com/ashore/ashore/internal/client"
)

// listener follows a server's events.
type listener struct {
	mu    sync.Mutex
	at    map[string]int64 // event id → the revision of its line
	runs  map[string]int64 // ARN of a running task → the revision
	last  int64            // last revision
	gaps  []client.EventGap
	twice []string
	back  int // lines with a revision lower than the last
	lost  int // lost connections
}

// listen follows a server's events until the test ends.
func (w *world) listen(server int) *listener {
	w.t.Helper()
	l := &listener{at: map[string]int64{}, runs: map[string]int64{}}
	ctx, cancel := context.WithCancel(w.t.Context())
	began, done := make(chan struct{}), make(chan error, 1)
	first := sync.OnceFunc(func() { close(began) })
	go func() {
		done <- w.clients[server].Events(ctx, client.EventsInput{Follow: true}, func(line client.EventLine) error {
			defer first()
			return l.hear(line)
		}, func(err error) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.lost++
			w.t.Logf("server %d: %v", server, err)
		})
	}()
	w.t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			w.t.Error(err)
		}
	})
	select {
	case <-began:
	case err := <-done:
		done <- err
		w.t.Fatal(err)
	}
	return l
}

func (l *listener) hear(line client.EventLine) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if line.Revision < l.last {
		l.back++
	}
	l.last = line.Revision
	if line.Gap != nil {
		l.gaps = append(l.gaps, *line.Gap)
	}
	for _, raw := range line.Events {
		var e struct {
			ID     string `json:"id"`
			Detail struct {
				TaskArn, LastStatus string
			} `json:"detail"`
		}
		if err := json.Unmarshal(raw, &e); err != nil {
			return err
		}
		if _, known := l.at[e.ID]; known {
			l.twice = append(l.twice, string(raw))
		}
		l.at[e.ID] = line.Revision
		if e.Detail.LastStatus == "RUNNING" {
			l.runs[e.Detail.TaskArn] = line.Revision
		}
	}
	return nil
}

// heard returns the revision at which a task was reported as running, or 0.
func (l *listener) heard(task string) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.runs[task]
}

func (l *listener) missed(rev int64) bool {
	for _, g := range l.gaps {
		if rev > g.After && rev <= g.Through {
			return true
		}
	}
	return false
}

// After its server ended, a stream of events continues where it was. No event comes twice,
// and missing events are reported as missing. The events of another server, which stays,
// are the reference.
func TestEventsAcrossAServersRestart(t *testing.T) {
	w := newWorld(t, size{servers: 2, hosts: 4, cpus: 4, memory: 4000})
	w.family("f", need{cpu: 16, memory: 16})
	all, broken := w.listen(1), w.listen(0)
	follows := func() {
		t.Helper()
		task := w.mustRun(0, "f", 1)[0]
		w.eventually("the stream goes on", func() bool { return broken.heard(task) > 0 })
	}
	for range 3 {
		w.mustRun(1, "f", 10)
		if err := w.servers[0].Stop(); err != nil {
			t.Fatal(err)
		}
		w.waitStatus(1, w.mustRun(1, "f", 10), "RUNNING") // the broken stream gets none of this
		if err := w.servers[0].Resume(t.Context()); err != nil {
			t.Fatal(err)
		}
		follows()
	}
	broken.mu.Lock()
	gaps := len(broken.gaps)
	broken.mu.Unlock()
	// A server that was only cut off knows what it did not send.
	w.servers[0].Wire().Cut()
	w.waitStatus(1, w.mustRun(1, "f", 10), "RUNNING")
	w.servers[0].Wire().Restore()
	follows()
	marker := w.mustRun(1, "f", 1)[0] // both servers send its events after all that
	w.eventually("both have heard it all", func() bool { return all.heard(marker) > 0 && broken.heard(marker) > 0 })
	through := all.heard(marker)
	all.mu.Lock()
	defer all.mu.Unlock()
	broken.mu.Lock()
	defer broken.mu.Unlock()
	if gaps != 3 || len(broken.gaps) != gaps {
		t.Errorf("gaps %+v, of which %d by the server's three ends", broken.gaps, gaps)
	}
	if len(all.gaps) > 0 || all.lost > 0 {
		t.Errorf("the server that stayed: %d connections were lost, gaps %+v", all.lost, all.gaps)
	}
	for _, l := range []*listener{all, broken} {
		if len(l.twice) > 0 || l.back > 0 {
			t.Errorf("%d events were told twice, such as %.1q; %d lines went back", len(l.twice), l.twice, l.back)
		}
	}
	missing := 0
	for id, rev := range all.at {
		at, told := broken.at[id]
		switch {
		case told && at != rev:
			t.Errorf("%s was told at revision %d and at %d", id, rev, at)
		case !told && rev <= through && !broken.missed(rev):
			missing++
		}
	}
	if missing > 0 {
		t.Errorf("%d of %d events are missing, and no gap says so: %+v", missing, len(all.at), broken.gaps)
	}
	for id, rev := range broken.at {
		if _, told := all.at[id]; !told && rev <= through {
			t.Errorf("%s of revision %d was told by one server only", id, rev)
		}
	}
	t.Logf("%d events, of which %d were told by the server that was restarted; gaps %+v", len(all.at), len(broken.at), broken.gaps)
}
