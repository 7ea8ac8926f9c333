package engine

import (
	"cmp"
	"time"

	"github.com/ashore/ashore/internal/agent/journal"
	"github.com/ashore/ashore/internal/wire/acs"
)

// A tombstone stays longer than any late order may take to arrive. Their number is
// bounded.
const (
	tombstoneLife = 7 * 24 * time.Hour
	tombstoneMax  = 50_000
)

// tombstones are the tasks that have ended on this host, by ARN. Engine.mu guards them.
type tombstones struct {
	max   int              // constant
	ended map[string]int64 // Unix nanoseconds
	order []tombstone      // by time; if a task is in it twice, the last one counts
}

type tombstone struct {
	arn string
	at  int64
}

func newTombstones(most int) tombstones {
	return tombstones{max: cmp.Or(most, tombstoneMax), ended: map[string]int64{}}
}

// add adds a task. It must not have ended before one that was added earlier.
func (ts *tombstones) add(arn string, at time.Time) {
	ts.ended[arn] = at.UnixNano()
	ts.order = append(ts.order, tombstone{arn, at.UnixNano()})
}

// endedAt returns when a task ended.
func (ts *tombstones) endedAt(arn string) (time.Time, bool) {
	at, ok := ts.ended[arn]
	return time.Unix(0, at), ok
}

// prune removes the tombstones that are too old or too many, and returns their ARNs.
func (ts *tombstones) prune(now time.Time) (gone []string) {
	oldest := now.Add(-tombstoneLife).UnixNano()
	for len(ts.order) > 0 {
		t := ts.order[0]
		counts := ts.ended[t.arn] == t.at
		if counts && t.at > oldest && len(ts.ended) <= ts.max {
			break
		}
		ts.order = ts.order[1:]
		if counts {
			delete(ts.ended, t.arn)
			gone = append(gone, t.arn)
		}
	}
	return gone
}

// newest returns the n newest tombstones, or all if there are fewer.
func (ts *tombstones) newest(n int) []acs.Tombstone {
	out := make([]acs.Tombstone, 0, min(n, len(ts.ended)))
	for i := len(ts.order) - 1; i >= 0 && len(out) < n; i-- {
		if t := ts.order[i]; ts.ended[t.arn] == t.at {
			out = append(out, acs.Tombstone{TaskArn: t.arn, StoppedAt: time.Unix(0, t.at).UnixMilli()})
		}
	}
	return out
}

// addTombstone records that a task has ended, so that it never starts again.
func (e *Engine) addTombstone(arn string) {
	now := time.Now()
	e.mu.Lock()
	e.tombstones.add(arn, now)
	e.mu.Unlock()
	if e.cfg.Journal != nil {
		e.cfg.Journal.Put(journal.Tombstones, arn, []byte(now.UTC().Format(time.RFC3339Nano)))
	}
	e.pruneTombstones()
}

// pruneTombstones removes old tombstones, from the journal too.
func (e *Engine) pruneTombstones() {
	e.mu.Lock()
	gone := e.tombstones.prune(time.Now())
	e.mu.Unlock()
	if e.cfg.Journal == nil {
		return
	}
	for _, arn := range gone {
		e.cfg.Journal.Delete(journal.Tombstones, arn)
	}
}

// hasTombstone reports whether a task is known to have ended here.
func (e *Engine) hasTombstone(arn string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	_, ended := e.tombstones.endedAt(arn)
	return ended
}
