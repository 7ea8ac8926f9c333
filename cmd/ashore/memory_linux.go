package main

import (
	"os"
	"runtime/debug"
)

// gcPercent is how far the heap of server and fleet may grow, in per cent of what
// lives, before garbage is collected. More than Go's own measure makes collecting
// cost less; the server's budget of memory at 100,000 tasks on 5,000 hosts leaves
// room for this.
const gcPercent = 150

// relaxGC sets it, unless the user has chosen by GOGC.
func relaxGC() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}
