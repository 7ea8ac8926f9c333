package store

import (
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/ashore/ashore/internal/store/etcdtest"
)

// outcomeOf is an operation's result, or says that the result is unknown.
type outcomeOf struct {
	result
	unknown bool
}

// registers is the model of a history: each key is a register of its own, 0 at first.
var registers = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		byKey := map[string][]porcupine.Operation{}
		for _, o := range history {
			k := o.Input.(operation).Key
			byKey[k] = append(byKey[k], o)
		}
		var parts [][]porcupine.Operation
		for _, p := range byKey {
			parts = append(parts, p)
		}
		return parts
	},
	Init: func() any { return 0 },
	Step: func(state, input, output any) (bool, any) {
		value, op, out := state.(int), input.(operation), output.(outcomeOf)
		switch {
		case op.Kind == "read":
			return out.Value == value, value
		case op.Kind == "cas" && out.unknown:
			if value == op.Old {
				return true, op.New
			}
			return true, value
		case op.Kind == "cas" && !out.Done:
			return out.Value == value && value != op.Old, value
		case op.Kind == "cas":
			return out.Value == value && value == op.Old, op.New
		case out.unknown:
			return true, op.New
		}
		return out.Value == value, op.New
	},
	DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v → %+v", input, output) },
}

// trial is a run of concurrent clients against nodes that are killed.
type trial struct {
	nodes      []*node
	etcd       *etcdtest.Etcd // nil if it is embedded
	clients    int
	keys       int
	operations int
	kills      int
	every      int           // least number of operations between two kills
	limit      time.Duration // only a run that hangs reaches it
	seed       uint64
	stop       atomic.Bool
	answered   atomic.Int64
	mu         sync.Mutex
	history    []porcupine.Operation
	unknown    int
	deaths     map[string]int
	lastSeen   sync.Map // key → a recently read value, for cas
	nextValue  atomic.Int64
	began      time.Time
}

func (r *trial) run(t *testing.T) {
	t.Logf("seed %d", r.seed)
	r.began = time.Now()
	r.deaths = map[string]int{}
	var clients sync.WaitGroup
	for c := range r.clients {
		clients.Go(func() { r.client(c, rand.New(rand.NewPCG(r.seed, uint64(c)))) })
	}
	r.kill(t, rand.New(rand.NewPCG(r.seed, 1<<32)))
	r.stop.Store(true)
	clients.Wait()
	took := time.Since(r.began)

	end := int64(time.Since(r.began)) + 1
	for i := range r.history {
		if r.history[i].Output.(outcomeOf).unknown {
			r.history[i].Return = end
		}
	}
	t.Logf("%d operations in %v, %d of them unknown; kills: %v", len(r.history), took.Round(time.Millisecond), r.unknown, r.deaths)
	if len(r.history) < r.operations {
		t.Errorf("%d operations, wanted %d", len(r.history), r.operations)
	}
	began := time.Now()
	res, info := porcupine.CheckOperationsVerbose(registers, r.history, time.Minute)
	t.Logf("checked in %v", time.Since(began).Round(time.Millisecond))
	switch res {
	case porcupine.Unknown:
		t.Error("the checker did not finish: nothing is known")
	case porcupine.Illegal:
		f, err := os.CreateTemp("", "ashore-history-*.html")
		if err == nil {
			err = porcupine.Visualize(registers, info, f)
			t.Errorf("the history is not linearizable: see %s (%v)", f.Name(), err)
			return
		}
		t.Errorf("the history is not linearizable (%v)", err)
	}
}

