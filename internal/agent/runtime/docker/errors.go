package docker

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"

	"github.com/ashore/ashore/internal/agent/runtime"
)

// convertError returns the error with its kind and the same text. There are three sources
// of errors:
//
// - The connection: client.IsErrConnectionFailed and the error types of io and net. The
// kind is ErrUnreachable, and the result of the call is unknown.
//   - The engine's answers: they have a status and begin with "Error response from daemon".
//
// - The client itself: it refuses arguments (errdefs.ErrInvalidArgument, an invalid
// reference or URL, an empty id, which it reports as not found), or can't decode an answer
// (errors of json, client.ErrRedirect).
//
// A decision of the engine or of the client is never ErrUnreachable, since waiting does
// not change it.
func convertError(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	text := err.Error()
	var kind error
	switch {
	case isConnectionError(err):
		kind = runtime.ErrUnreachable
	case errdefs.IsNotFound(err):
		kind = runtime.ErrNotFound
	case errdefs.IsConflict(err) && strings.Contains(text, "is already in use by container"):
		kind = runtime.ErrNameTaken
	case strings.Contains(text, "port is already allocated"), strings.Contains(text, "address already in use"),
		strings.Contains(text, "ports are not available"):
		kind = runtime.ErrPortTaken
	case errdefs.IsConflict(err) && strings.Contains(text, "is not running"):
		kind = runtime.ErrNotRunning
	case errdefs.IsConflict(err) && (strings.Contains(text, "running container") || // before 25
		strings.Contains(text, "container is running")):
		kind = runtime.ErrRunning
	}
	return &runtime.Error{Kind: kind, Err: err}
}

// isConnectionError reports whether the connection to the engine failed, or ended before
// the answer.
func isConnectionError(err error) bool {
	if errors.Is(err, client.ErrRedirect) {
		return false // an answer, though the client treats it as a failed connection
	}
	var op *net.OpError
	return client.IsErrConnectionFailed(err) || errors.As(err, &op) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}
