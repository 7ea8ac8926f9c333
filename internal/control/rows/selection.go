package rows

import (
	"fmt"
	"slices"
	"strings"
)

// Select asks for the rows of a kind. Where narrows them down. The kind's view defines
// which names Where may have.
type Select struct {
	Kind  string            `json:"kind"`
	Where map[string]string `json:"where,omitempty"`
}

// MaxSelect is the largest number of selections of one reader.
const MaxSelect = 32

// InputError describes what is wrong with a request.
type InputError struct{ Message string }

func (e *InputError) Error() string { return e.Message }

func inputErrorf(format string, args ...any) error { return &InputError{fmt.Sprintf(format, args...)} }

// A selection is a Select with its view and its scope.
type selection struct {
	view  *View
	scope string
}

// findSelections returns the views and scopes of a request, each once.
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

// Kinds returns the kinds of rows of all views.
func (w *Watchers) Kinds() []string {
	var out []string
	for _, v := range w.cfg.Views {
		out = append(out, v.Kind)
	}
	return out
}

// indexOfSelection returns the index of the first selection that contains a row with
// these scopes, -1 if none does.
func indexOfSelection(all []selection, view *View, scopes []string) int {
	return slices.IndexFunc(all, func(s selection) bool { return s.view == view && slices.Contains(scopes, s.scope) })
}

// mayBeSelected reports whether a row may have been selected, to judge by its key
// alone.
func mayBeSelected(all []selection, r row) bool {
	return slices.ContainsFunc(all, func(s selection) bool { return s.view == r.view && r.view.MayBeIn(r.key, s.scope) })
}
