package engine

import "github.com/ashore/ashore/internal/agent/runtime"

// healthOf is the health of the container that an event tells the health of, as
// far as it is known.
func (t *Task) healthOf(ev Event) string {
	seen, ok := ev.(HealthSeen)
	if !ok {
		return ""
	}
	if c := t.container(seen.Container); c != nil {
		return known(c.Health)
	}
	return ""
}

// known is a health, empty while no check has said anything.
func known(health string) string {
	if health == runtime.Starting {
		return ""
	}
	return health
}

// checked says whether a health check has said something of some container.
func (t *Task) checked() bool {
	for _, c := range t.Containers {
		if known(c.Health) != "" {
			return true
		}
	}
	return false
}
