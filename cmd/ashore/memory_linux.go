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

// raiseGCPercent sets it, unless the user has chosen by GOGC.
func raiseGCPercent() {
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

	// A server that has become quiet, allocating less than gcQuiet since the last look,
	// gives memory back where it holds more than gcSpare beside a few times of what
	// lives: Go itself takes minutes for it.
	gcQuiet = 16 << 20
	gcSpare = 48 << 20
)

// adjustGC sets the collector by what lives until ctx ends, unless the user has
// chosen by GOGC.
func adjustGC(ctx context.Context) {
	if os.Getenv("GOGC") != "" {
		return
	}
	was, sample := uint64(0), []metrics.Sample{
		{Name: "/gc/heap/live:bytes"}, {Name: "/gc/heap/allocs:bytes"}, {Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/heap/unused:bytes"}, {Name: "/memory/classes/heap/free:bytes"},
	}
	at := func(i int) uint64 { return sample[i].Value.Uint64() }
	var allocated, given uint64 // at the last look; when memory was given back
	every := time.NewTicker(gcEvery)
	defer every.Stop()
	for {
		metrics.Read(sample)
		if quiet := at(1)-allocated < gcQuiet; quiet && at(1)-given > gcSpare && holdsSpare(at(0), at(2)+at(3)+at(4)) {
			debug.FreeOSMemory()
			given = at(1)
		}
		allocated = at(1)
		if now := gcPercent(at(0)); max(now, was)-min(now, was) > 10 { // setting it stops the world
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

// holdsSpare says whether a heap is held that is far larger than what lives in it.
func holdsSpare(live, held uint64) bool { return held > gcSpare+live*(100+gcMost)/100/2 }

// gcPercent is how far a server's heap may grow, in per cent of what lives.
func gcPercent(live uint64) uint64 {
	return min(max(100, gcRoom*100/max(live, 1)), gcMost)
}
