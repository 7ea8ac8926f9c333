// Package protocol has what AWS's protocols share: the errors of a document, and the
// limits of a document.
package protocol

import (
	"errors"
	"fmt"
)

// Error says which part of a document could not be decoded, or which part of a value
// could not be encoded.
type Error struct {
	Path string // "containerDefinitions[2].cpu"; empty for the document itself
	Msg  string
	Err  error // the cause, or nil
}

func (e *Error) Error() string {
	if e.Path == "" {
		return e.Msg
	}
	return e.Path + ": " + e.Msg
}

func (e *Error) Unwrap() error { return e.Err }

// Errorf returns an Error of the document itself.
func Errorf(format string, args ...any) error {
	return &Error{Msg: fmt.Sprintf(format, args...)}
}

// At adds an element to the front of err's path.
func At(elem string, err error) error {
	var e *Error
	if !errors.As(err, &e) {
		e = &Error{Msg: err.Error(), Err: err}
	}
	switch {
	case elem == "", e.Path == "", e.Path[0] == '[':
		e.Path = elem + e.Path
	default:
		e.Path = elem + "." + e.Path
	}
	return e
}
