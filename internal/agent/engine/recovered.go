package engine

import (
	"time"

	"github.com/ashore/ashore/internal/agent/runtime"
)

// applyRecovered brings all containers up to date with what the runtime has. It applies
// the ends of containers last, and among them first those that no restart policy undoes:
// they may end the task, and then nothing is restarted.
func (t *Task) applyRecovered(now time.Time, ev Recovered) []Action {
	var acts []Action
	var ends, restarting []Exited
	for _, c := range t.Containers {
		seen, found := ev.Containers[c.Name]
		// It may have been started before the machine last booted.
		before := c.Boot != ev.Boot && c.Boot != ""
		switch {
		case c.Status == Stopped:
		case found && seen.Phase == runtime.PhaseCreated && (before || c.Status == Running):
			c.RuntimeID = seen.ID
			t.endForgotten(c, ev.At)
		case found && seen.Phase == runtime.PhaseCreated:
			c.RuntimeID, c.Status, c.doing, c.Removing, c.Doubtful = seen.ID, Created, Replacing, true, true
			acts = append(acts, Replace{c.Name})
		case found:
			t.applyFound(c, Found{ID: seen.ID, StartedAt: seen.StartedAt, Ports: seen.Ports, Health: seen.Health})
			if seen.Phase != runtime.PhaseExited {
				break
			}
			end := Exited{Container: c.Name, Code: seen.ExitCode, OOM: seen.OOMKilled, At: seen.FinishedAt}
			if d := t.findDefinition(c.Name); d != nil && shouldRestart(d.RestartPolicy, end.Code, end.At.Sub(c.LastStart)) {
				restarting = append(restarting, end)
			} else {
				ends = append(ends, end)
			}
		case before && c.Status < Running:
			t.endForgotten(c, ev.At)
		case c.Removing && c.Doubtful:
			t.endFailed(c, ev.At, failf(CannotStart, "%s", startUnknown))
		case c.Removing: // the old one was removed, the new one not yet created
			c.RuntimeID, c.Status, c.Removing, c.doing = "", Pulled, false, Idle
		case c.RuntimeID != "":
			t.endVanished(c, ev.At)
		case c.doing == Recovering:
			c.doing = Idle // never created
		}
	}
	for _, end := range append(ends, restarting...) {
		acts = append(acts, t.applyExited(now, end)...)
	}
	return acts
}

// endForgotten ends a container if the runtime no longer knows that it ran or may have
// run. A runtime writes a start to disk only after the start, and the machine went down in
// between.
func (t *Task) endForgotten(c *Container, at time.Time) {
	why := failf(Vanished, "the engine no longer knows that the container ran")
	if c.Status < Running {
		why = failf(CannotStart, "the machine went down when the container was about to start; whether it had can't be told, so it is not started again")
	}
	t.endFailed(c, at, why)
}
