package main

import (
	"os"
	"runtime/debug"
)

// gcPercent is how far the heap of a fleet may grow, in per cent of what lives,
// before garbage is collected: more than Go's own measure, so that a fleet takes
// less of the CPU that it shares with the server. The server has a budget of
// memory and keeps to Go's.
const gcPercent = 150

// relaxGC sets it, unless the user has chosen by GOGC.
func relaxGC() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}
