package session

import (
	"sync"
	"time"
)

// Health is told with the rest of telemetry, as the protocol has it. What changes
// between is told at once besides: deployments wait for it.
const (
	// gatherTime is how long changes are gathered after the first, and healthEvery the
	// least time between two messages: a check that flaps is not worth more.
	gatherTime     = 50 * time.Millisecond
	healthInterval = time.Second
)

// healthChanges are what of health has changed since it was told.
type healthChanges struct {
	mu        sync.Mutex
	changes   changeSet
	send      func()      // of the connection there is; nil without
	timer     *time.Timer // runs while it is to be told
	notBefore time.Time   // not before
}

type changeSet struct {
	tasks map[string]struct{} // whose containers' health is another
	host  bool                // its own may be
}

// NotifyHealth tells that a container of a task is healthy or unhealthy now, and was not
// before. It never blocks.
func (s *Session) NotifyHealth(taskArn string) { s.health.addTask(taskArn) }

// NotifyHostHealth tells that the host itself is well now, and was not before, or the
// other way round. It never blocks.
func (s *Session) NotifyHostHealth() {
	s.statusDue.Store(true) // a connection that is yet to come tells it too
	s.health.record(func(n *changeSet) { n.host = true })
}

func (n *healthChanges) addTask(task string) {
	n.record(func(n *changeSet) {
		if n.tasks == nil {
			n.tasks = map[string]struct{}{}
		}
		n.tasks[task] = struct{}{}
	})
}

func (n *healthChanges) record(what func(*changeSet)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.send == nil {
		return // a connection begins by telling everything
	}
	what(&n.changes)
	if n.timer == nil {
		n.timer = time.AfterFunc(max(gatherTime, time.Until(n.notBefore)), n.send)
	}
}

// takeChanges returns what is to be told, and counts it as told.
func (n *healthChanges) takeChanges() changeSet {
	n.mu.Lock()
	defer n.mu.Unlock()
	taken := n.changes
	n.changes, n.notBefore = changeSet{}, time.Now().Add(healthInterval)
	n.stopTimer()
	return taken
}

// setSend says how news are told from now on; nil: not at all.
func (n *healthChanges) setSend(send func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.send, n.changes = send, changeSet{}
	n.stopTimer()
}

func (n *healthChanges) stopTimer() {
	if n.timer != nil {
		n.timer.Stop()
		n.timer = nil
	}
}
