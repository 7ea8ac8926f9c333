package frontdoor

import (
	"context"
	"net/http"
	"time"
)

// A Stream is an answer of JSON lines that go on as long as Stream runs. A handler
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

// stream writes a stream as the answer. An error after the first line ends the stream.
func (x *exchange) stream(st Stream) error {
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
