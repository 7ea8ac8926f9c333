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

// healthNews are what of health has changed since it was told.
type healthNews struct {
	mu    sync.Mutex
	news  news
	tell  func()      // of the connection there is; nil without
	timer *time.Timer // runs while it is to be told
	next  time.Time   // not before
}

type news struct {
	tasks map[string]struct{} // whose containers' health is another
	host  bool                // its own may be
}

// Health tells that a container of a task is healthy or unhealthy now, and was not
// before. It never blocks.
func (s *Session) Health(taskArn string) { s.health.add(taskArn) }

// HostHealth tells that the host itself is well now, and was not before, or the
// other way round. It never blocks.
func (s *Session) HostHealth() {
	s.beat.Store(true) // a connection that is yet to come tells it too
	s.health.note(func(n *news) { n.host = true })
}

func (n *healthNews) add(task string) {
	n.note(func(n *news) {
		if n.tasks == nil {
			n.tasks = map[string]struct{}{}
		}
		n.tasks[task] = struct{}{}
	})
}

func (n *healthNews) note(what func(*news)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.tell == nil {
		return // a connection begins by telling everything
	}
	what(&n.news)
	if n.timer == nil {
		n.timer = time.AfterFunc(max(gather, time.Until(n.next)), n.tell)
	}
}

// take returns what is to be told, and counts it as told.
func (n *healthNews) take() news {
	n.mu.Lock()
	defer n.mu.Unlock()
	taken := n.news
	n.news, n.next = news{}, time.Now().Add(healthEvery)
	n.rest()
	return taken
}

// connect says how news are told from now on; nil: not at all.
func (n *healthNews) connect(tell func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.tell, n.news = tell, news{}
	n.rest()
}

func (n *healthNews) rest() {
	if n.timer != nil {
		n.timer.Stop()
		n.timer = nil
	}
}
