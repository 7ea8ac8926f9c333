// Package crash kills real processes while real containers run, and counts starts from
// outside.
package crash

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/moby/moby/client"

	"github.com/ashore/ashore/internal/ashoretest"
	"github.com/ashore/ashore/test/installation"
	"github.com/ashore/ashore/test/witness"
)

const (
	labelTask = "com.amazonaws.ecs.task-arn"
	family    = "witness"
	// limit bounds a whole test. The engine starts about ten containers a second on two
	// cores, and each restart takes a second or two.
	limit = 4 * time.Minute
)

// scene is an installation with a witness and a task definition for the witness.
type scene struct {
	*installation.Installation
	witness *witness.Witness
}

func newScene(t *testing.T) (context.Context, *scene) {
	t.Helper()
	return newSceneFor(t, limit)
}

func newSceneFor(t *testing.T, limit time.Duration) (context.Context, *scene) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	dir := t.TempDir()
	in, err := installation.New(ctx, ashoretest.Binary(t), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("server's log:\n%s\nagent's log:\n%s", in.Log("server"), in.Log("agent"))
		}
		if err := in.Close(context.WithoutCancel(ctx)); err != nil {
			t.Error(err)
		}
	})
	if err := in.Up(ctx); err != nil {
		t.Fatal(err)
	}
	w, err := witness.New(ctx, in.Docker, dir, installation.Label+"="+in.Admin.InstallationID, in.Admin.InstallationID[:12])
	if err != nil {
		t.Fatal(err)
	}
	s := &scene{in, w}
	t.Cleanup(func() {
		// The image can only be removed when no container runs it.
		ctx := context.WithoutCancel(ctx)
		if err := in.Command(ctx, "down", "--tasks"); err != nil {
			t.Error(err)
		}
		if err := w.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	_, err = in.API.ECS.RegisterTaskDefinition(ctx, &ecs.RegisterTaskDefinitionInput{
		Family: aws.String(family), NetworkMode: types.NetworkModeNone,
		RequiresCompatibilities: []types.Compatibility{types.CompatibilityExternal},
		Volumes:                 []types.Volume{{Name: aws.String("witness"), Host: &types.HostVolumeProperties{SourcePath: aws.String(w.Dir)}}},
		ContainerDefinitions: []types.ContainerDefinition{{
			Name: aws.String("witness"), Image: aws.String(w.Image), Essential: aws.Bool(true), Cpu: 1, Memory: aws.Int32(16),
			MountPoints: []types.MountPoint{{SourceVolume: aws.String("witness"), ContainerPath: aws.String("/witness")}},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return ctx, s
}

// run runs tasks with one clientToken until the call is acknowledged. The answers of
// the first tries are lost: the call is given up after that many milliseconds, when the
// server may already have stored the tasks.
func (s *scene) run(ctx context.Context, token string, count int32, giveUpAfter ...int) ([]string, error) {
	return s.runOf(ctx, family, token, count, giveUpAfter...)
}

func (s *scene) runOf(ctx context.Context, family, token string, count int32, giveUpAfter ...int) ([]string, error) {
	for _, after := range giveUpAfter {
		short, cancel := context.WithTimeout(ctx, time.Duration(after)*time.Millisecond)
		_, err := s.API.ECS.RunTask(short, &ecs.RunTaskInput{TaskDefinition: aws.String(family), Count: aws.Int32(count),
			ClientToken: aws.String(token), LaunchType: types.LaunchTypeExternal})
		cancel()
		if ctx.Err() != nil {
			return nil, errors.Join(ctx.Err(), err)
		}
	}
	for {
		out, err := s.API.ECS.RunTask(ctx, &ecs.RunTaskInput{TaskDefinition: aws.String(family), Count: aws.Int32(count),
			ClientToken: aws.String(token), LaunchType: types.LaunchTypeExternal})
		switch {
		case err == nil && len(out.Failures) == 0:
			var arns []string
			for _, t := range out.Tasks {
				arns = append(arns, *t.TaskArn)
			}
			if len(arns) != int(count) {
				return nil, fmt.Errorf("%d tasks for a call that asked for %d", len(arns), count)
			}
			return arns, nil
		case err == nil && len(out.Tasks) > 0:
			return nil, fmt.Errorf("placed in part: %v", *out.Failures[0].Reason)
		case err == nil && *out.Failures[0].Reason != "AGENT":
			return nil, fmt.Errorf("not placed: %v", *out.Failures[0].Reason)
		}
		// The server is down, or the agent is not back yet: try again.
		select {
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), err)
		case <-time.After(100*time.Millisecond + rand.N(100*time.Millisecond)):
		}
	}
}

// await returns the tasks when all have the status.
func (s *scene) await(ctx context.Context, arns []string, status string) ([]types.Task, error) {
	for {
		var all []types.Task
		missing := ""
		for some := range slices.Chunk(arns, 100) {
			out, err := s.API.ECS.DescribeTasks(ctx, &ecs.DescribeTasksInput{Tasks: some})
			if err != nil {
				return nil, err
			}
			if len(out.Failures) > 0 {
				return nil, fmt.Errorf("%s: %s", *out.Failures[0].Arn, *out.Failures[0].Reason)
			}
			all = append(all, out.Tasks...)
		}
		for _, task := range all {
			if *task.LastStatus != status {
				missing = *task.TaskArn + " is " + *task.LastStatus + " " + aws.ToString(task.StoppedReason)
				if *task.LastStatus == "STOPPED" {
					return nil, errors.New(missing)
				}
			}
		}
		if missing == "" {
			return all, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %s", ctx.Err(), missing)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// startTimes returns the start times of the running containers, by container id.
func (s *scene) startTimes(t *testing.T, ctx context.Context) map[string]string {
	t.Helper()
	all, err := s.Containers(ctx)
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]string{}
	for _, c := range all {
		r, err := s.Docker.ContainerInspect(ctx, c.ID, client.ContainerInspectOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if r.Container.State.Running {
			m[c.ID] = r.Container.State.StartedAt
		}
	}
	return m
}

// TestEitherKilled kills the server, then the agent, while ten tasks run.
func TestEitherKilled(t *testing.T) {
	ctx, s := newScene(t)
	arns, err := s.run(ctx, "ten", 10)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.await(ctx, arns, "RUNNING"); err != nil {
		t.Fatal(err)
	}
	before := s.startTimes(t, ctx)
	if len(before) != 10 {
		t.Fatalf("%d containers run for 10 tasks", len(before))
	}
	for _, victim := range []string{"server", "agent"} {
		if err := s.Kill(ctx, victim); err != nil {
			t.Fatal(err)
		}
		if after := s.startTimes(t, ctx); !maps.Equal(before, after) {
			t.Errorf("the %s's death touched containers: %v, then %v", victim, before, after)
		}
		if err := s.Up(ctx); err != nil {
			t.Fatal(err)
		}
		tasks, err := s.await(ctx, arns, "RUNNING")
		if err != nil {
			t.Fatal(err)
		}
		if len(tasks) != 10 {
			t.Errorf("%d of 10 tasks are there after the %s was killed", len(tasks), victim)
		}
		if after := s.startTimes(t, ctx); !maps.Equal(before, after) {
			t.Errorf("the %s's return touched containers: %v, then %v", victim, before, after)
		}
	}
	// The agent controls the containers that it found after its restart.
	if _, err := s.API.ECS.StopTask(ctx, &ecs.StopTaskInput{Task: &arns[0], Reason: aws.String("seen enough")}); err != nil {
		t.Fatal(err)
	}
	tasks, err := s.awaitOne(ctx, arns[0], "STOPPED")
	if err != nil {
		t.Fatal(err)
	}
	if got := aws.ToString(tasks.StoppedReason); got != "seen enough" {
		t.Errorf("stopped reason %q", got)
	}
	if n := len(s.startTimes(t, ctx)); n != 9 {
		t.Errorf("%d containers run after one of ten tasks was stopped", n)
	}
}

// awaitOne waits for one task's status.
func (s *scene) awaitOne(ctx context.Context, arn, status string) (types.Task, error) {
	for {
		out, err := s.API.ECS.DescribeTasks(ctx, &ecs.DescribeTasksInput{Tasks: []string{arn}})
		if err != nil {
			return types.Task{}, err
		}
		if len(out.Tasks) == 1 && *out.Tasks[0].LastStatus == status {
			return out.Tasks[0], nil
		}
		select {
		case <-ctx.Done():
			return types.Task{}, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// TestKilledInBurst kills server and agent, alone and together, during calls of
// RunTask. Every acknowledged task must be started exactly once.
func TestKilledInBurst(t *testing.T) {
	ctx, s := newScene(t)
	const callers, calls, count = 6, 4, 2 // 48 tasks
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))

	var mu sync.Mutex
	var acknowledged []string
	var wg sync.WaitGroup
	calling, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	for caller := range callers {
		wg.Go(func() {
			for call := range calls {
				arns, err := s.run(calling, fmt.Sprintf("burst-%d-%d", caller, call), count, 1+call, 2+2*call)
				if err != nil {
					stop(err)
					return
				}
				mu.Lock()
				acknowledged = append(acknowledged, arns...)
				mu.Unlock()
			}
		})
	}
	kills := 0
	for _, victims := range [][]string{{"server"}, {"agent"}, {"server", "agent"}, {"agent", "server"}} {
		// Somewhere in the middle of the work of the last start.
		time.Sleep(time.Duration(100+rng.IntN(600)) * time.Millisecond)
		for _, victim := range victims {
			if err := s.Kill(ctx, victim); err != nil {
				t.Fatal(err)
			}
			kills++
		}
		if err := s.Up(ctx); err != nil {
			t.Fatal(err)
		}
	}
	wg.Wait()
	if err := context.Cause(calling); err != nil {
		t.Fatal(err)
	}
	if n := callers * calls * count; len(acknowledged) != n {
		t.Fatalf("%d tasks acknowledged, %d asked for", len(acknowledged), n)
	}
	slices.Sort(acknowledged)
	if n := len(slices.Compact(slices.Clone(acknowledged))); n != len(acknowledged) {
		t.Fatalf("%d tasks acknowledged, only %d of them different", len(acknowledged), n)
	}
	if _, err := s.await(ctx, acknowledged, "RUNNING"); err != nil {
		t.Fatal(err)
	}
	s.checkStarts(t, ctx, acknowledged)
	t.Logf("%d tasks, %d kills", len(acknowledged), kills)
}

// checkStarts compares the tasks with what both witnesses saw.
func (s *scene) checkStarts(t *testing.T, ctx context.Context, tasks []string) {
	t.Helper()
	all, err := s.Containers(ctx)
	if err != nil {
		t.Fatal(err)
	}
	events, err := s.witness.Started()
	if err != nil {
		t.Fatal(err)
	}
	testified := s.awaitTestimony(t, ctx, events)
	starts := map[string]int{} // by task
	for _, c := range all {
		task := c.Labels[labelTask]
		if a, b := testified[c.ID[:12]], events[c.ID]; a != b {
			t.Errorf("container %s of %s says it was started %d times, the engine says %d", c.ID[:12], task, a, b)
		}
		starts[task] += events[c.ID]
		delete(testified, c.ID[:12])
	}
	for id := range testified {
		t.Errorf("container %s was started and is gone", id)
	}
	for _, task := range tasks {
		if starts[task] != 1 {
			t.Errorf("%s was started %d times", short(task), starts[task])
		}
		delete(starts, task)
	}
	for task, n := range starts {
		t.Errorf("%s, which nobody was promised, was started %d times", short(task), n)
	}
}

// awaitTestimony returns what the containers have written about their starts. It waits for
// each container, because the engine reports a start before the program in it has
// written.
func (s *scene) awaitTestimony(t *testing.T, ctx context.Context, events map[string]int) map[string]int {
	t.Helper()
	for {
		testified, err := s.witness.Testified()
		if err != nil {
			t.Fatal(err)
		}
		silent := false
		for id, n := range events {
			silent = silent || testified[id[:12]] < n
		}
		if !silent {
			return testified
		}
		select {
		case <-ctx.Done():
			return testified // the comparison names the missing ones
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func short(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }
