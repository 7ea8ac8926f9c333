package engine

import (
	"context"
	"maps"
	"slices"

	"github.com/ashore/ashore/internal/agent/runtime"
	"github.com/ashore/ashore/internal/wire/acs"
)

// Resource is a kind of resource that a task as a whole has on the host, such as its
// volumes or its cgroup. The names that it creates derive from the task alone, so a second
// call finds what the first one created. An agent may be killed between a call and its
// journal record. Then the call is repeated.
type Resource interface {
	// Name returns the resource's name in the journal. It never changes.
	Name() string
	// Needed reports whether a task needs the resource on this host.
	Needed(t *acs.Task) bool
	// Provide creates the resource. It returns the value that Apply needs.
	Provide(ctx context.Context, t *acs.Task) (value string, err error)
	// Restore makes sure that the resource exists in a new run of the agent, after an
	// earlier run provided it. It returns the value again. The given value is "" if the
	// journal has none. complete means that all of the task's containers exist.
	Restore(ctx context.Context, t *acs.Task, value string, complete bool) (string, error)
	// Apply adds the resource to the specification of one of the task's containers. It
	// is also called for tasks that do not need the resource. Then the value is "".
	Apply(t *acs.Task, c *acs.Container, value string, s *runtime.Spec) *Failure
	// Release removes the resource after the task's containers were removed. It is
	// called even if Provide was never called or failed. It returns no error if the
	// resource does not exist. It is called again until it succeeds.
	Release(ctx context.Context, t *acs.Task) error
}

// ResourceStatus is the state of a task's resource.
type ResourceStatus string

// The statuses, in order. ResourceUnprovided: the resource may exist, but the journal has
// no record of it.
const (
	ResourceUnprovided ResourceStatus = ""
	ResourceProvided   ResourceStatus = "provided"
	ResourceReleased   ResourceStatus = "released"
)

// ResourceRecord is the journal's record of a task's resource.
type ResourceRecord struct {
	Status ResourceStatus `json:"status,omitempty"`
	Value  string         `json:"value,omitempty"`
}

// resourceRecord returns the task's record of a resource. Journals one version older only
// have one field for all resources together, Provisioned.
func (t *Task) resourceRecord(resource string) ResourceRecord {
	if h, known := t.Resources[resource]; known {
		return h
	}
	if t.Provisioned {
		return ResourceRecord{Status: ResourceProvided}
	}
	return ResourceRecord{}
}

// setResource sets the record of a resource. Others may be reading the old map, so it
// makes a new one.
func (t *Task) setResource(resource string, h ResourceRecord) {
	all := maps.Clone(t.Resources)
	if all == nil {
		all = map[string]ResourceRecord{}
	}
	all[resource] = h
	t.Resources = all
}

// resourceRecord returns the task's record of a resource, under the task's lock.
func (h *taskHandle) resourceRecord(resource string) ResourceRecord {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.task.resourceRecord(resource)
}

// missingResources returns the resources that a task needs and does not have, in order.
func (e *Engine) missingResources(h *taskHandle) (list []Resource) {
	for _, r := range e.resources {
		if r.Needed(&h.task.Payload) && h.resourceRecord(r.Name()).Status == ResourceUnprovided {
			list = append(list, r)
		}
	}
	return list
}

// provisionResources provides a task's resources in order. The journal records the outcome
// of each separately.
func (e *Engine) provisionResources(h *taskHandle, missing []Resource) {
	t := &h.task.Payload
	for _, r := range missing {
		value, err := r.Provide(e.lateCtx, t)
		if err != nil {
			e.dispatchOutcome(h, Provisioned{Err: failf("", cannotInit, t.Arn, err)})
			return
		}
		e.dispatch(h, Provided{Resource: r.Name(), Value: value})
	}
	e.dispatch(h, Provisioned{})
}

// restoreResources restores the resources that an earlier run of the agent provided to a
// task that has not ended.
func (e *Engine) restoreResources(h *taskHandle) {
	t := &h.task.Payload
	h.mu.Lock()
	complete := !slices.ContainsFunc(h.task.Containers, func(c *Container) bool { return c.Status < Created })
	h.mu.Unlock()
	for _, r := range e.resources {
		record := h.resourceRecord(r.Name())
		if record.Status != ResourceProvided || !r.Needed(t) {
			continue
		}
		value, err := r.Restore(e.lateCtx, t, record.Value, complete)
		switch {
		case err != nil:
			e.log.Warn("a resource of a running task cannot be restored", "task", t.Arn, "resource", r.Name(), "err", err)
		case value != record.Value:
			h.mu.Lock()
			h.task.setResource(r.Name(), ResourceRecord{ResourceProvided, value})
			h.mu.Unlock()
		}
	}
}

// releaseResources releases a task's resources in reverse order, and journals each
// success. On an error it returns the name of the resource that failed.
func (e *Engine) releaseResources(h *taskHandle) (failed string, err error) {
	t := &h.task.Payload
	for _, r := range slices.Backward(e.resources) {
		if !r.Needed(t) || h.resourceRecord(r.Name()).Status == ResourceReleased {
			continue
		}
		if err := r.Release(e.lateCtx, t); err != nil {
			return r.Name(), err
		}
		e.dispatch(h, Released{Resource: r.Name()})
	}
	return "", nil
}

// unknownResources returns the names of resources in the journal that this agent does not
// know. A newer version, or an agent with other settings, provided them. This agent can't
// release them.
func (e *Engine) unknownResources(h *taskHandle) (names []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for name, record := range h.task.Resources {
		known := slices.ContainsFunc(e.resources, func(r Resource) bool { return r.Name() == name })
		if !known && record.Status == ResourceProvided {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
