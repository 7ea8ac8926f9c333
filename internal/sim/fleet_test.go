package sim

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"golang.org/x/sync/errgroup"
)

// Two servers place and stop tasks at the same time, on hosts that are nearly full. The
// agents themselves are asked what they run.
func TestTwoServersNeverOvercommit(t *testing.T) {
	n := size{servers: 2, hosts: 100, cpus: 1, memory: 1000, faults: Faults{Create: 4 * time.Millisecond, Start: 4 * time.Millisecond, Stop: 4 * time.Millisecond}}
	w := newWorld(t, n)
	needs := map[string]need{
		"cpu":    {cpu: 400, memory: 16},
		"memory": {cpu: 8, memory: 350},
		"port":   {cpu: 8, memory: 16, port: 8080},
		"both":   {cpu: 200, memory: 200, port: 8081},
	}
	var families []string
	for name, x := range needs {
		w.family(name, x)
		families = append(families, name)
	}
	var mu sync.Mutex
	running, stopped := []string{}, []string{}
	failures := 0
	ctx, cancel := context.WithCancel(t.Context())
	watch, _ := errgroup.WithContext(ctx)
	for i := range 2 { // all the time
		rng := rand.New(rand.NewPCG(w.seed, uint64(100+i)))
		watch.Go(func() error {
			for ctx.Err() == nil {
				if err := w.checkHost(ctx, w.hosts[rng.IntN(len(w.hosts))], n, needs); err != nil && ctx.Err() == nil {
					t.Error(err)
					return nil
				}
			}
			return nil
		})
	}
	var g errgroup.Group
	for i := range 8 {
		rng := rand.New(rand.NewPCG(w.seed, uint64(i)))
		g.Go(func() error {
			for range 40 {
				arns, failed, err := w.run(t.Context(), i, families[rng.IntN(len(families))], 1+rng.IntN(10))
				if err != nil {
					return err
				}
				mu.Lock()
				failures += failed
				running = append(running, arns...)
				var stop []string
				if len(running) > 300 { // some tasks have to stop
					rng.Shuffle(len(running), func(a, b int) { running[a], running[b] = running[b], running[a] })
					stop, running = running[:5:5], running[5:]
					stopped = append(stopped, stop...)
				}
				mu.Unlock()
				for _, arn := range stop {
					if _, err := w.ecs(i+1).StopTask(t.Context(), &ecs.StopTaskInput{Cluster: aws.String(cluster), Task: aws.String(arn)}); err != nil {
						return err
					}
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
	cancel()
	if err := watch.Wait(); err != nil {
		t.Error(err)
	}
	if t.Failed() {
		return
	}
	w.waitStatus(1, stopped, "STOPPED")
	w.waitStatus(0, running, "RUNNING") // a task that does not fit would wait on its host for ever
	w.checkHosts(n, needs)
	t.Logf("%d tasks run, %d were stopped, %d could not be placed", len(running), len(stopped), failures)
	if failures == 0 {
		t.Error("the fleet was never full")
	}
}

// If a server can't be reached any more, its agents switch to the other one, although the
// server itself notices nothing.
func TestAgentsGoOverToAnotherServer(t *testing.T) {
	n := size{servers: 2, hosts: 20, cpus: 4, memory: 4000}
	w := newWorld(t, n)
	w.family("f", need{cpu: 16, memory: 16})
	arns := w.mustRun(0, "f", 40)
	w.waitStatus(1, arns, "RUNNING")
	w.servers[0].Wire().Cut()
	w.waitConnectedTo(1, 20)
	more := w.mustRun(1, "f", 40)
	w.waitStatus(1, more, "RUNNING")
	w.startedOnce(80)
	// And back, this time with a server that closes its connections.
	w.servers[0].Wire().Restore()
	if err := w.servers[1].Close(); err != nil {
		t.Fatal(err)
	}
	w.waitConnectedTo(0, 20)
	again := w.mustRun(0, "f", 40)
	w.waitStatus(0, append(again, arns...), "RUNNING")
	for _, arn := range more {
		if _, err := w.ecs(0).StopTask(t.Context(), &ecs.StopTaskInput{Cluster: aws.String(cluster), Task: aws.String(arn)}); err != nil {
			t.Fatal(err)
		}
	}
	w.waitStatus(0, more, "STOPPED")
	w.startedOnce(120)
}

// The connections of all agents drop and come back at once, before the server notices that
// the old ones are dead.
func TestReconnectBeforeTheOldConnectionIsSeenDead(t *testing.T) {
	n := size{servers: 1, hosts: 20, cpus: 4, memory: 4000}
	w := newWorld(t, n)
	w.family("f", need{cpu: 16, memory: 16})
	var arns []string
	for range 3 {
		w.servers[0].Wire().Cut()
		w.servers[0].Wire().Restore()
		arns = append(arns, w.mustRun(0, "f", 40)...)
		w.waitStatus(0, arns, "RUNNING")
		w.waitConnected(20)
	}
	w.startedOnce(120)
}

// Tasks outlive their server, and nothing is started twice.
func TestServerRestartWhileTasksRun(t *testing.T) {
	n := size{servers: 1, hosts: 20, cpus: 4, memory: 4000, faults: Faults{Start: 20 * time.Millisecond}}
	w := newWorld(t, n)
	w.family("f", need{cpu: 16, memory: 16})
	arns := w.mustRun(0, "f", 60)
	w.waitStatus(0, arns, "RUNNING")
	for range 2 {
		arns = append(arns, w.mustRun(0, "f", 40)...) // being started when the server ends
		if err := w.servers[0].Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.waitConnected(20)
		w.waitStatus(0, arns, "RUNNING")
		w.startedOnce(len(arns))
	}
}

// An agent that restarts in the middle of everything adopts what runs.
func TestAgentRestartWhileTasksRun(t *testing.T) {
	n := size{servers: 1, hosts: 4, cpus: 4, memory: 4000, journal: true, faults: Faults{Start: 20 * time.Millisecond}}
	w := newWorld(t, n)
	w.family("f", need{cpu: 16, memory: 16})
	arns := w.mustRun(0, "f", 40)
	for range 3 {
		for _, h := range w.hosts { // in the middle of everything
			if err := h.Stop(); err != nil {
				t.Fatal(err)
			}
			h.Start()
		}
		w.waitStatus(0, arns, "RUNNING")
		w.startedOnce(len(arns))
	}
}

// Stops race first deliveries, through any servers. Every task ends, nothing goes on
// running, and nothing starts twice.
func TestStopsRacingFirstDeliveries(t *testing.T) {
	n := size{servers: 2, hosts: 10, cpus: 8, memory: 8000, faults: Faults{
		Create: 5 * time.Millisecond, Start: 5 * time.Millisecond, Stop: 5 * time.Millisecond, FailCreate: 0.05, FailStart: 0.05, Lost: 0.05,
	}}
	w := newWorld(t, n)
	w.family("f", need{cpu: 16, memory: 16})
	var mu sync.Mutex
	var all []string
	var g errgroup.Group
	for i := range 8 {
		rng := rand.New(rand.NewPCG(w.seed, uint64(i)))
		g.Go(func() error {
			for range 20 {
				arns, _, err := w.run(t.Context(), i, "f", 1+rng.IntN(5))
				if err != nil {
					return err
				}
				mu.Lock()
				all = append(all, arns...)
				mu.Unlock()
				time.Sleep(time.Duration(rng.IntN(15)) * time.Millisecond)
				for _, arn := range arns {
					if _, err := w.ecs(i+rng.IntN(2)).StopTask(t.Context(), &ecs.StopTaskInput{Cluster: aws.String(cluster), Task: aws.String(arn)}); err != nil {
						return err
					}
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	w.waitStatus(0, all, "STOPPED")
	for _, h := range w.hosts {
		w.eventually("nothing runs on", func() bool { return h.Machine().Running() == 0 })
		for name, k := range h.Machine().Starts() {
			if k > 1 {
				t.Errorf("%s was started %d times", name, k)
			}
		}
	}
	t.Logf("%d tasks", len(all))
}
