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
		return errStateUnknown
	}
	touched := map[row]struct{}{}
	var changed []row
	var gone []bool
	for _, c := range changes {
		if slices.Contains(s.watchers.cfg.RightsKinds, c.Kind) && s.rights.DependOn(c) {
			return errStateUnknown
		}
		for _, v := range s.selectedViews() {
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
				send, isGone, err := s.classify(snap, one)
				if failed = err; send {
					changed, gone = append(changed, one), append(gone, isGone)
				}
			})
			if failed != nil {
				return failed
			}
		}
	}
	for i, one := range changed {
		if gone[i] {
			if err := s.out.add("changes", one, nil); err != nil {
				return err
			}
			continue
		}
		if !s.encodeRow(snap, one, &s.newValue) {
			continue
		}
		if err := s.out.add("changes", one, s.newValue); err != nil {
			return err
		}
	}
	return s.out.finish(0) // synced has the revision
}

// selectedViews are those that the reader has selected rows of.
func (s *stream) selectedViews() []*View {
	var out []*View
	for _, one := range s.selected {
		if !slices.Contains(out, one.view) {
			out = append(out, one.view)
		}
	}
	return out
}

// classify says whether the reader is to be told of a row that has changed since its
// revision, and whether as one that is gone.
func (s *stream) classify(snap *store.Snapshot, one row) (send, gone bool, err error) {
	seen, err := s.inspect(snap, one)
	switch {
	case err != nil:
		return false, false, err
	case seen == visible:
		return true, false, nil
	case seen == unreadable:
		return false, false, nil // the reader keeps what it has
	}
	if scopes := one.view.Scopes(snap, one.key); len(scopes) > 0 {
		if indexOfSelection(s.selected, one.view, scopes) < 0 {
			return false, false, nil // nor was it ever selected
		}
	} else if !mayBeSelected(s.selected, one) {
		return false, false, nil
	}
	p, err := s.rights.CheckRow(snap, one.view, one.key)
	switch {
	case err != nil:
		return false, false, err
	case !p.ByNameAlone:
		return false, false, errStateUnknown
	case !p.Allowed:
		return false, false, nil // nor could it ever be seen
	}
	return true, true, nil
}
