package client

import (
	"context"
	"encoding/json"
	"fmt"

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

// Events calls handle for every line until ctx ends. If in.Follow is false, it ends
// after the last known event. When a connection ends, Events calls report with the
// error and connects again, and the stream continues where it ended. A refusal ends
// Events.
func (c *Client) Events(ctx context.Context, in EventsInput, handle func(EventLine) error, report func(error)) error {
	return follow(ctx, report, func(wait *pace.Backoff) (ended bool, err error) {
		err = c.stream(ctx, "StreamEvents", &in, func(line []byte) (bool, error) {
			var l EventLine
			if err := json.Unmarshal(line, &l); err != nil {
				return false, fmt.Errorf("StreamEvents: %w", err)
			}
			wait.Reset()
			if err := handle(l); err != nil {
				return false, &consumerError{err}
			}
			in.After, ended = &l.Revision, l.End
			return ended, nil
		})
		return ended && err == nil, err
	})
}
