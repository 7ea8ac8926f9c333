//go:build linux

package cluster

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

var (
	seedFlag = flag.Uint64("cluster.seed", 0, "draw the same faults again")
	onlyFlag = flag.String("cluster.only", "", "draw only faults whose name has this in it, such as pause")
	forFlag  = flag.Duration("cluster.for", 0, "how long faults go on, instead of one of each kind")
)

// controllers is the number of elections: provisioner, reaper, scheduler.
const controllers = 3

// callers is the number of clients that run tasks. Other clients change services.
const callers = 6

// Under load, one process after the other dies or is cut off. No call fails that is
// retried once. No task is started twice, or without room. Controllers move to other
// servers and write nothing after their term. Services get the last acknowledged state.
func TestKillsAndPartitions(t *testing.T) {
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("seed %d: again by -args -cluster.seed %d", seed, seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	w := newWorld(t, size{hosts: 6, clients: callers + len(kept), cpus: 1, memory: 1000})
	for name, n := range needs {
		w.family(name, n)
	}
	kinds := named(w.faults(), *onlyFlag)
	turns := schedule(rng, kinds, len(kinds))
	l, past := &load{w: w, clients: w.clients[:callers]}, &history{ledger: w.ledger}
	keepers := newKeepers(w, w.clients[callers:], seed)
	w.createStarved(t)
	ctx, stop := context.WithCancel(t.Context())
	look, close := context.WithCancel(t.Context())
	calls, looks := []func(){l.start(ctx, seed, 36)}, []func(){w.watchAccounts(look), past.read(look, w.etcd)}
	for _, k := range keepers {
		calls = append(calls, k.start(ctx))
	}
	wait := func(all []func()) {
		for _, f := range all {
			f()
		}
	}
	defer func() { stop(); close(); wait(calls); wait(looks) }()
	began := time.Now()
	for i := 0; !t.Failed() && (i < len(turns) || time.Since(began) < *forFlag); i++ {
		if i == len(turns) {
			turns = append(turns, schedule(rng, kinds, len(kinds))...)
		}
		w.runFault(turns[i])
		w.awaitConverged(keepers)
		t.Log(tally(w.clients))
		w.ledger.report(t)
		l.mu.Lock()
		for _, err := range l.errs {
			t.Error(err)
		}
		l.errs = nil
		l.mu.Unlock()
	}
	stop()
	wait(calls)
	w.awaitConverged(keepers)
	past.check(w)
	close()
	wait(looks)
	l.check(t)
	changes := 0
	for _, k := range keepers {
		changes += k.changes
	}
	t.Log(l.summary())
	t.Logf("%d changes of services, %d launches, %d writes of the scheduler's in %d terms of all leaders", changes, past.launches, past.ruled, past.terms)
}

// runFault makes one fault happen, and waits until everything works again.
func (w *world) runFault(x turn) {
	t := w.t
	t.Helper()
	led := w.awaitLeaders()
	if x.fault.leaves != "" && x.leader {
		for _, f := range x.kind {
			if f.leaves == led["reaper"] {
				x.fault = f
			}
		}
	}
	t.Logf("%s for %s; %v", x.fault.name, x.lasts, led)
	began := time.Now()
	if err := x.fault.begin(); err != nil {
		t.Fatal(err)
	}
	if x.fault.leaves != "" {
		took, busy, err := w.awaitMove(x.fault.leaves, led, began)
		switch {
		case err != nil:
			t.Error(err)
		case took-busy > moveLimit:
			t.Errorf("what %s led moved after %s, the machine being busy for %s of it", x.fault.leaves, took, busy)
		}
		t.Logf("moved after %s (busy %s)", took.Round(10*time.Millisecond), busy.Round(10*time.Millisecond))
	}
	time.Sleep(time.Until(began.Add(x.lasts))) // the drawn duration of the fault
	if err := x.fault.end(); err != nil {
		t.Fatal(err)
	}
	began = time.Now()
	for i := range w.servers {
		w.awaitServer(i)
	}
	for i := range w.servers {
		w.awaitConnected(i, len(w.hosts))
	}
	// A call that began before the end may still wait for an answer that the fault has
	// lost. It must not meet another fault.
	for i, c := range w.clients {
		before := c.begun.Load()
		w.eventually(fmt.Sprintf("client %d has its answers", i), func() error {
			if done := c.done.Load(); done < before {
				return fmt.Errorf("%d calls of %d", done, before)
			}
			return nil
		})
	}
	t.Logf("all well %s after its end", time.Since(began).Round(10*time.Millisecond))
}
