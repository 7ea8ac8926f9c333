package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"golang.org/x/sync/errgroup"

	"github.com/ashore/ashore/internal/client"
	"github.com/ashore/ashore/internal/local"
)

// self is this process, for its own CPU time.
var self = &exec.Cmd{Process: &os.Process{Pid: os.Getpid()}}

// burst runs tasks as fast as RunTask accepts them. A task counts when another client's
// DescribeTasks has shown it RUNNING.
func (m *scaleRun) burst(ctx context.Context) error {
	admin, err := local.ReadAdmin(m.layout)
	if err != nil {
		return err
	}
	watcher := client.New(admin)
	defer watcher.Close()
	probes, stopProbes := m.probe(ctx, watcher)
	profiled, err := m.startProfiling(ctx, "burst", 5)
	if err != nil {
		return err
	}
	u, took, err := m.measureUsage(func() error { return m.runAndAwait(ctx, watcher.ECS, m.tasks) })
	calls := stopProbes()
	if err := errors.Join(err, profiled(), probes.Wait()); err != nil {
		return err
	}
	rate := float64(m.tasks) / took.Seconds()
	m.out.add(result{What: fmt.Sprintf("%d tasks to RUNNING, as another client sees it", m.tasks), Unit: "tasks/s", Value: rate,
		Budget: "5,000/s", Met: met(rate >= 5000)})
	m.addUsage("burst", u, m.tasks)
	m.addCalls("burst", calls)
	return m.recordMemory(ctx, fmt.Sprintf("%d tasks", m.tasks))
}

func (m *scaleRun) addCalls(during string, calls []*timedCalls) {
	for _, c := range calls {
		m.out.add(result{What: c.name + " during the " + during + ", p50", Unit: "ms", Value: ms(c.took.median())})
		m.out.add(result{What: c.name + " during the " + during + ", p99", Unit: "ms", Value: ms(c.took.at(99)), Budget: "under 20 ms", Met: met(c.took.at(99) < 20*time.Millisecond)})
	}
}

// startProfiling takes CPU profiles of both processes for some seconds, if profiles are
// wanted. done waits for the profiles.
func (m *scaleRun) startProfiling(ctx context.Context, part string, seconds int) (done func() error, err error) {
	if m.profiles == "" {
		return func() error { return nil }, nil
	}
	if err := os.MkdirAll(m.profiles, 0o755); err != nil {
		return nil, err
	}
	var g errgroup.Group
	for name, p := range map[string]*process{"server": m.server, "fleet": m.fleet} {
		g.Go(func() error {
			return p.profile(ctx, filepath.Join(m.profiles, fmt.Sprintf("%s-%s-%d.pprof", name, part, m.hosts)), seconds)
		})
	}
	return g.Wait, nil
}

// runAndAwait starts tasks and returns when each was seen RUNNING.
func (m *scaleRun) runAndAwait(ctx context.Context, watcher *ecs.Client, total int) error {
	started := make(chan []string, total/m.count+m.callers)
	g, ctx := errgroup.WithContext(ctx)
	var asked atomic.Int64
	var callers sync.WaitGroup
	for range m.callers {
		callers.Add(1)
		g.Go(func() error {
			defer callers.Done()
			for {
				n := min(m.count, total-int(asked.Add(int64(m.count)))+m.count)
				if n <= 0 {
					return nil
				}
				arns, err := m.runTask(ctx, n)
				if err != nil {
					return err
				}
				started <- arns
			}
		})
	}
	g.Go(func() error { callers.Wait(); close(started); return nil })
	g.Go(func() error { return awaitSeen(ctx, watcher, started) })
	return g.Wait()
}

