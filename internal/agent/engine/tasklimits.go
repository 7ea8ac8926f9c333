package engine

import (
	"context"

	"github.com/ashore/ashore/internal/agent/cgroup"
	"github.com/ashore/ashore/internal/agent/runtime"
	"github.com/ashore/ashore/internal/wire/acs"
)

// Cgroups holds tasks' own limits, as cgroup.Root and cgroup.Slices do.
type Cgroups interface {
	Create(task string, l cgroup.Limits) (parent string, err error)
	Remove(task string) error
}

// taskLimits are a task's limits as a whole, kept by a cgroup that is the parent of
// its containers'. Its value is how the engine names that parent.
type taskLimits struct{ cgroups Cgroups }

func (taskLimits) Name() string { return "cgroup" }

func (taskLimits) Needed(t *acs.Task) bool { return t.CPU > 0 || t.Memory > 0 }

// Provide makes the cgroup, or sets the limits of the one that is there.
func (r taskLimits) Provide(_ context.Context, t *acs.Task) (string, error) {
	var shares int64
	for _, c := range t.Containers {
		shares += c.CPU
	}
	return r.cgroups.Create(taskID(t.Arn), cgroup.Limits{CPU: t.CPU, Shares: shares, Memory: t.Memory << 20})
}

// Restore sets the limits anew: cgroups do not survive the machine.
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
