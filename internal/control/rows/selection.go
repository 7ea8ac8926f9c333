package rows

import (
	"fmt"
	"slices"
	"strings"
)

// Select is what a reader asks for: the rows of a kind, narrowed down by where. Which
// names a kind knows says its view.
type Select struct {
	Kind  string            `json:"kind"`
	Where map[string]string `json:"where,omitempty"`
}

// MaxSelect is how many selections a reader has at most.
const MaxSelect = 32

// InputError says what is wrong with what a reader asks for.
type InputError struct{ Message string }

func (e *InputError) Error() string { return e.Message }

func inputErrorf(format string, args ...any) error { return &InputError{fmt.Sprintf(format, args...)} }

// A selection is a Select whose view and scope are found.
type selection struct {
	view  *View
	scope string
}

// findSelections finds the views and scopes of what a reader asks for.
func (w *Watchers) findSelections(in []Select) ([]selection, error) {
	if len(in) == 0 || len(in) > MaxSelect {
		return nil, inputErrorf("select must have 1 to %d members, not %d.", MaxSelect, len(in))
	}
	var out []selection
	for _, s := range in {
		at := slices.IndexFunc(w.cfg.Views, func(v *View) bool { return v.Kind == s.Kind })
		if at < 0 {
			return nil, inputErrorf("select: %q is no kind of rows. There are %s.", s.Kind, strings.Join(w.Kinds(), ", "))
		}
		scope, err := w.cfg.Views[at].Scope(s.Where)
		if err != nil {
			return nil, inputErrorf("select: %s: %v", s.Kind, err)
		}
		one := selection{w.cfg.Views[at], scope}
		if !slices.Contains(out, one) {
			out = append(out, one)
		}
	}
	return out, nil
}

// Kinds returns the kinds of rows that there are.
func (w *Watchers) Kinds() []string {
	var out []string
	for _, v := range w.cfg.Views {
		out = append(out, v.Kind)
	}
	return out
}

// indexOfSelection returns the place of the first selection that has a row with these scopes, -1
// where none has.
func indexOfSelection(all []selection, view *View, scopes []string) int {
	return slices.IndexFunc(all, func(s selection) bool { return s.view == view && slices.Contains(scopes, s.scope) })
}

// mayBeSelected says whether, by its key alone, a row may have been selected.
func mayBeSelected(all []selection, r row) bool {
	return slices.ContainsFunc(all, func(s selection) bool { return s.view == r.view && r.view.MayBeIn(r.key, s.scope) })
}
