package engine

import "github.com/ashore/ashore/internal/agent/runtime"

// healthOfEvent is the health of the container that an event tells the health of, as
// far as it is known.
func (t *Task) healthOfEvent(ev Event) string {
	seen, ok := ev.(HealthSeen)
	if !ok {
		return ""
	}
	if c := t.findContainer(seen.Container); c != nil {
		return knownHealth(c.Health)
	}
	return ""
}

// knownHealth is a health, empty while no check has said anything.
func knownHealth(health string) string {
	if health == runtime.Starting {
		return ""
	}
	return health
}

// hasKnownHealth says whether a health check has said something of some container.
func (t *Task) hasKnownHealth() bool {
	for _, c := range t.Containers {
		if knownHealth(c.Health) != "" {
			return true
		}
	}
	return false
}
