package engine

import "time"

// memoryWindow is how soon after a process was killed for its memory the container
// ends if that is why it ends.
const memoryWindow = 10 * time.Second

// endedForMemory says whether a container ended because a process in it was killed
// for its memory, itself or a child without which it did not go on. That the engine
// says one was is not enough: it says so until the next start, also of a container
// that went on and was stopped later.
func (c *Container) endedForMemory(ev Exited) bool {
	stopping := c.doing == Stopping
	switch {
	case !c.OOMAt.IsZero():
		soon := ev.At.Sub(c.OOMAt) <= memoryWindow
		if stopping { // by its signal, most likely
			return soon && ev.Code == codeKilled && c.OOMAt.After(c.stopAt)
		}
		return soon
	case !ev.OOM:
		return false
	case stopping: // the event is on its way, or was lost
		return ev.Code == codeKilled
	}
	// The event was lost, and with it the time.
	return ev.Code != 0 && ev.Code != codeTerminated
}

// Exit codes of a process that a signal ended.
const (
	codeKilled     = 128 + 9
	codeTerminated = 128 + 15
)
