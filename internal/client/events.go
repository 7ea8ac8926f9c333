package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/ashore/ashore/internal/pace"
)

// EventsInput selects events; see StreamEvents of the API.
type EventsInput struct {
	Cluster     string   `json:"cluster,omitempty"`
	Service     string   `json:"service,omitempty"`
	Task        string   `json:"task,omitempty"`
	DetailTypes []string `json:"detailTypes,omitempty"`
	After       *int64   `json:"after,omitempty"`
	Follow      bool     `json:"follow,omitempty"`
}

// EventLine is one line of the answer.
type EventLine struct {
	Revision int64             `json:"revision"`
	Gap      *EventGap         `json:"gap"`
	Events   []json.RawMessage `json:"events"`
	End      bool              `json:"end"`
}

// EventGap is a gap in the stream: it lacks the events of the revisions after After up
// to Through.
type EventGap struct{ After, Through int64 }

// maxBackoff is the longest wait between two connection attempts.
const maxBackoff = 5 * time.Second

// Events calls handle for every line until ctx ends. If in.Follow is false, it ends
// after the last known event. When a connection ends, Events calls report with the
// error and connects again, and the stream continues where it ended. A refusal ends
// Events.
func (c *Client) Events(ctx context.Context, in EventsInput, handle func(EventLine) error, report func(error)) error {
	wait := pace.Backoff{Min: 100 * time.Millisecond, Max: maxBackoff}
	for {
		ended, err := c.readEvents(ctx, &in, func(l EventLine) error {
			wait.Reset()
			if err := handle(l); err != nil {
				return &consumerError{err}
			}
			in.After = &l.Revision
			return nil
		})
		var refused *Error
		var consumer *consumerError
		switch {
		case ended:
			return nil
		case errors.As(err, &consumer):
			return consumer.error
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &refused) && refused.Code != "LimitExceededException" && refused.Code != "ServerException":
			return refused
		case err != nil:
			report(err)
		}
		if err := pace.Sleep(ctx, pace.About(wait.Next())); err != nil {
			return err
		}
	}
}

// consumerError is an error of the caller's function, not of the connection.
type consumerError struct{ error }

// readEvents reads the lines of one connection.
func (c *Client) readEvents(ctx context.Context, in *EventsInput, handle func(EventLine) error) (ended bool, err error) {
	err = c.stream(ctx, "StreamEvents", in, func(line []byte) (bool, error) {
		var l EventLine
		if err := json.Unmarshal(line, &l); err != nil {
			return false, fmt.Errorf("StreamEvents: %w", err)
		}
		ended = l.End
		return l.End, handle(l)
	})
	return ended && err == nil, err
}
