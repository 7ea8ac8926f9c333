package engine

import (
	"context"

	"github.com/ashore/ashore/internal/agent/cgroup"
	"github.com/ashore/ashore/internal/agent/runtime"
	"github.com/ashore/ashore/internal/wire/acs"
)

// Cgroups creates and removes the cgroups with tasks' own limits. cgroup.Root and
// cgroup.Slices implement it.
type Cgroups interface {
	Create(task string, l cgroup.Limits) (parent string, err error)
	Remove(task string) error
}

// taskLimits is the Resource for a task's own limits. A cgroup enforces them; it is the
// parent of the cgroups of the task's containers. The value is the runtime's name for that
// parent.
type taskLimits struct{ cgroups Cgroups }

func (taskLimits) Name() string { return "cgroup" }

func (taskLimits) Needed(t *acs.Task) bool { return t.CPU > 0 || t.Memory > 0 }

// Provide creates the cgroup, or sets the limits of an existing one.
func (r taskLimits) Provide(_ context.Context, t *acs.Task) (string, error) {
	var shares int64
	for _, c := range t.Containers {
		shares += c.CPU
	}
	return r.cgroups.Create(taskID(t.Arn), cgroup.Limits{CPU: t.CPU, Shares: shares, Memory: t.Memory << 20})
}

// Restore sets the limits again: cgroups do not survive a reboot.
func (r taskLimits) Restore(ctx context.Context, t *acs.Task, _ string, _ bool) (string, error) {
	return r.Provide(ctx, t)
}

func (taskLimits) Apply(_ *acs.Task, _ *acs.Container, parent string, s *runtime.Spec) *Failure {
	s.CgroupParent = parent
	return nil
}

func (r taskLimits) Release(_ context.Context, t *acs.Task) error {
	return r.cgroups.Remove(taskID(t.Arn))
}
