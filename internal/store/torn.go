package store

import (
	"errors"
	"fmt"
	"runtime/debug"
	"strings"

	"go.etcd.io/etcd/api/v3/mvccpb"
)

// Applying a record changes the tables in several places, so a panic on the way
// leaves them changed in part. The store does not go on with such tables, and does
// not end either: the same record would end it again at each start. It notes the
// record, reads everything anew, and sets the record aside as unreadable. A record
// is noted at one revision: its next one is tried again.

// torn are the records whose application has panicked, by path.
type torn map[string]tornRecord

type tornRecord struct {
	mod   int64
	panic error
}

// maxTorn is how many records may be torn. More of them are a fault of this
// program's, not of the records: the store ends then.
const maxTorn = 100

// of returns why a record is torn at a revision, nil where it is not.
func (t torn) of(path string, mod int64) error {
	if r, is := t[path]; is && r.mod == mod {
		return r.panic
	}
	return nil
}

// tornError is a panic in the application of a record.
type tornError struct {
	path  string
	mod   int64
	value any
	stack []byte
}

func (e *tornError) Error() string {
	return fmt.Sprintf("stored record %s: applying it panicked: %v", e.path, e.value)
}

// catchPanic calls do, which says in at which record it is.
func (s *Store) catchPanic(at **mvccpb.KeyValue, do func()) (err error) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		if *at == nil {
			panic(v)
		}
		err = &tornError{strings.TrimPrefix(string((*at).Key), s.root), (*at).ModRevision, v, debug.Stack()}
	}()
	do()
	return nil
}

// errTooTorn ends a store of whose records too many are torn.
var errTooTorn = errors.New("applying the stored records panics again and again: this is a fault of this version of Ashore's")

// recordTorn notes the record whose application has panicked, so that the next reading
// sets it aside.
func (s *Store) recordTorn(e *tornError) error {
	s.log.Error("store: applying a record panicked; everything is read again without it", "key", s.root+e.path, "revision", e.mod,
		"panic", fmt.Sprint(e.value), "stack", string(e.stack))
	next := torn{}
	for path, r := range s.torn {
		if s.stillTorn(path, r.mod) {
			next[path] = r
		}
	}
	next[e.path] = tornRecord{e.mod, fmt.Errorf("applying it panicked: %v", e.value)}
	if len(next) > maxTorn {
		return fmt.Errorf("%w: %w", errTooTorn, e)
	}
	s.torn = next
	return nil
}

// stillTorn says whether a record may still be as it was noted: it is set aside
// now, or will be once what is being read is shown.
func (s *Store) stillTorn(path string, mod int64) bool {
	snap := s.Snapshot()
	if snap == nil || mod > snap.rev {
		return true
	}
	u, is := tab(snap).unreadable.Get(path)
	return is && u.mod == mod
}
