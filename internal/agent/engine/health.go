package engine

import "github.com/ashore/ashore/internal/agent/runtime"

// healthOfEvent returns the known health of the container that a HealthSeen event
// concerns. For other events it returns "".
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

// knownHealth returns a health, or "" if no check has had a result yet.
func knownHealth(health string) string {
	if health == runtime.Starting {
		return ""
	}
	return health
}

// hasKnownHealth reports whether a health check of any container has had a result.
func (t *Task) hasKnownHealth() bool {
	for _, c := range t.Containers {
		if knownHealth(c.Health) != "" {
			return true
		}
	}
	return false
}