func (r *trial) client(id int, rnd *rand.Rand) {
	for !r.stop.Load() {
		op := operation{Kind: []string{"read", "read", "swap", "cas"}[rnd.IntN(4)], Key: fmt.Sprint("k", rnd.IntN(r.keys)), New: int(r.nextValue.Add(1))}
		if v, ok := r.lastSeen.Load(op.Key); ok && op.Kind == "cas" {
			op.Old = v.(int)
		}
		n := r.nodes[rnd.IntN(len(r.nodes))]
		o := porcupine.Operation{ClientId: id, Input: op, Call: int64(time.Since(r.began))}
		res, err := n.do(op)
		o.Return = int64(time.Since(r.began))
		if err != nil {
			time.Sleep(time.Duration(rnd.IntN(20)) * time.Millisecond) // the client's back-off
			if op.Kind == "read" {
				continue // a read without an answer proves nothing
			}
		} else if res.Refused != "" {
			time.Sleep(time.Duration(rnd.IntN(20)) * time.Millisecond)
			continue
		} else {
			r.answered.Add(1)
			seen := res.Value
			if res.Done {
				seen = op.New
			}
			r.lastSeen.Store(op.Key, seen)
		}
		o.Output = outcomeOf{res, err != nil}
		r.mu.Lock()
		r.history = append(r.history, o)
		if err != nil {
			r.unknown++
		}
		r.mu.Unlock()
	}
}

// kill kills one process after the other and restarts it.
func (r *trial) kill(t *testing.T, rnd *rand.Rand) {
	deadline := time.Now().Add(r.limit)
	reach := func(n int64) bool {
		for r.answered.Load() < n {
			if time.Now().After(deadline) {
				t.Errorf("after %v: %d operations answered, waited for %d", r.limit, r.answered.Load(), n)
				return false
			}
			time.Sleep(5 * time.Millisecond)
		}
		return true
	}
	for i := range r.kills {
		if !reach(r.answered.Load() + int64(r.every)) {
			return
		}
		victim := rnd.IntN(len(r.nodes) + 1)
		if r.etcd == nil {
			victim = rnd.IntN(len(r.nodes))
		} else if i%3 == 0 {
			victim = len(r.nodes) // etcd itself, at least every third time
		}
		name, kill, start := "etcd", func() { r.etcd.Kill() }, func() error { return r.etcd.Restart() }
		if victim < len(r.nodes) {
			n := r.nodes[victim]
			name, kill, start = fmt.Sprint("server ", victim), n.process.Kill, func() error { _, err := n.process.Start(); return err }
		}
		kill()
		r.deaths[name]++
		time.Sleep(time.Duration(rnd.IntN(100)) * time.Millisecond) // how long it is dead
		if err := start(); err != nil {
			t.Errorf("%s did not come back: %v", name, err)
			return
		}
	}
	reach(int64(r.operations))
}

// soak says whether this is the long run of minutes.
var soak = os.Getenv("ASHORE_SOAK") != ""

func seed() uint64 { return uint64(time.Now().UnixNano()) }

// TestLinearizable: the results of clients of two servers on one etcd are linearizable,
// while both servers and etcd are killed.
func TestLinearizable(t *testing.T) {
	r := &trial{clients: 8, keys: 40, operations: 6000, kills: 21, every: 200, limit: 5 * time.Minute, seed: seed()}
	if soak {
		r.operations, r.kills, r.limit, r.keys = 150_000, 300, 15*time.Minute, 400
	}
	r.etcd = etcdtest.Start(t, etcdtest.Options{})
	for range 2 {
		r.nodes = append(r.nodes, newNode(t, nodeSpec{Etcd: r.etcd.Endpoint()}))
	}
	r.run(t)
}

// TestLinearizableEmbedded is the same test for one server with an embedded etcd.
func TestLinearizableEmbedded(t *testing.T) {
	r := &trial{clients: 8, keys: 20, operations: 2000, kills: 6, every: 200, limit: 5 * time.Minute, seed: seed()}
	if soak {
		r.operations, r.kills, r.limit, r.keys = 100_000, 200, 10*time.Minute, 400
	}
	r.nodes = []*node{newNode(t, nodeSpec{})}
	r.run(t)
}
