//go:build linux

package cluster

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/control/reaper"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/google/uuid"
)

// needs has families that fill a host in different ways, and the families of services.
// However the first ones fill a host, it has room for eight tasks of services.
var needs = map[string]need{
	"cpu":    {cpu: 380, memory: 16},
	"memory": {cpu: 8, memory: 350},
	"port":   {cpu: 8, memory: 16, port: 8080},
	"both":   {cpu: 200, memory: 200, port: 8081},

	"plain":   {cpu: 4, memory: 6, service: true},
	"fixed":   {cpu: 4, memory: 6, port: 8090, service: true},
	"starved": {cpu: 4, memory: 5000, service: true},
}

// load is what clients have asked for, and the answers.
type load struct {
	w        *world
	clients  []*caller
	mu       sync.Mutex
	running  []string // acknowledged tasks that should run; guarded by mu, as are the fields below
	stopped  []string // acknowledged tasks that should stop
	calls    int
	failures int // tasks that got no host
	// late are the failures that may still become tasks. A frozen server still has the
	// request, and a call without a result has no token.
	late int
	errs []error
}

// start starts all clients, until the context ends. wait waits for their end.
func (l *load) start(ctx context.Context, seed uint64, full int) (wait func()) {
	families := slices.Sorted(func(yield func(string) bool) {
		for name, n := range needs {
			if !n.service && !yield(name) {
				return
			}
		}
	})
	var g sync.WaitGroup
	for i, c := range l.clients {
		rng := rand.New(rand.NewPCG(seed, uint64(i)))
		g.Go(func() {
			for ctx.Err() == nil {
				if err := l.step(c, rng, families[rng.IntN(len(families))], full); err != nil {
					l.mu.Lock()
					l.errs = append(l.errs, err)
					l.mu.Unlock()
				}
				select {
				case <-ctx.Done():
				case <-time.After(time.Duration(20+rng.IntN(80)) * time.Millisecond): // a steady load, not a test of speed
				}
			}
		})
	}
	return g.Wait
}

// step runs some tasks, and stops one if there are many. A running call is always
// finished.
func (l *load) step(c *caller, rng *rand.Rand, family string, full int) error {
	ctx, silent := l.w.ctx, c.silent.Load()
	out, err := call(ctx, c, "RunTask", (*ecs.Client).RunTask, &ecs.RunTaskInput{
		Cluster: aws.String(clusterName), TaskDefinition: aws.String(family), Count: aws.Int32(int32(1 + rng.IntN(3))),
		ClientToken: aws.String(uuid.NewString()),
	})
	if err != nil {
		return err
	}
	l.mu.Lock()
	l.calls++
	for _, t := range out.Tasks {
		l.running = append(l.running, *t.TaskArn)
	}
	l.failures += len(out.Failures)
	if c.silent.Load() > silent {
		l.late += len(out.Failures)
	}
	var stop string
	if len(l.running) > full || len(out.Failures) > 0 && len(l.running) > 0 {
		i := rng.IntN(len(l.running))
		stop = l.running[i]
		l.running = slices.Delete(l.running, i, i+1)
		l.stopped = append(l.stopped, stop)
	}
	l.mu.Unlock()
	if stop == "" {
		return nil
	}
	_, err = call(ctx, c, "StopTask", (*ecs.Client).StopTask, &ecs.StopTaskInput{Cluster: aws.String(clusterName), Task: aws.String(stop)})
	l.mu.Lock()
	l.calls++
	l.mu.Unlock()
	return err
}

// check waits until every acknowledged task has its desired state, and reads the
// witnesses.
func (l *load) check(t *testing.T) {
	t.Helper()
	w := l.w
	for _, err := range l.errs {
		t.Error(err)
	}
	w.ledger.report(t) // first: after many faults the rest never comes
	w.awaitStatus(l.running, "RUNNING")
	// Of the stopped tasks, the oldest ones are forgotten at some point. Half of what is
	// retained leaves room for the services' tasks.
	w.awaitStatus(l.stopped[max(0, len(l.stopped)-reaper.Defaults.Stopped/2):], "STOPPED")
	w.ledger.report(t)
	w.ledger.mu.Lock()
	defer w.ledger.mu.Unlock()
	for task, where := range w.ledger.starts {
		if len(where) != 1 {
			t.Errorf("%s was started %d times, by %v", task, len(where), where)
		}
	}
	for _, task := range l.running {
		if len(w.ledger.starts[task]) != 1 {
			t.Errorf("%s is RUNNING, and was started by %v", task, w.ledger.starts[task])
		}
	}
	known := len(l.running) + len(l.stopped) + l.late
	if n := len(w.ledger.starts) - len(w.ledger.kept); n > known {
		t.Errorf("%d tasks were started and %d acknowledged: calls were carried out that nobody knows of", n, known)
	}
	if l.failures == 0 {
		t.Error("the hosts were never full")
	}
}

// summary returns one line for the log.
func (l *load) summary() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return fmt.Sprintf("%d tasks run, %d were stopped, %d found no place", len(l.running), len(l.stopped), l.failures)
}

// awaitStatus waits until all tasks have a status.
func (w *world) awaitStatus(arns []string, want string) {
	w.t.Helper()
	api := w.api(0)
	w.eventually(fmt.Sprintf("%d tasks are %s", len(arns), want), func() error {
		for some := range slices.Chunk(arns, 100) {
			out, err := api.DescribeTasks(w.ctx, &ecs.DescribeTasksInput{Cluster: aws.String(clusterName), Tasks: some})
			if err != nil {
				return err
			}
			if len(out.Failures) > 0 {
				return fmt.Errorf("%s: %s", *out.Failures[0].Arn, *out.Failures[0].Reason)
			}
			if i := slices.IndexFunc(out.Tasks, func(t types.Task) bool { return aws.ToString(t.LastStatus) != want }); i >= 0 {
				t := out.Tasks[i]
				return fmt.Errorf("%s on %s is %s, desired %s (%s)", *t.TaskArn, aws.ToString(t.ContainerInstanceArn), *t.LastStatus, *t.DesiredStatus, aws.ToString(t.StoppedReason))
			}
		}
		return nil
	})
}
