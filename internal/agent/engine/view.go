package engine

import (
	"context"
	"time"

	"github.com/ashore/ashore/internal/agent/runtime"
	"github.com/ashore/ashore/internal/wire/acs"
)

// TaskView is the part of a task's state that other packages may read.
type TaskView struct {
	Arn         string          `json:"arn"`
	Family      string          `json:"family"`
	Version     string          `json:"version"`
	NetworkMode string          `json:"networkMode"`
	Desired     string          `json:"desiredStatus"`
	Status      string          `json:"status"`
	Unreported  int             `json:"unreported"`
	Containers  []ContainerView `json:"containers"`
}

// ContainerView is the part of a container's state that other packages may read.
type ContainerView struct {
	Name       string         `json:"name"`
	RuntimeID  string         `json:"runtimeId,omitempty"`
	Status     string         `json:"status"`
	ExitCode   *int           `json:"exitCode,omitempty"`
	Ports      []runtime.Port `json:"ports,omitempty"`
	Health     string         `json:"health,omitempty"`
	HealthAt   time.Time      `json:"healthAt,omitzero"`
	Restarts   int            `json:"restarts,omitempty"`
	StartedAt  time.Time      `json:"startedAt,omitzero"`
	HasCheck   bool           `json:"-"`
	HasRestart bool           `json:"-"`
}

// Tasks returns all tasks that the engine has, including the ended ones that are not
// cleaned up.
func (e *Engine) Tasks() []TaskView {
	var out []TaskView
	for _, h := range e.allTasks() {
		out = append(out, h.view())
	}
	return out
}

// Task returns one task. It returns false if the engine does not have it.
func (e *Engine) Task(arn string) (TaskView, bool) {
	h := e.findTask(arn)
	if h == nil {
		return TaskView{}, false
	}
	return h.view(), true
}

func (h *taskHandle) view() TaskView {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.task
	v := TaskView{
		Arn: t.Payload.Arn, Family: t.Payload.Family, Version: t.Payload.Version, NetworkMode: t.Payload.NetworkMode,
		Desired: t.Desired, Status: t.Status().Wire(), Unreported: len(t.Reports),
	}
	if !t.StoppedAt.IsZero() {
		v.Status = acs.StatusStopped
	}
	for _, c := range t.Containers {
		d := t.findDefinition(c.Name)
		v.Containers = append(v.Containers, ContainerView{
			Name: c.Name, RuntimeID: c.RuntimeID, Status: c.Status.Wire(), ExitCode: c.ExitCode, Ports: c.Ports,
			Health: c.Health, HealthAt: c.HealthAt, Restarts: c.Restarts, StartedAt: c.StartedAt,
			HasCheck: d.HealthCheckType == acs.HealthCheckDocker, HasRestart: d.RestartPolicy != nil && d.RestartPolicy.Enabled,
		})
	}
	return v
}

// Inventory returns all tasks and the newest tombstones. The server compares them with its
// state.
func (e *Engine) Inventory() ([]acs.InventoryTask, []acs.Tombstone) {
	tasks := []acs.InventoryTask{}
	for _, v := range e.Tasks() {
		it := acs.InventoryTask{TaskArn: v.Arn, DesiredStatus: v.Desired, Status: v.Status, Unreported: v.Unreported, Containers: []acs.InventoryContainer{}}
		for _, c := range v.Containers {
			it.Containers = append(it.Containers, acs.InventoryContainer{ContainerName: c.Name, RuntimeID: c.RuntimeID, Status: c.Status, ExitCode: c.ExitCode})
		}
		tasks = append(tasks, it)
	}
	e.mu.Lock()
	stones := e.tombstones.newest(inventoryTombstones)
	e.mu.Unlock()
	return tasks, stones
}

// inventoryTombstones bounds the message. The server asks about tasks that it believes
// alive, so only the newest tombstones matter.
const inventoryTombstones = 5000

// ListWanted returns the ARNs of the tasks that the server wants to run.
func (e *Engine) ListWanted() []string {
	var out []string
	for arn, h := range e.allTasks() {
		h.mu.Lock()
		if h.task.Desired == acs.StatusRunning {
			out = append(out, arn)
		}
		h.mu.Unlock()
	}
	return out
}

// HasTask reports whether the engine has a task.
func (e *Engine) HasTask(arn string) bool { return e.findTask(arn) != nil }

// CountLive returns the number of tasks that have not ended.
func (e *Engine) CountLive() int {
	n := 0
	for _, h := range e.allTasks() {
		h.mu.Lock()
		if h.task.StoppedAt.IsZero() {
			n++
		}
		h.mu.Unlock()
	}
	return n
}

// Stats returns a sample of a container's resource usage.
func (e *Engine) Stats(ctx context.Context, id string) (runtime.Stats, error) {
	return e.cfg.Runtime.Stats(ctx, id)
}

// CheckHealth returns an error if the runtime does not answer or its calls do not finish.
func (e *Engine) CheckHealth(ctx context.Context) error {
	if _, err := e.cfg.Runtime.Info(ctx); err != nil {
		return err
	}
	return e.bounded.CheckLate()
}
