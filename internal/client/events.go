package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
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

const (
	// silenceLimit is how long a server may send nothing before the client considers it
	// dead. A server sends a line at least every five seconds.
	silenceLimit = 20 * time.Second
	// maxBackoff is the longest wait between two connection attempts.
	maxBackoff = 5 * time.Second
)

// Events calls each for every line until ctx ends. If In.Follow is false, it ends after
// the last known event. When a connection ends, Events calls note with the error and
// connects again, and the stream continues where it ended. A refusal ends Events.
func (c *Client) Events(ctx context.Context, in EventsInput, each func(EventLine) error, note func(error)) error {
	wait := pace.Backoff{Min: 100 * time.Millisecond, Max: maxBackoff}
	for {
		ended, err := c.readEvents(ctx, &in, func(l EventLine) error {
			wait.Reset()
			if err := each(l); err != nil {
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
			note(err)
		}
		if err := pace.Sleep(ctx, pace.About(wait.Next())); err != nil {
			return err
		}
	}
}

// consumerError is an error of the caller's function, not of the connection.
type consumerError struct{ error }

// readEvents reads the lines of one connection.
func (c *Client) readEvents(ctx context.Context, in *EventsInput, each func(EventLine) error) (ended bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watchdog := time.AfterFunc(silenceLimit, func() { cancel(errors.New("the server has gone silent")) })
	defer watchdog.Stop()
	resp, err := c.send(ctx, &http.Client{Transport: c.http.Transport}, "StreamEvents", in)
	if err != nil {
		return false, errors.Join(err, context.Cause(ctx))
	}
	defer resp.Body.Close()
	for r := bufio.NewReader(resp.Body); ; {
		line, err := r.ReadBytes('\n')
		switch {
		case errors.Is(err, io.EOF) && len(line) == 0:
			return false, nil // the server ends old streams
		case err != nil:
			if cause := context.Cause(ctx); cause != nil {
				err = cause
			}
			return false, fmt.Errorf("StreamEvents: %w", err)
		}
		watchdog.Reset(silenceLimit)
		var l EventLine
		if err := json.Unmarshal(line, &l); err != nil {
			return false, fmt.Errorf("StreamEvents: %w", err)
		}
		if err := each(l); err != nil || l.End {
			return l.End, err
		}
	}
}
