// Package hint pairs an error of the command line with a hint about what to do.
package hint

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/ashore/ashore/internal/plain"
)

// Error is an error with a hint. It prints as two lines, `error:` and `hint:`.
type Error struct {
	Err  error
	Hint string
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// With adds a hint to err. It returns nil for a nil err.
func With(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return &Error{Err: err, Hint: fmt.Sprintf(format, args...)}
}

// Print prints err as the command line shows it: the error, then the innermost hint,
// which is nearest to the cause. An error may quote text of a host. Print removes its
// control characters and indents its further lines, so that none of them looks like a
// hint.
func Print(w io.Writer, err error) {
	fmt.Fprintf(w, "error: %s\n", indented(err.Error()))
	var advice string
	for e := err; e != nil; {
		var h *Error
		if !errors.As(e, &h) {
			break
		}
		advice, e = h.Hint, h.Err
	}
	if advice != "" {
		fmt.Fprintf(w, "hint: %s\n", indented(advice))
	}
}

func indented(text string) string { return strings.ReplaceAll(plain.Lines(text), "\n", "\n  ") }
