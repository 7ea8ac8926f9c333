package rows

import (
	"slices"

	"github.com/ashore/ashore/internal/store"
)

// resume tells what has changed after a revision, up to a snapshot. It returns
// errUnknown, and has sent nothing, where that is not known any more.
//
// What the reader could see at the revision is not known: the snapshot of then is gone.
// So a row that it can't see now is told as gone in one case only: the reader may see a
// row of this key whatever its records say, and so may learn that there is none. It is
// passed over where no reader of these rights can ever have seen it. In all other cases
// the reader gets the whole state: to tell it that a row is gone would tell it that
// there was one, and to tell it nothing might leave it with a row that is gone.
func (s *stream) resume(snap *store.Snapshot, after int64) error {
	changes, ok := s.watchers.cfg.Store.Since(after)
	if !ok {
		return errUnknown
	}
	touched := map[row]struct{}{}
	var told []row
	var gone []bool
	for _, c := range changes {
		if slices.Contains(s.watchers.cfg.RightsRestOn, c.Kind) && s.rights.Concerns(c) {
			return errUnknown
		}
		for _, v := range s.views() {
			touches := v.Touches[c.Kind]
			if touches == nil {
				continue
			}
			var failed error
			touches(snap, snap, c.Names, func(key string) {
				one := row{v, key}
				if _, again := touched[one]; again || failed != nil {
					return
				}
				touched[one] = struct{}{}
				tell, isGone, err := s.since(snap, one)
				if failed = err; tell {
					told, gone = append(told, one), append(gone, isGone)
				}
			})
			if failed != nil {
				return failed
			}
		}
	}
	for i, one := range told {
		if gone[i] {
			if err := s.out.add("changes", one, nil); err != nil {
				return err
			}
			continue
		}
		if !s.describe(snap, one, &s.now) {
			continue
		}
		if err := s.out.add("changes", one, s.now); err != nil {
			return err
		}
	}
	return s.out.end(0) // synced has the revision
}

// views are those that the reader has selected rows of.
func (s *stream) views() []*View {
	var out []*View
	for _, one := range s.selected {
		if !slices.Contains(out, one.view) {
			out = append(out, one.view)
		}
	}
	return out
}

// since says whether the reader is to be told of a row that has changed since its
// revision, and whether as one that is gone.
func (s *stream) since(snap *store.Snapshot, one row) (tell, gone bool, err error) {
	is, err := s.look(snap, one)
	switch {
	case err != nil:
		return false, false, err
	case is == shown:
		return true, false, nil
	case is == unknown:
		return false, false, nil // the reader keeps what it has
	}
	if scopes := one.view.Scopes(snap, one.key); len(scopes) > 0 {
		if first(s.selected, one.view, scopes) < 0 {
			return false, false, nil // nor was it ever selected
		}
	} else if !mayBeIn(s.selected, one) {
		return false, false, nil
	}
	p, err := s.rights.May(snap, one.view, one.key)
	switch {
	case err != nil:
		return false, false, err
	case !p.ByName:
		return false, false, errUnknown
	case !p.Allowed:
		return false, false, nil // nor could it ever be seen
	}
	return true, true, nil
}
