package main

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// fleetGC is how far the heap of a fleet may grow before a garbage collection, in per
// cent of the live heap. It is more than Go's default, so that a fleet uses less of the
// CPU that it shares with the server.
const fleetGC = 150

// raiseGCPercent sets the collector to fleetGC, unless GOGC is set.
func raiseGCPercent() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(fleetGC)
	}
}

// A server has a memory budget. While its live heap is small, the heap may grow by
// gcRoom before a garbage collection, but by no more than gcMost per cent. For a larger
// live heap Go's default applies.
const (
	gcRoom  = 400 << 20
	gcMost  = 300
	gcEvery = 5 * time.Second

	// An idle server allocates less than gcQuiet between two checks. It returns memory
	// to the system if its heap exceeds a multiple of the live heap by more than
	// gcSpare. Go itself would take minutes to return it.
	gcQuiet = 16 << 20
	gcSpare = 48 << 20
)

// adjustGC adjusts the collector to the live heap until ctx ends, unless GOGC is set.
func adjustGC(ctx context.Context) {
	if os.Getenv("GOGC") != "" {
		return
	}
	was, sample := uint64(0), []metrics.Sample{
		{Name: "/gc/heap/live:bytes"}, {Name: "/gc/heap/allocs:bytes"}, {Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/heap/unused:bytes"}, {Name: "/memory/classes/heap/free:bytes"},
	}
	at := func(i int) uint64 { return sample[i].Value.Uint64() }
	var allocated, given uint64 // at the last check; when memory was last returned
	every := time.NewTicker(gcEvery)
	defer every.Stop()
	for {
		metrics.Read(sample)
		if quiet := at(1)-allocated < gcQuiet; quiet && at(1)-given > gcSpare && holdsSpare(at(0), at(2)+at(3)+at(4)) {
			debug.FreeOSMemory()
			given = at(1)
		}
		allocated = at(1)
		if now := gcPercent(at(0)); max(now, was)-min(now, was) > 10 { // SetGCPercent stops the world
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

// holdsSpare says whether the heap is much larger than its live part.
func holdsSpare(live, heap uint64) bool { return heap > gcSpare+live*(100+gcMost)/100/2 }

// gcPercent returns how far a server's heap may grow, in per cent of the live heap.
func gcPercent(live uint64) uint64 {
	return min(max(100, gcRoom*100/max(live, 1)), gcMost)
}
