package session

import (
	"sync"
	"time"
)

// Health is part of the regular telemetry, as in the stock protocol. Changes in between
// are sent at once as well, since deployments wait for them.
const (
	// gatherTime is how long changes are collected after the first. healthInterval is
	// the shortest time between two messages, which limits a flapping check.
	gatherTime     = 50 * time.Millisecond
	healthInterval = time.Second
)

// healthChanges are the changes of health that are not sent yet.
type healthChanges struct {
	mu        sync.Mutex
	changes   changeSet
	send      func()      // sends by the current connection; nil if there is none
	timer     *time.Timer // runs while there is something to send
	notBefore time.Time   // not before
}

// changeSet is a set of changes.
type changeSet struct {
	tasks map[string]struct{} // tasks with a container whose health has changed
	host  bool                // the host's own health may have changed
}

// NotifyHealth says that the health of a task's container has changed to or from healthy.
// It never blocks.
func (s *Session) NotifyHealth(taskArn string) { s.health.addTask(taskArn) }

// NotifyHostHealth says that the host's own health has changed. It never blocks.
func (s *Session) NotifyHostHealth() {
	s.statusDue.Store(true) // if there is no connection, the next one sends the status
	s.health.record(func(n *changeSet) { n.host = true })
}

// addTask records that the health of one of a task's containers has changed.
func (n *healthChanges) addTask(task string) {
	n.record(func(n *changeSet) {
		if n.tasks == nil {
			n.tasks = map[string]struct{}{}
		}
		n.tasks[task] = struct{}{}
	})
}

// record records a change and starts the timer.
func (n *healthChanges) record(what func(*changeSet)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.send == nil {
		return // a new connection begins by sending everything
	}
	what(&n.changes)
	if n.timer == nil {
		n.timer = time.AfterFunc(max(gatherTime, time.Until(n.notBefore)), n.send)
	}
}

// takeChanges returns the changes to send and resets them.
func (n *healthChanges) takeChanges() changeSet {
	n.mu.Lock()
	defer n.mu.Unlock()
	taken := n.changes
	n.changes, n.notBefore = changeSet{}, time.Now().Add(healthInterval)
	n.stopTimer()
	return taken
}

// setSend sets how changes are sent from now on. nil means not at all.
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
