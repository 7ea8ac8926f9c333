package client

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/ashore/ashore/internal/pace"
)

// WatchSelect selects the rows of a kind, narrowed down by names and values. See
// docs/data.md.
type WatchSelect struct {
	Kind  string            `json:"kind"`
	Where map[string]string `json:"where,omitempty"`
}

type watchInput struct {
	Select  []WatchSelect `json:"select"`
	After   *int64        `json:"after,omitempty"`
	History string        `json:"history,omitempty"`
}

// Watch calls handle with the selected rows, and then with each change of them, until
// ctx ends, handle fails, or the server refuses.
//
// When a connection ends, Watch calls report with the error and connects again, to any
// server. The stream continues where it ended. Each update is one whole step, from the
// state of one revision to the state of a later one. If the servers no longer know the
// changes in between, the update contains the rows that differ.
func (c *Client) Watch(ctx context.Context, selected []WatchSelect, handle func(WatchUpdate) error, report func(error)) error {
	var p replica
	return follow(ctx, report, func(wait *pace.Backoff) (bool, error) {
		in := watchInput{Select: selected}
		in.After, in.History = p.startStream()
		return false, c.stream(ctx, "Watch", in, func(line []byte) (bool, error) {
			var l watchLine
			if err := json.Unmarshal(line, &l); err != nil {
				return false, fmt.Errorf("Watch: %w", err)
			}
			u, ok := p.apply(&l)
			if l.Revision != 0 {
				wait.Reset()
			}
			if !ok {
				return false, nil
			}
			if err := handle(u); err != nil {
				return false, &consumerError{err}
			}
			return false, nil
		})
	})
}