func (m *scaleRun) runTask(ctx context.Context, n int) ([]string, error) {
	out, err := m.client.ECS.RunTask(ctx, &ecs.RunTaskInput{
		Cluster: aws.String(scaleCluster), TaskDefinition: aws.String(scaleFamily), Count: aws.Int32(int32(n)),
	})
	if err != nil {
		return nil, err
	}
	if len(out.Failures) > 0 {
		return nil, fmt.Errorf("not placed: %s", aws.ToString(out.Failures[0].Reason))
	}
	arns := make([]string, len(out.Tasks))
	for i := range out.Tasks {
		arns[i] = *out.Tasks[i].TaskArn
	}
	return arns, nil
}

// awaitSeen describes the tasks in groups of a hundred until it has seen each RUNNING.
func awaitSeen(ctx context.Context, api *ecs.Client, started <-chan []string) error {
	var left []string
	open := true
	for open || len(left) > 0 {
		for open && len(left) < 100 {
			arns, ok := <-started
			open = ok
			left = append(left, arns...)
		}
		if len(left) == 0 {
			return nil
		}
		n := min(100, len(left))
		out, err := api.DescribeTasks(ctx, &ecs.DescribeTasksInput{Cluster: aws.String(scaleCluster), Tasks: left[:n]})
		if err != nil {
			return err
		}
		if len(out.Failures) > 0 {
			return fmt.Errorf("%s: %s", aws.ToString(out.Failures[0].Arn), aws.ToString(out.Failures[0].Reason))
		}
		var late []string
		for _, t := range out.Tasks {
			switch aws.ToString(t.LastStatus) {
			case "RUNNING":
			case "STOPPED":
				return fmt.Errorf("%s stopped: %s", *t.TaskArn, aws.ToString(t.StoppedReason))
			default:
				late = append(late, *t.TaskArn)
			}
		}
		// Late tasks come last: to describe them at once would only take CPU time from
		// them.
		left = append(left[n:], late...)
		if len(late) > 0 {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(pollEvery):
			}
		}
	}
	return nil
}

// timedCalls has the calls of one operation during the load.
type timedCalls struct {
	name string
	took sample
}

// probe calls some operations in turn, with pauses, until stop. stop returns how long
// the calls took.
func (m *scaleRun) probe(ctx context.Context, c *client.Client) (g *errgroup.Group, stop func() []*timedCalls) {
	ctx, cancel := context.WithCancel(ctx)
	g = new(errgroup.Group)
	ids := make(chan []string, 1)
	first := true
	calls := map[string]func() error{
		"RunTask of 1": func() error {
			arns, err := m.runTask(ctx, 1)
			if err == nil && first {
				first = false
				ids <- arns
			}
			return err
		},
		"ListTasks": func() error {
			_, err := c.ECS.ListTasks(ctx, &ecs.ListTasksInput{Cluster: aws.String(scaleCluster), DesiredStatus: types.DesiredStatusRunning})
			return err
		},
	}
	var some []string
	calls["DescribeTasks of 1"] = func() error {
		if some == nil {
			select {
			case some = <-ids:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		_, err := c.ECS.DescribeTasks(ctx, &ecs.DescribeTasksInput{Cluster: aws.String(scaleCluster), Tasks: some})
		return err
	}
	var all []*timedCalls
	for _, name := range []string{"RunTask of 1", "DescribeTasks of 1", "ListTasks"} {
		t := &timedCalls{name: name}
		all = append(all, t)
		g.Go(func() error {
			for ctx.Err() == nil {
				began := time.Now()
				err := calls[name]()
				switch {
				case ctx.Err() != nil:
					return nil
				case err != nil:
					return fmt.Errorf("%s: %w", name, err)
				}
				t.took = append(t.took, time.Since(began))
				select {
				case <-ctx.Done():
				case <-time.After(50 * time.Millisecond):
				}
			}
			return nil
		})
	}
	return g, func() []*timedCalls {
		cancel()
		_ = g.Wait() // the caller reads the error
		for _, t := range all {
			if len(t.took) > 0 && t.name == "DescribeTasks of 1" {
				t.took = t.took[1:] // it waited for the first task
			}
		}
		return all
	}
}
