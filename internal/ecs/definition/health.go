package definition

import "github.com/ashore/ashore/internal/fleet"

func (s subject) checkHealth() error {
	h := s.c.HealthCheck
	if h == nil {
		return nil
	}
	for _, r := range []struct {
		field    string
		value    *int32
		low, top int32
	}{
		{"interval", h.Interval, 5, 300}, {"timeout", h.Timeout, 2, 60}, {"retries", h.Retries, 1, 10}, {"startPeriod", h.StartPeriod, 0, 300},
	} {
		if err := s.checkBetween("healthCheck."+r.field, r.value, r.low, r.top); err != nil {
			return err
		}
	}
	// Like ECS, Ashore accepts a command that starts otherwise: see
	// fleet.HasHealthCheck. It does not accept one of these words alone: that crashes
	// a Docker Engine of version 20.10.
	switch {
	case len(h.Command) == 0:
		return s.newError("'healthCheck.command' should not be empty.")
	case fleet.HasHealthCheck(s.c) && (len(h.Command) == 1 || h.Command[1] == ""):
		return s.newError("'healthCheck.command' must have a command after %s.", h.Command[0])
	}
	return nil
}
