package fake

import (
	"maps"
)

// Witness sums what an engine has seen.
type Witness struct {
	Started  int // containers that were started at least once
	Repeated int // of them those started more than once
	Running  int // containers that run now
}

// Starts counts how often containers of a name have started.
func (f *Fake) Starts() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.starts)
}

// Witness is what the engine has seen so far.
func (f *Fake) Witness() Witness {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.witness
}
