package frontdoor

import (
	"context"
	"net/http"
	"time"
)

// A Stream is an answer that goes on: lines of JSON, one after another, as long
// as Stream runs. A handler returns it in place of a structure.
type Stream interface {
	// Stream sends lines until there are no more, or ctx ends: the client is
	// gone, the server ends, or the stream is as old as any may get. send fails
	// where the client does not take a line in time.
	Stream(ctx context.Context, send func(line []byte) error) error
}

const (
	// streamLimit is how long a stream lasts at most: a key that has ended must not
	// go on listening. The client begins another one.
	streamLimit = 10 * time.Minute
	// sendTimeout is how long a client may take for a line.
	sendTimeout = 10 * time.Second
)

// stream answers by a stream. What goes wrong after the first line ends it.
func (x *exchange) stream(st Stream) error {
	ctx, cancel := context.WithTimeout(x.r.Context(), streamLimit)
	defer cancel()
	defer context.AfterFunc(x.s.ending, cancel)()
	control := http.NewResponseController(x.w)
	// The limits of calls are too short for it; from here on each line has its own.
	if err := control.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	x.w.Header().Set("Content-Type", "application/x-ndjson")
	x.w.Header().Set("X-Content-Type-Options", "nosniff")
	err := st.Stream(ctx, func(line []byte) error {
		if err := control.SetWriteDeadline(time.Now().Add(sendTimeout)); err != nil {
			return err
		}
		if _, err := x.w.Write(append(line, '\n')); err != nil {
			return err
		}
		return control.Flush()
	})
	if err != nil && ctx.Err() == nil {
		return err
	}
	return control.SetWriteDeadline(time.Now().Add(sendTimeout))
}
