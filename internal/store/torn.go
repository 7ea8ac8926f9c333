package store

import (
	"errors"
	"fmt"
	"runtime/debug"
	"strings"

	"go.etcd.io/etcd/api/v3/mvccpb"
)

// The application of a record changes the tables in several places, so a panic leaves
// them partly changed. The store does not continue with such tables. It does not end
// either, because the same record would end it again at each start. It remembers the
// record, reads everything again, and sets the record aside as unreadable. It remembers
// the record at one revision: the record's next revision is tried again.

// torn holds the records whose application has panicked, by path.
type torn map[string]tornRecord

type tornRecord struct {
	mod   int64
	panic error
}

// maxTorn is how many records may be torn. If more are, the fault lies in this program
// and not in the records, and the store ends.
const maxTorn = 100

// of returns the panic of a record at a revision, nil if that revision did not panic.
func (t torn) of(path string, mod int64) error {
	if r, is := t[path]; is && r.mod == mod {
		return r.panic
	}
	return nil
}

// tornError is a panic during the application of a record.
type tornError struct {
	path  string
	mod   int64
	value any
	stack []byte
}

func (e *tornError) Error() string {
	return fmt.Sprintf("stored record %s: applying it panicked: %v", e.path, e.value)
}

// catchPanic calls do and returns its panic as a tornError. do sets *at to the record
// that it applies.
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

// errTooTorn ends a store with more than maxTorn torn records.
var errTooTorn = errors.New("applying the stored records panics again and again: this is a fault of this version of Ashore's")

// recordTorn remembers the record whose application has panicked. The next reading sets
// the record aside.
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

// stillTorn says whether a torn record may still have the remembered revision. The
// record is set aside in the snapshot, or it will be once the snapshot shows its
// revision.
func (s *Store) stillTorn(path string, mod int64) bool {
	snap := s.Snapshot()
	if snap == nil || mod > snap.rev {
		return true
	}
	u, is := tab(snap).unreadable.Get(path)
	return is && u.mod == mod
}
