package engine

import (
	"context"
	"maps"
	"slices"

	"github.com/ashore/ashore/internal/agent/runtime"
	"github.com/ashore/ashore/internal/wire/acs"
)

// Resource is a kind of thing on the host that a task has as a whole: its volumes,
// its cgroup. The names of what it makes follow from the task alone, so that a
// second call finds what the first one made. An agent may be killed between any
// call and the journal's record of it; then the call is made again.
type Resource interface {
	// Name is what the journal calls it. It never changes.
	Name() string
	// Needed tells whether a task has it on this host.
	Needed(t *acs.Task) bool
	// Provide makes it, and returns what Apply needs to know of it.
	Provide(ctx context.Context, t *acs.Task) (value string, err error)
	// Restore makes sure of it in a new run of the agent, after Provide in an
	// earlier one, and returns the value again. The value that it gets is empty if
	// the journal has none. complete: all of the task's containers exist.
	Restore(ctx context.Context, t *acs.Task, value string, complete bool) (string, error)
	// Apply puts it into the specification of one of the task's containers. It is
	// called for tasks that do not need it, too; then the value is empty.
	Apply(t *acs.Task, c *acs.Container, value string, s *runtime.Spec) *Failure
	// Release removes it when the task's containers are gone, whether or not
	// Provide was called or succeeded. What is not there is no error. It is called
	// again until it succeeds.
	Release(ctx context.Context, t *acs.Task) error
}

// ResourceStatus says how far a task is with a resource.
type ResourceStatus string

// The statuses in order. Unprovided: it may be there, but the journal does not say so.
const (
	ResourceUnprovided ResourceStatus = ""
	ResourceProvided   ResourceStatus = "provided"
	ResourceReleased   ResourceStatus = "released"
)

// ResourceRecord is what a task has of a resource, as journaled.
type ResourceRecord struct {
	Status ResourceStatus `json:"status,omitempty"`
	Value  string         `json:"value,omitempty"`
}

// resourceRecord is what the task has of a resource. A journal of the version before this
// one says of all resources together whether they are there.
func (t *Task) resourceRecord(resource string) ResourceRecord {
	if h, known := t.Resources[resource]; known {
		return h
	}
	if t.Provisioned {
		return ResourceRecord{Status: ResourceProvided}
	}
	return ResourceRecord{}
}

// setResource sets it. Others may be reading the map of before.
func (t *Task) setResource(resource string, h ResourceRecord) {
	all := maps.Clone(t.Resources)
	if all == nil {
		all = map[string]ResourceRecord{}
	}
	all[resource] = h
	t.Resources = all
}

// resourceRecord is Task.resourceRecord, of a task that others change.
func (h *taskHandle) resourceRecord(resource string) ResourceRecord {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.task.resourceRecord(resource)
}

// missingResources are the resources that a task needs and has not, in their order.
func (e *Engine) missingResources(h *taskHandle) (list []Resource) {
	for _, r := range e.resources {
		if r.Needed(&h.task.Payload) && h.resourceRecord(r.Name()).Status == ResourceUnprovided {
			list = append(list, r)
		}
	}
	return list
}

// provisionResources provides a task's resources, each after those before it. The journal
// gets each one's outcome by itself.
func (e *Engine) provisionResources(h *taskHandle, missing []Resource) {
	t := &h.task.Payload
	for _, r := range missing {
		value, err := r.Provide(e.late, t)
		if err != nil {
			e.dispatchOutcome(h, Provisioned{Err: failf("", cannotInit, t.Arn, err)})
			return
		}
		e.dispatch(h, Provided{Resource: r.Name(), Value: value})
	}
	e.dispatch(h, Provisioned{})
}

// restoreResources makes sure of the resources that an earlier run of the agent provided to
// a task that is still alive.
func (e *Engine) restoreResources(h *taskHandle) {
	t := &h.task.Payload
	h.mu.Lock()
	complete := !slices.ContainsFunc(h.task.Containers, func(c *Container) bool { return c.Status < Created })
	h.mu.Unlock()
	for _, r := range e.resources {
		had := h.resourceRecord(r.Name())
		if had.Status != ResourceProvided || !r.Needed(t) {
			continue
		}
		value, err := r.Restore(e.late, t, had.Value, complete)
		switch {
		case err != nil:
			e.log.Warn("a resource of a running task cannot be restored", "task", t.Arn, "resource", r.Name(), "err", err)
		case value != had.Value:
			h.mu.Lock()
			h.task.setResource(r.Name(), ResourceRecord{ResourceProvided, value})
			h.mu.Unlock()
		}
	}
}

// releaseResources releases a task's resources, the last one first. Each that succeeds
// is journaled. It returns the name of the one that does not.
func (e *Engine) releaseResources(h *taskHandle) (failed string, err error) {
	t := &h.task.Payload
	for _, r := range slices.Backward(e.resources) {
		if !r.Needed(t) || h.resourceRecord(r.Name()).Status == ResourceReleased {
			continue
		}
		if err := r.Release(e.late, t); err != nil {
			return r.Name(), err
		}
		e.dispatch(h, Released{Resource: r.Name()})
	}
	return "", nil
}

// unknownResources are resources that the journal knows and this agent does not: those of a
// newer version, or of an agent with other settings. Nobody can release them.
func (e *Engine) unknownResources(h *taskHandle) (names []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for name, has := range h.task.Resources {
		ours := slices.ContainsFunc(e.resources, func(r Resource) bool { return r.Name() == name })
		if !ours && has.Status == ResourceProvided {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
