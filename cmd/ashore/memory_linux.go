package main

import (
	"os"
	"runtime/debug"
)

// gcPercent is how far the heap of server and fleet may grow, in per cent of what
// lives, before garbage is collected. Twice Go's own measure halves what
// collecting costs; what the budgets of memory leave room for.
const gcPercent = 200

// relaxGC sets it, unless the user has chosen by GOGC.
func relaxGC() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}
