package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"golang.org/x/sync/errgroup"
)

const family = "bench"

func (b *bench) define(ctx context.Context) error {
	_, err := b.in.API.ECS.RegisterTaskDefinition(ctx, &ecs.RegisterTaskDefinitionInput{
		Family: aws.String(family), NetworkMode: types.NetworkModeBridge,
		ContainerDefinitions: []types.ContainerDefinition{{
			Name: aws.String("sleep"), Image: aws.String(b.engine.image), Command: []string{"sleep", "3600"},
			Essential: aws.Bool(true), Cpu: taskCPU, Memory: aws.Int32(taskMemory),
		}},
	})
	return err
}

// start runs n tasks, ten in each call, with all calls at once, and returns their ARNs.
func (b *bench) start(ctx context.Context, n int) ([]string, error) {
	g, ctx := errgroup.WithContext(ctx)
	arns := make([][]string, (n+9)/10)
	for i := range arns {
		g.Go(func() error {
			out, err := b.in.API.ECS.RunTask(ctx, &ecs.RunTaskInput{TaskDefinition: aws.String(family),
				Count: aws.Int32(int32(min(10, n-10*i)))})
			if err != nil {
				return err
			}
			if len(out.Failures) > 0 {
				return fmt.Errorf("not placed: %s %s", *out.Failures[0].Reason, aws.ToString(out.Failures[0].Detail))
			}
			for _, t := range out.Tasks {
				arns[i] = append(arns[i], *t.TaskArn)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return slices.Concat(arns...), nil
}

// awaitRunning waits until every task is RUNNING and returns when the last one became so.
// That is its startedAt, which the server writes when it stores the host's report, with
// this machine's clock. Polling often enough to see it would take CPU time from the
// engine that starts the containers.
func (b *bench) awaitRunning(ctx context.Context, arns []string, every time.Duration) (last time.Time, err error) {
	err = b.await(ctx, arns, "RUNNING", every, func(t types.Task) {
		if t.StartedAt != nil && t.StartedAt.After(last) {
			last = *t.StartedAt
		}
	})
	return last, err
}

// These are the intervals between two polls: for a single task, and for a burst. To
// poll all tasks of a burst every 20 ms takes a seventh of two cores.
const pollEvery, pollBurst = 20 * time.Millisecond, 500 * time.Millisecond

// await returns when every task has had the status. It calls seen for each of them.
func (b *bench) await(ctx context.Context, arns []string, status string, every time.Duration, seen func(types.Task)) error {
	left := arns
	for {
		out, err := b.in.API.ECS.DescribeTasks(ctx, &ecs.DescribeTasksInput{Tasks: left})
		if err != nil {
			return err
		}
		if len(out.Failures) > 0 {
			return fmt.Errorf("%s: %s", *out.Failures[0].Arn, *out.Failures[0].Reason)
		}
		left = left[:0:0]
		for _, t := range out.Tasks {
			switch *t.LastStatus {
			case status:
				seen(t)
			case "STOPPED":
				return fmt.Errorf("%s stopped: %s", *t.TaskArn, aws.ToString(t.StoppedReason))
			default:
				left = append(left, *t.TaskArn)
			}
		}
		if len(left) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(every):
		}
	}
}

func (b *bench) stop(ctx context.Context, arns []string, every time.Duration) error {
	for _, arn := range arns {
		if _, err := b.in.API.ECS.StopTask(ctx, &ecs.StopTaskInput{Task: aws.String(arn)}); err != nil {
			return err
		}
	}
	return b.await(ctx, arns, "STOPPED", every, func(types.Task) {})
}

// singleTasks measures the time from RunTask's call to RUNNING, beside the engine's
// creation and start.
func (b *bench) singleTasks(ctx context.Context) error {
	var floor, ours, seen sample
	single := func(ctx context.Context) (time.Duration, error) {
		took, shown, err := b.single(ctx)
		seen = append(seen, shown)
		return took, err
	}
	for i := range b.singles + 2 {
		// In turns, and each as often after itself as after the other, so that the
		// engine's pending clean-up affects both.
		kinds := []struct {
			to   *sample
			time func(context.Context) (time.Duration, error)
		}{{&floor, b.engine.single}, {&ours, single}}
		if i%2 == 1 {
			slices.Reverse(kinds)
		}
		for _, k := range kinds {
			took, err := k.time(ctx)
			if err != nil {
				return err
			}
			if i >= 2 { // the first ones warm both up
				*k.to = append(*k.to, took)
			}
		}
	}
	seen = seen[2:]
	over := ours.median() - floor.median()
	b.report.add(result{What: "RunTask to RUNNING, one task, p50", Unit: "ms", Value: ms(ours.median()), Floor: ms(floor.median()),
		Peer: "engine", Budget: "engine + 15 ms", Met: met(over <= 15*time.Millisecond)})
	b.report.add(result{What: "RunTask to RUNNING, one task, p95", Unit: "ms", Value: ms(ours.at(95)), Floor: ms(floor.at(95)), Peer: "engine"})
	b.report.add(result{What: fmt.Sprintf("RunTask to RUNNING as DescribeTasks every %s shows it, p50", pollEvery), Unit: "ms",
		Value: ms(seen.median()), Floor: ms(floor.median()), Peer: "engine"})
	return nil
}

// single measures one task, by its startedAt and until a caller sees it RUNNING, and
// stops it.
func (b *bench) single(ctx context.Context) (took, shown time.Duration, err error) {
	began := time.Now()
	arns, err := b.start(ctx, 1)
	if err != nil {
		return 0, 0, err
	}
	last, err := b.awaitRunning(ctx, arns, pollEvery)
	if err != nil {
		return 0, 0, err
	}
	shown = time.Since(began)
	return last.Sub(began), shown, b.stop(ctx, arns, pollEvery)
}

// bursts measures a burst of tasks to the last one's RUNNING. Beside it, it measures
// the engine with the best parallelism.
func (b *bench) bursts(ctx context.Context) error {
	best, parallel := time.Duration(0), 0
	for _, p := range []int{1, 2, 4, 8, 16} {
		took, err := b.engine.burst(ctx, b.burst, p)
		if err != nil {
			return err
		}
		if best == 0 || took < best {
			best, parallel = took, p
		}
	}
	var floor, ours sample
	idle, err := b.memory("agent")
	if err != nil {
		return err
	}
	var full memory
	for range b.rounds {
		f, err := b.engine.burst(ctx, b.burst, parallel)
		if err != nil {
			return err
		}
		floor = append(floor, f)
		began := time.Now()
		arns, err := b.start(ctx, b.burst)
		if err != nil {
			return err
		}
		last, err := b.awaitRunning(ctx, arns, pollBurst)
		if err != nil {
			return err
		}
		ours = append(ours, last.Sub(began))
		if full, err = b.memory("agent"); err != nil {
			return err
		}
		if err := b.stop(ctx, arns, pollBurst); err != nil {
			return err
		}
	}
	rate := func(d time.Duration) float64 { return float64(b.burst) / d.Seconds() }
	b.report.add(result{What: fmt.Sprintf("burst of %d tasks to RUNNING, median of %d", b.burst, b.rounds), Unit: "tasks/s",
		Value: rate(ours.median()), Floor: rate(floor.median()), Peer: fmt.Sprintf("engine, %d at once", parallel),
		Budget: "90 % of the engine's", Met: met(rate(ours.median()) >= 0.9*rate(floor.median()))})
	each := (full.anonymous - idle.anonymous) / float64(b.burst)
	b.report.add(result{What: "agent, anonymous memory a container", Unit: "MB", Value: each, Budget: "under 0.2 MB", Met: met(each < 0.2)})
	return nil
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
