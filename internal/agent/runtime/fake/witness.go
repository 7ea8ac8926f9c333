package fake

import (
	"maps"
)

// Witness counts what an engine has seen.
type Witness struct {
	Started  int // containers that were started at least once
	Repeated int // containers that were started more than once
	Running  int // containers that run now
}

// Starts returns how often containers of each name have started.
func (f *Fake) Starts() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.starts)
}

// Witness returns the counts so far.
func (f *Fake) Witness() Witness {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.witness
}
