package events

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/control/describe"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/ashore/ashore/internal/store/storetest"
	"github.com/google/go-cmp/cmp"
)

// TestFold writes at random through two servers. A consumer at each of them folds the
// events that it gets. In the end both know the current state and got the same events,
// none of them twice, and versions only grew.
func TestFold(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	ctx, etcd := t.Context(), storetest.Etcd(t)
	var stores []*store.Store
	var consumers []*consumer
	for range 2 {
		st := storetest.OpenOn(t, etcd, store.Config{Site: site})
		stores = append(stores, st)
		consumers = append(consumers, &consumer{t: t, stream: Follow(st, st.Snapshot().Revision(), Filter{}), tasks: map[string]told{}, instances: map[string]told{}, ids: map[string]string{}})
	}
	// Both begin at the same place.
	consumers[1].stream = Follow(stores[1], consumers[0].stream.Position(), Filter{})
	for i := range 400 {
		write(t, r, stores[i%2], i)
		if r.IntN(20) == 0 {
			// A consumer that goes and comes back, to either server.
			c := consumers[r.IntN(2)]
			c.read(ctx, stores[0].Snapshot().Revision())
			if _, err := stores[1].Fresh(ctx); err != nil {
				t.Fatal(err)
			}
			c.stream = Follow(stores[r.IntN(2)], c.stream.Position(), Filter{})
		}
	}
	for _, st := range stores {
		if _, err := st.Fresh(ctx); err != nil {
			t.Fatal(err)
		}
	}
	snap := stores[0].Snapshot()
	for _, c := range consumers {
		c.read(ctx, snap.Revision())
		for id, got := range c.tasks {
			v := snap.TaskView("c", id)
			if v.Task == nil {
				continue // deleted by the reaper: that makes no event
			}
			if want := (told{string(v.Task.Status()), describe.TaskVersion(v.Task), ""}); got != want {
				t.Errorf("task %s: told %+v, is %+v", id, got, want)
			}
		}
		for task := range snap.Tasks("c", "") {
			if _, ok := c.tasks[task.ID]; !ok {
				t.Errorf("task %s was never told of", task.ID)
			}
		}
		for i := range snap.Instances("c", "") {
			v := snap.InstanceView("c", i.ID)
			cpu, memory := v.Usage.Free(&i.Registered)
			if want := (told{string(i.Status), v.InstanceRevision, fmt.Sprint(v.Session != nil, cpu, memory)}); c.instances[i.ID] != want {
				t.Errorf("instance %s: told %+v, is %+v", i.ID, c.instances[i.ID], want)
			}
		}
	}
	if d := cmp.Diff(consumers[0].ids, consumers[1].ids); d != "" || len(consumers[0].ids) < 100 {
		t.Errorf("of %d events the two servers told (- +):\n%s", len(consumers[0].ids), d)
	}
}

// told is what a consumer last got of a task or an instance.
type told struct {
	Status  string
	Version int64
	More    string
}

type consumer struct {
	t                *testing.T
	stream           *Stream
	tasks, instances map[string]told
	ids              map[string]string // event's id → its detail without what the server's clock says
}

// read folds the events up to a revision.
func (c *consumer) read(ctx context.Context, until int64) {
	c.t.Helper()
	for c.stream.Position() < until {
		b, err := c.stream.Next(ctx)
		if err != nil {
			c.t.Fatal(err)
		}
		if b.Gap != nil {
			c.t.Fatalf("a gap: %+v", *b.Gap)
		}
		for _, r := range b.Revisions {
			for _, e := range r.Events {
				c.fold(e)
			}
		}
	}
}

