package rows

import (
	"slices"

	"github.com/ashore/ashore/internal/store"
)

// resume sends what has changed between a revision and a snapshot. It returns
// errStateUnknown, and has sent nothing, if the store no longer knows these changes, if
// the reader's rights may have changed, or in the third case below.
//
// The snapshot of that revision is gone, so resume can't know what the reader could see
// then. For a row that the reader can't see now, there are three cases:
//
//   - The rights allow a row of this key whatever its records contain. Then the reader
//     may learn that there is none, and resume sends the row as removed.
//   - The row was never selected, or the rights never allow a row of this key. Then
//     resume skips it.
//   - Otherwise the reader gets the whole state. If resume sent the row as removed, the
//     reader would learn that it existed. If resume sent nothing, the reader might
//     retain a row that is gone.
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
	return s.out.finish(0) // sendSynced sends the revision
}

// selectedViews returns the views of the reader's selections, each once.
func (s *stream) selectedViews() []*View {
	var out []*View
	for _, one := range s.selected {
		if !slices.Contains(out, one.view) {
			out = append(out, one.view)
		}
	}
	return out
}

// classify reports whether a row that has changed since the reader's revision must be
// sent, and whether it is sent as removed.
func (s *stream) classify(snap *store.Snapshot, one row) (send, gone bool, err error) {
	seen, err := s.inspect(snap, one)
	switch {
	case err != nil:
		return false, false, err
	case seen == visible:
		return true, false, nil
	case seen == unreadable:
		return false, false, nil // the reader retains its last value
	}
	if scopes := one.view.Scopes(snap, one.key); len(scopes) > 0 {
		if indexOfSelection(s.selected, one.view, scopes) < 0 {
			return false, false, nil // it was not selected before either
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
		return false, false, nil // the reader could not see it before either
	}
	return true, true, nil
}
