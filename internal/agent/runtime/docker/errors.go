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

// convertError gives an error its kind and keeps its text. There are three sources:
//
//   - the connection, which client.IsErrConnectionFailed and the error types of
//     io and net tell: ErrUnreachable, nothing is known;
//   - the engine's answers, which carry a status and begin with "Error response
//     from daemon";
//   - the client itself, which refuses arguments (errdefs.ErrInvalidArgument, a
//     reference's or a URL's error, an empty id that it says is not found) or
//     can't read an answer (json's errors, client.ErrRedirect).
//
// What an engine or its client has decided is no matter of waiting for it.
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

// isConnectionError tells whether the connection to the engine could not be had, or ended
// before its answer.
func isConnectionError(err error) bool {
	if errors.Is(err, client.ErrRedirect) {
		return false // an answer, which the client takes for a failed connection
	}
	var op *net.OpError
	return client.IsErrConnectionFailed(err) || errors.As(err, &op) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}