func (c *consumer) fold(e Event) {
	c.t.Helper()
	if _, twice := c.ids[e.ID]; twice {
		c.t.Errorf("told twice: %+v", e)
	}
	var d struct {
		LastStatus, Status string
		Version            int64
		AgentConnected     bool
		RemainingResources []struct{ IntegerValue int }
	}
	var all map[string]any
	if err := json.Unmarshal(e.Detail, &d); err != nil {
		c.t.Fatal(err)
	}
	if err := json.Unmarshal(e.Detail, &all); err != nil {
		c.t.Fatal(err)
	}
	delete(all, "updatedAt")
	c.ids[e.ID] = fmt.Sprint(all)
	arn, err := fleet.ParseARN(e.Resources[0])
	if err != nil {
		c.t.Fatal(err)
	}
	id := arn.Rest[len("c/"):]
	grow := func(m map[string]told, now told) {
		if was, ok := m[id]; ok && now.Version <= was.Version {
			c.t.Errorf("%s: version %d after %d", e.Resources[0], now.Version, was.Version)
		}
		m[id] = now
	}
	switch e.DetailType {
	case TaskStateChange:
		grow(c.tasks, told{d.LastStatus, d.Version, ""})
	case ContainerInstanceStateChange:
		grow(c.instances, told{d.Status, d.Version, fmt.Sprint(d.AgentConnected, d.RemainingResources[0].IntegerValue, d.RemainingResources[1].IntegerValue)})
	}
}

// write makes a random change, several records of it at once.
func write(t *testing.T, r *rand.Rand, st *store.Store, n int) {
	t.Helper()
	host := fmt.Sprint("i", r.IntN(3))
	id := fmt.Sprint("t", r.IntN(12))
	what := r.IntN(9)
	err := st.Update(t.Context(), func(tx *store.Tx) error {
		key, report := store.TaskKey("c", id), store.TaskReportKey("c", id)
		task, said := store.Get(tx, key), store.Get(tx, report)
		switch {
		case what == 0:
			k := store.InstanceKey("c", host)
			i := store.Get(tx, k)
			if i == nil {
				return store.Put(tx, k, &fleet.Instance{Cluster: "c", ID: host, Status: fleet.InstanceActive, Registered: fleet.Capacity{CPU: 4096, Memory: 4096}})
			}
			next := *i
			next.Status = []fleet.InstanceStatus{fleet.InstanceActive, fleet.InstanceDraining}[r.IntN(2)]
			return store.Put(tx, k, &next)
		case what == 1:
			k := store.SessionKey("c", host)
			if store.Get(tx, k) != nil {
				return store.Delete(tx, k)
			}
			return store.Put(tx, k, &fleet.InstanceSession{Connection: fmt.Sprint(n)})
		case task == nil:
			// Its host may have registered in the same transaction.
			k := store.InstanceKey("c", host)
			if store.Get(tx, k) == nil {
				if err := store.Put(tx, k, &fleet.Instance{Cluster: "c", ID: host, Status: fleet.InstanceActive, Registered: fleet.Capacity{CPU: 4096, Memory: 4096}}); err != nil {
					return err
				}
			}
			for part := range 1 + r.IntN(3) {
				id := fmt.Sprint(id, "-", n, "-", part)
				if err := store.Create(tx, store.TaskKey("c", id), &fleet.Task{Cluster: "c", ID: id, Instance: host, Reserve: fleet.Reservation{CPU: r.IntN(9), Memory: 1}}); err != nil {
					return err
				}
			}
			// Short names are taken up by later steps.
			short := fmt.Sprint("t", r.IntN(12))
			if tx.Snapshot().Task("c", short) != nil {
				return nil
			}
			return store.Create(tx, store.TaskKey("c", short), &fleet.Task{Cluster: "c", ID: short, Instance: host, Reserve: fleet.Reservation{CPU: 7, Memory: 1}})
		case what == 2 && task.Instance != "" && store.Get(tx, store.TaskStopKey("c", id)) == nil:
			return store.Put(tx, store.TaskStopKey("c", id), &fleet.TaskStop{Reason: "why"})
		default:
			next := fleet.TaskReport{Version: 1, Status: fleet.TaskRunning}
			if said != nil {
				if said.Status == fleet.TaskStopped {
					return nil
				}
				next.Version = said.Version + 1
				if r.IntN(2) == 0 {
					next.Status = fleet.TaskStopped
				}
			}
			return store.Put(tx, report, &next)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}
