package engine

// healthOf is the health of the container that an event tells the health of, as
// far as it is known.
func (t *Task) healthOf(ev Event) string {
	seen, ok := ev.(HealthSeen)
	if !ok {
		return ""
	}
	if c := t.container(seen.Container); c != nil {
		return c.Health
	}
	return ""
}

// checked says whether a health check has said something of some container.
func (t *Task) checked() bool {
	for _, c := range t.Containers {
		if c.Health != "" {
			return true
		}
	}
	return false
}
