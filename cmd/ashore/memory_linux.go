package main

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// fleetGC is how far the heap of a fleet may grow, in per cent of what lives,
// before garbage is collected: more than Go's own measure, so that a fleet takes
// less of the CPU that it shares with the server.
const fleetGC = 150

// relaxGC sets it, unless the user has chosen by GOGC.
func relaxGC() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(fleetGC)
	}
}

// A server has a budget of memory. While little lives in its heap, that may grow by
// gcRoom, up to gcMost per cent of what lives, before garbage is collected; where
// more lives than that it keeps to Go's own measure.
const (
	gcRoom  = 400 << 20
	gcMost  = 300
	gcEvery = 5 * time.Second
)

// followGC sets the collector by what lives until ctx ends, unless the user has
// chosen by GOGC.
func followGC(ctx context.Context) {
	if os.Getenv("GOGC") != "" {
		return
	}
	const live = "/gc/heap/live:bytes"
	was, sample := uint64(0), []metrics.Sample{{Name: live}}
	every := time.NewTicker(gcEvery)
	defer every.Stop()
	for {
		metrics.Read(sample)
		if now := gcPercent(sample[0].Value.Uint64()); max(now, was)-min(now, was) > 10 { // setting it stops the world
			debug.SetGCPercent(int(now))
			was = now
		}
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
	}
}

// gcPercent is how far a server's heap may grow, in per cent of what lives.
func gcPercent(live uint64) uint64 {
	return min(max(100, gcRoom*100/max(live, 1)), gcMost)
}
