package frontdoor

import (
	"context"
	"errors"
	"net/http"
	"os"
	"time"

	"github.com/ashore/ashore/internal/aws/protocol"
)

// A Stream is an answer of JSON lines, sent for as long as Stream runs. A handler
// returns it in place of a structure.
type Stream interface {
	// Stream sends lines until there are no more or ctx ends. ctx ends if the client
	// has gone, if the server stops, or after streamLimit. send fails if the client
	// does not read a line in time.
	Stream(ctx context.Context, send func(line []byte) error) error
}

const (
	// streamLimit is the longest time of a stream: a stream must not go on after its
	// key was deleted. The client then begins another stream.
	streamLimit = 10 * time.Minute
	// sendTimeout is how long a client may take to read a line.
	sendTimeout = 10 * time.Second
)

// newReadTimeout returns the error of a stream whose client did not read a line in
// time. It is the client's fault.
func newReadTimeout(err error) error {
	return &faultError{fault{Fault: protocol.Fault{Status: http.StatusRequestTimeout, Code: "RequestTimeoutException",
		Message: "A line was not taken within " + sendTimeout.String() + "."}, detail: err, isPublic: true}}
}

// stream writes a stream as the answer. An error after the first line ends the stream.
// Before the first line the call returns its memory, because a stream lasts long.
func (x *exchange) stream(st Stream) error {
	x.returnLoans()
	ctx, cancel := context.WithTimeout(x.r.Context(), streamLimit)
	defer cancel()
	defer context.AfterFunc(x.s.ending, cancel)()
	control := http.NewResponseController(x.w)
	// The limits of calls are too short for a stream. From here on each line has a
	// limit of its own.
	if err := control.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	x.w.Header().Set("Content-Type", "application/x-ndjson")
	x.w.Header().Set("X-Content-Type-Options", "nosniff")
	var timedOut error
	err := st.Stream(ctx, func(line []byte) error {
		if err := control.SetWriteDeadline(time.Now().Add(sendTimeout)); err != nil {
			return err
		}
		_, err := x.w.Write(append(line, '\n'))
		if err == nil {
			err = control.Flush()
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			timedOut = err
		}
		return err
	})
	switch {
	case timedOut != nil: // net/http has ended the context because of it
		return newReadTimeout(timedOut)
	case err != nil && ctx.Err() == nil:
		return err
	}
	return control.SetWriteDeadline(time.Now().Add(sendTimeout))
}
