package engine

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ashore/ashore/internal/agent/journal"
)

// Load reads the journal. Call it before Run.
func (e *Engine) Load() error {
	if e.cfg.Journal == nil {
		return nil
	}
	var stones []tombstone
	err := e.cfg.Journal.Each(journal.Tombstones, func(arn string, v []byte) error {
		at, err := time.Parse(time.RFC3339Nano, string(v))
		if err != nil {
			at = time.Now()
		}
		stones = append(stones, tombstone{arn, at.UnixNano()})
		return nil
	})
	if err != nil {
		return err
	}
	slices.SortFunc(stones, func(a, b tombstone) int { return cmp.Compare(a.at, b.at) })
	for _, t := range stones {
		e.tombstones.add(t.arn, time.Unix(0, t.at))
	}
	e.pruneTombstones()
	return e.cfg.Journal.Each(journal.Tasks, func(arn string, v []byte) error {
		t, err := readTask(arn, v)
		if err != nil {
			// One unreadable record must not prevent the recovery of all other tasks.
			// Its containers, if it has any, carry labels with the same information.
			e.log.Error("journal: a task's record cannot be read and is dropped", "task", arn, "bytes", len(v), "err", err)
			e.cfg.Journal.Delete(journal.Tasks, arn)
			return nil
		}
		// The journal does not say which operations were under way. Nothing may be done
		// to a container before the runtime was asked about it.
		for _, c := range t.Containers {
			if c.Status < Running {
				c.doing = Recovering
			}
		}
		e.tasks[arn] = &taskHandle{task: t, begun: true}
		return nil
	})
}

func readTask(arn string, record []byte) (*Task, error) {
	t := new(Task)
	if err := json.Unmarshal(record, t); err != nil {
		return nil, err
	}
	if t.Payload.Arn != arn {
		return nil, fmt.Errorf("it is one of task %q", t.Payload.Arn)
	}
	if slices.Contains(t.Containers, nil) {
		return nil, errors.New("a container is missing")
	}
	return t, nil
}
