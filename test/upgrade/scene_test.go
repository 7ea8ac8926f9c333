//go:build linux

package upgrade

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/moby/moby/client"

	"github.com/ashore/ashore/test/installation"
	"github.com/ashore/ashore/test/witness"
)

// patience is how long a test waits for what must come. It is long: the machine may
// be slow.
const patience = 2 * time.Minute

// scene is an installation and a witness of its containers.
type scene struct {
	*testing.T
	*installation.Installation
	ctx         context.Context
	other, this string // binaries
	witness     *witness.Witness
}

// newScene starts an installation of the other version.
func newScene(t *testing.T) *scene {
	t.Helper()
	// Of ended tasks the agents soon remove what is left.
	t.Setenv("ECS_ENGINE_TASK_CLEANUP_WAIT_DURATION", "2s")
	ctx, cancel := context.WithTimeout(t.Context(), time.Duration(*movesFlag+3)*patience)
	t.Cleanup(cancel)
	other, this := binaries(t)
	dir := t.TempDir()
	in, err := installation.New(ctx, other, dir)
	if err != nil {
		t.Fatal(err)
	}
	s := &scene{T: t, Installation: in, ctx: ctx, other: other, this: this}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("server's log:\n%s\nagent's log:\n%s", in.Log("server"), in.Log("agent"))
		}
		if err := in.Close(context.WithoutCancel(ctx)); err != nil {
			t.Error(err)
		}
	})
	s.up(other)
	id := in.Admin.InstallationID
	if s.witness, err = witness.New(ctx, in.Docker, dir, installation.Label+"="+id, id[:12]); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// The image can only go when nothing runs it.
		ctx := context.WithoutCancel(ctx)
		if err := in.Command(ctx, "down", "--tasks"); err != nil {
			t.Error(err)
		}
		if err := s.witness.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return s
}

func (s *scene) api() *ecs.Client { return s.API.ECS }

// up starts those of server and agent that do not run, by one binary.
func (s *scene) up(binary string) {
	s.Helper()
	s.Binary = binary
	if err := s.Up(s.ctx); err != nil {
		s.Fatal(err)
	}
}

// runsBy checks which binary a process is.
func (s *scene) runsBy(process, binary string) {
	s.Helper()
	pid, err := s.PID(process)
	if err != nil {
		s.Fatal(err)
	}
	is, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	if err != nil {
		s.Fatal(err)
	}
	if is != binary {
		s.Fatalf("the %s is %s, not %s", process, is, binary)
	}
}

// replace ends a process, by SIGKILL or as it is asked to, and starts it by a binary.
func (s *scene) replace(process, binary string, kill bool) {
	s.Helper()
	s.Logf("%s → %s, kill -9: %v", process, s.name(binary), kill)
	end := s.Stop
	if kill {
		end = s.Kill
	}
	if err := end(s.ctx, process); err != nil {
		s.Fatal(err)
	}
	s.up(binary)
	s.runsBy(process, binary)
	s.connected()
}

// connected waits until the server has a connection with the agent.
func (s *scene) connected() {
	s.Helper()
	s.until("the agent is connected", func() string {
		list := must[ecs.ListContainerInstancesOutput](s)(s.api().ListContainerInstances(s.ctx, &ecs.ListContainerInstancesInput{}))
		out := must[ecs.DescribeContainerInstancesOutput](s)(s.api().DescribeContainerInstances(s.ctx, &ecs.DescribeContainerInstancesInput{ContainerInstances: list.ContainerInstanceArns}))
		if len(out.ContainerInstances) != 1 || !out.ContainerInstances[0].AgentConnected {
			return fmt.Sprintf("%d container instances, not connected", len(out.ContainerInstances))
		}
		return ""
	})
}

func (s *scene) name(binary string) string {
	if binary == s.this {
		return "this version"
	}
	return "the other version"
}

// until waits for a condition; what is missing says why it does not hold.
func (s *scene) until(what string, missing func() string) {
	s.Helper()
	deadline := time.Now().Add(patience)
	for {
		why := missing()
		if why == "" {
			return
		}
		if time.Now().After(deadline) {
			s.Fatalf("not within %s: %s: %s", patience, what, why)
		}
		select {
		case <-s.ctx.Done():
			s.Fatalf("%s: %s: %v", what, why, s.ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// startedAt returns when each running container of some tasks was started, by its id.
func (s *scene) startedAt(tasks []string) map[string]string {
	s.Helper()
	all, err := s.Containers(s.ctx)
	if err != nil {
		s.Fatal(err)
	}
	of := map[string]bool{}
	for _, arn := range tasks {
		of[arn] = true
	}
	started := map[string]string{}
	for _, c := range all {
		if !of[c.Labels[labelTask]] {
			continue
		}
		r, err := s.Docker.ContainerInspect(s.ctx, c.ID, client.ContainerInspectOptions{})
		if err != nil {
			s.Fatal(err)
		}
		if r.Container.State.Running {
			started[c.ID] = r.Container.State.StartedAt
		}
	}
	return started
}

const labelTask = "com.amazonaws.ecs.task-arn"
