//go:build linux

package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
)

// history reads all writes from etcd itself, in their order, with their writers: the
// head's record, which every transaction writes, begins with the writer's id. It
// records
//
//   - a write that only the leader may make, from another server;
//   - a launch that gives a service more tasks than its maximum percent;
//   - a session's record that another server has removed, or replaced by a record that
//     it had itself replaced, or that comes back after its removal.
//     it had itself replaced, or that comes back after it was removed.
type history struct {
	ledger   *ledger
	leads    map[string]string // what → writer
	terms    int
	ruled    int // number of leaders' writes
	launches int
	services map[string]*fleet.Service
	live     map[string]map[string]*fleet.Task // service → tasks that should run
	sessions map[string]*sessionRecord         // instance → its newest record
	old      map[string]bool                   // connections that newer ones have replaced
	ended    map[string]bool                   // connections whose record was removed

	mu  sync.Mutex
	rev int64 // guarded by mu; the last revision read
}

type sessionRecord struct{ connection, writer string }

// read begins to read from etcd's first revision. wait waits until the context has
// ended.
func (h *history) read(ctx context.Context, etcd *clientv3.Client) (wait func()) {
	h.leads, h.services, h.live = map[string]string{}, map[string]*fleet.Service{}, map[string]map[string]*fleet.Task{}
	h.sessions, h.old, h.ended = map[string]*sessionRecord{}, map[string]bool{}, map[string]bool{}
	var g sync.WaitGroup
	g.Go(func() {
		for ctx.Err() == nil { // a watch also ends with its member's leader
			for r := range etcd.Watch(clientv3.WithRequireLeader(ctx), store.DefaultPrefix+"/", clientv3.WithPrefix(), clientv3.WithRev(h.next())) {
				h.applyAll(r)
			}
		}
	})
	return g.Wait
}

// next returns the first revision that was not read yet.
func (h *history) next() int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.rev + 1
}

func (h *history) applyAll(r clientv3.WatchResponse) {
	if r.CompactRevision > 0 {
		h.ledger.note("etcd's history was compacted up to %d", r.CompactRevision)
	}
	for at := 0; at < len(r.Events); {
		rev, end := r.Events[at].Kv.ModRevision, at
		for end < len(r.Events) && r.Events[end].Kv.ModRevision == rev {
			end++
		}
		if err := h.applyRevision(rev, r.Events[at:end]); err != nil {
			h.ledger.note("revision %d: %v", rev, err)
		}
		at = end
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if n := len(r.Events); n > 0 {
		h.rev = r.Events[n-1].Kv.ModRevision
	}
}

// applyRevision processes one revision.
func (h *history) applyRevision(rev int64, events []*clientv3.Event) error {
	writer := "" // no server: a lease has ended
	for _, e := range events {
		if strings.HasSuffix(string(e.Kv.Key), "/head") {
			writer, _, _ = strings.Cut(string(e.Kv.Value), ".")
		}
	}
	var launched []*fleet.Task
	for _, e := range events {
		_, path, _ := strings.Cut(strings.TrimPrefix(string(e.Kv.Key), store.DefaultPrefix+"/v1/"), "/") // account
		_, path, _ = strings.Cut(path, "/")                                                              // region
		kind, path, _ := strings.Cut(path, "/")
		if kind == "election" {
			delete(h.leads, path)
			if e.Type == mvccpb.Event_PUT {
				h.leads[path] = writer
				h.terms++
			}
		}
		if kind != "cluster" {
			continue
		}
		_, path, _ = strings.Cut(path, "/") // the service's name
		kind, path, _ = strings.Cut(path, "/")
		id, part, _ := strings.Cut(path, "/")
		var err error
		switch {
		case kind == "service" && part == "":
			err = h.service(id, e)
		case kind == "service" && e.Type == mvccpb.Event_PUT && (strings.HasSuffix(part, "state") || strings.HasPrefix(part, "event/")):
			h.checkWriter(rev, "scheduler", writer, path)
		case kind == "task":
			var t *fleet.Task
			if t, err = h.task(id, part, e); t != nil {
				h.checkWriter(rev, "scheduler", writer, path)
				launched = append(launched, t)
			}
		case kind == "instance" && part == "session":
			err = h.session(rev, id, writer, e)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", e.Kv.Key, err)
		}
	}
	for _, t := range launched {
		h.launches++
		h.checkMaximum(rev, t)
	}
	return nil
}

// checkWriter records a leader's write by another server.
func (h *history) checkWriter(rev int64, what, writer, path string) {
	h.ruled++
	if h.leads[what] != writer {
		h.ledger.note("revision %d: %s was written by %.8s, and the %s then was %.8s", rev, path, writer, what, h.leads[what])
	}
}

func (h *history) service(name string, e *clientv3.Event) error {
	if e.Type == mvccpb.Event_DELETE {
		delete(h.services, name)
		return nil
	}
	s := new(fleet.Service)
	h.services[name] = s
	return json.Unmarshal(e.Kv.Value, s)
}

// task processes a task's record. It returns the task if it is new and belongs to a
// service.
func (h *history) task(id, part string, e *clientv3.Event) (*fleet.Task, error) {
	gone := e.Type == mvccpb.Event_DELETE && part == "" || e.Type == mvccpb.Event_PUT && part == "stop"
	if e.Type == mvccpb.Event_PUT && part == "report" {
		var r fleet.TaskReport
		if err := json.Unmarshal(e.Kv.Value, &r); err != nil {
			return nil, err
		}
		gone = r.Status == fleet.TaskStopped
	}
	if gone {
		for _, live := range h.live {
			delete(live, id)
		}
	}
	if part != "" || !e.IsCreate() {
		return nil, nil
	}
	t := new(fleet.Task)
	if err := json.Unmarshal(e.Kv.Value, t); err != nil || t.Service() == "" {
		return nil, err
	}
	if h.live[t.Service()] == nil {
		h.live[t.Service()] = map[string]*fleet.Task{}
	}
	h.live[t.Service()][id] = t
	return t, nil
}

// checkMaximum counts a service's tasks when one is launched.
func (h *history) checkMaximum(rev int64, t *fleet.Task) {
	s, live := h.services[t.Service()], h.live[t.Service()]
	switch {
	case s == nil || s.Status != fleet.ServiceActive:
		h.ledger.note("revision %d: %s was launched for service %s, which is not ACTIVE", rev, t.ID, t.Service())
	case s.Scheduling == types.SchedulingStrategyDaemon:
		for _, other := range live {
			if other.Instance == t.Instance && other.ID != t.ID {
				h.ledger.note("revision %d: %s has two tasks on %s: %s and %s", rev, s.Name, t.Instance, other.ID, t.ID)
			}
		}
	default:
		percent := 200
		if c := s.Configuration; c != nil && c.MaximumPercent != nil {
			percent = int(aws.ToInt32(c.MaximumPercent))
		}
		if most := s.DesiredCount * percent / 100; len(live) > most {
			h.ledger.note("revision %d: %s has %d tasks, with %d wanted and %d%% at most", rev, s.Name, len(live), s.DesiredCount, percent)
		}
	}
}

// session processes the record of an instance's session.
func (h *history) session(rev int64, instance, writer string, e *clientv3.Event) error {
	was := h.sessions[instance]
	if e.Type == mvccpb.Event_DELETE {
		delete(h.sessions, instance)
		if writer == "" || was == nil {
			return nil
		}
		h.ended[was.connection] = true
		if was.writer != writer {
			h.ledger.note("revision %d: %.8s has removed the record of %s's connection %.8s, which %.8s holds", rev, writer, instance, was.connection, was.writer)
		}
		return nil
	}
	var s fleet.InstanceSession
	if err := json.Unmarshal(e.Kv.Value, &s); err != nil {
		return err
	}
	if h.ended[s.Connection] {
		h.ledger.note("revision %d: %.8s has put %s's connection %.8s, whose record had been removed", rev, writer, instance, s.Connection)
	}
	if was != nil && was.connection != s.Connection {
		h.old[was.connection] = true
		if h.old[s.Connection] {
			h.ledger.note("revision %d: %.8s has put %s's connection %.8s, long replaced, in the place of %.8s, which %.8s holds",
				rev, writer, instance, s.Connection, was.connection, was.writer)
		}
	}
	h.sessions[instance] = &sessionRecord{s.Connection, writer}
	return nil
}

// check waits until everything was read.
func (h *history) check(w *world) {
	w.t.Helper()
	var now int64
	w.eventually("etcd's history is read", func() error {
		if now == 0 {
			r, err := w.etcd.Get(w.ctx, store.DefaultPrefix+"/", clientv3.WithPrefix(), clientv3.WithLimit(1), clientv3.WithSort(clientv3.SortByModRevision, clientv3.SortDescend))
			if err != nil {
				return err
			}
			now = r.Kvs[0].ModRevision
		}
		if next := h.next(); next <= now {
			return fmt.Errorf("up to revision %d of %d", next-1, now)
		}
		return nil
	})
}
