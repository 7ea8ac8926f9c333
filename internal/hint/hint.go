// Package hint pairs an error of the command line with what to do about it.
package hint

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/ashore/ashore/internal/plain"
)

// Error is an error with advice. It prints as two lines, `error:` and `hint:`.
type Error struct {
	Err  error
	Hint string
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// With adds advice to err; a nil err stays nil.
func With(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return &Error{Err: err, Hint: fmt.Sprintf(format, args...)}
}

// Print writes err as the command line shows it: the error, then the innermost
// advice, which is the one nearest to the cause. An error may quote what a host
// said: it holds no control characters here, and its further lines are indented, so
// that none passes for advice.
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
