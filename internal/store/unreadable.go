package store

import (
	"errors"
	"fmt"
	"iter"
	"strings"
)

// ErrUnreadable says that a stored record can't be read.
var ErrUnreadable = errors.New("the stored record can't be read")

// Unreadable is a stored record that can't be decoded, or whose value the tables can't
// apply. The store sets it aside: it stays in etcd unchanged, the tables do not contain
// it, and a transaction that needs it is refused. A new write or a deletion of the
// record ends that.
type Unreadable struct {
	Key    string // below the site's root
	Reason string
	mod    int64
}

func (u *Unreadable) Error() string { return fmt.Sprintf("stored record %s: %s", u.Key, u.Reason) }

// maxReason bounds the reason of an unreadable record, in bytes. The reason may quote
// the record.
const maxReason = 512

func unreadable(path string, mod int64, reason string) Unreadable {
	if len(reason) > maxReason {
		reason = strings.ToValidUTF8(reason[:maxReason], "") + "…"
	}
	return Unreadable{strings.Clone(path), reason, mod}
}

// UnreadableError refuses a transaction that needs an unreadable record.
type UnreadableError struct{ Unreadable }

func (e *UnreadableError) Error() string {
	return fmt.Sprintf("%v: %s: %s", ErrUnreadable, e.Key, e.Reason)
}

// Is makes every UnreadableError match ErrUnreadable.
func (e *UnreadableError) Is(target error) bool { return target == ErrUnreadable }

// Public returns the text that callers may read.
func (e *UnreadableError) Public() string {
	return fmt.Sprintf("The stored record %s can't be read, so nothing that needs it can be done until it is mended or deleted.", e.Key)
}

// Unreadable yields the unreadable records below a prefix, by key.
func (s *Snapshot) Unreadable(prefix string) iter.Seq[Unreadable] {
	return func(yield func(Unreadable) bool) { scanUnreadable(s, prefix, yield) }
}

// scanUnreadable is not inlined: see tab.
//
//go:noinline
func scanUnreadable(s *Snapshot, prefix string, yield func(Unreadable) bool) {
	tab(s).unreadable.Ascend(prefix, func(path string, u Unreadable) bool {
		return strings.HasPrefix(path, prefix) && yield(u)
	})
}

// firstUnreadable returns the first unreadable record below a prefix.
func firstUnreadable(s *Snapshot, prefix string) (Unreadable, bool) {
	for u := range s.Unreadable(prefix) {
		return u, true
	}
	return Unreadable{}, false
}

// Readable returns an UnreadableError if a record can't be read. The snapshot shows no
// record then, although etcd has one.
func Readable[V any](s *Snapshot, k Key[V]) error { return readable(s, k.path) }

func readable(s *Snapshot, path string) error {
	t := tab(s)
	if t.unreadable.Len() == 0 {
		return nil
	}
	if u, is := t.unreadable.Get(path); is {
		return &UnreadableError{u}
	}
	return nil
}

// AllReadable returns an UnreadableError if a record below a prefix can't be read. A
// decision must not rest on the absence of records there then.
func (s *Snapshot) AllReadable(prefix string) error {
	if u, is := firstUnreadable(s, prefix); is {
		return &UnreadableError{u}
	}
	return nil
}

// logUnreadable logs the records that have become unreadable since the state was.
func logUnreadable(s *Store, was *tables, is *Snapshot) {
	const most = 20 // lines
	n := 0
	for u := range is.Unreadable("") {
		if before, known := was.unreadable.Get(u.Key); known && before.mod == u.mod {
			continue
		}
		if n++; n <= most {
			s.log.Error("store: a record can't be read and is set aside", "key", s.root+u.Key, "revision", u.mod, "err", u.Reason)
		}
	}
	if n > most {
		s.log.Error("store: more records can't be read", "records", n-most)
	}
}

// unreadableWarning returns the warning that names the unreadable records.
func (s *Store) unreadableWarning() (w Warning, is bool) {
	const most = 5
	var keys []string
	n := 0
	for u := range s.Snapshot().Unreadable("") {
		if n++; n <= most {
			keys = append(keys, s.root+u.Key+" ("+u.Reason+")")
		}
	}
	if n == 0 {
		return w, false
	}
	text := fmt.Sprintf("%d stored records can't be read and are set aside: nothing that needs them is done until they are mended or deleted in etcd: %s", n, strings.Join(keys, "; "))
	if n > most {
		text += fmt.Sprintf("; and %d more", n-most)
	}
	return Warning{"records-unreadable", "warning", text}, true
}
