package engine

import "time"

// memoryWindow is the longest time between the kill of a process for lack of memory and
// the end of its container, if the kill is why the container ended.
const memoryWindow = 10 * time.Second

// endedForMemory reports whether a container ended because a process in it was killed for
// lack of memory: its main process, or a child that the main process needed. The runtime's
// OOM flag alone does not prove it: the flag stays set until the next start, also if the
// container went on and was stopped later.
func (c *Container) endedForMemory(ev Exited) bool {
	stopping := c.doing == Stopping
	switch {
	case !c.OOMAt.IsZero():
		soon := ev.At.Sub(c.OOMAt) <= memoryWindow
		if stopping { // killed by Stop's signal, most likely
			return soon && ev.Code == codeKilled && c.OOMAt.After(c.stopAt)
		}
		return soon
	case !ev.OOM:
		return false
	case stopping: // the event is on its way, or was lost
		return ev.Code == codeKilled
	}
	// The event was lost, and so was the time of the kill.
	return ev.Code != 0 && ev.Code != codeTerminated
}

// Exit codes of a process that a signal killed.
const (
	codeKilled     = 128 + 9
	codeTerminated = 128 + 15
)
