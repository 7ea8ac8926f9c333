package session

import (
	"sync"
	"time"
)

// Health is told with the rest of telemetry, as the protocol has it. What changes
// between is told at once besides: deployments wait for it.
const (
	// gather is how long changes are gathered after the first, and healthEvery the
	// least time between two messages: a check that flaps is not worth more.
	gather      = 50 * time.Millisecond
	healthEvery = time.Second
)

// healthNews are the tasks whose health has changed since it was told.
type healthNews struct {
	mu    sync.Mutex
	tasks map[string]struct{}
	tell  func()      // of the connection there is; nil without
	timer *time.Timer // runs while it is to be told
	next  time.Time   // not before
}

// Health tells that a container of a task is healthy or unhealthy now, and was not
// before. It never blocks.
func (s *Session) Health(taskArn string) { s.health.add(taskArn) }

func (n *healthNews) add(task string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.tell == nil {
		return // a connection begins by telling everything
	}
	if n.tasks == nil {
		n.tasks = map[string]struct{}{}
	}
	n.tasks[task] = struct{}{}
	if n.timer == nil {
		n.timer = time.AfterFunc(max(gather, time.Until(n.next)), n.tell)
	}
}

// take returns what is to be told, and counts it as told.
func (n *healthNews) take() map[string]struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	tasks := n.tasks
	n.tasks, n.next = nil, time.Now().Add(healthEvery)
	n.rest()
	return tasks
}

// connect says how news are told from now on; nil: not at all.
func (n *healthNews) connect(tell func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.tell, n.tasks = tell, nil
	n.rest()
}

func (n *healthNews) rest() {
	if n.timer != nil {
		n.timer.Stop()
		n.timer = nil
	}
}
