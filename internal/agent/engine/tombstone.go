package engine

import (
	"maps"
	"slices"
	"time"

	"github.com/ashore/ashore/internal/agent/journal"
)

func (e *Engine) pruneTombstones() {
	byAge := slices.SortedFunc(maps.Keys(e.tombstones), func(a, b string) int { return e.tombstones[a].Compare(e.tombstones[b]) })
	for i, arn := range byAge {
		if time.Since(e.tombstones[arn]) < tombstoneLife && len(byAge)-i <= tombstoneMax {
			return
		}
		delete(e.tombstones, arn)
		e.cfg.Journal.Delete(journal.Tombstones, arn)
	}
}

// buried tells whether a task is known to have ended here.
func (e *Engine) buried(arn string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	_, ended := e.tombstones[arn]
	return ended
}
