package server

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/ashore/ashore/internal/frontdoor"
	"github.com/ashore/ashore/internal/link"
	"github.com/ashore/ashore/internal/store"
)

// newLink begins to serve the agents' sessions.
func newLink(ctx context.Context, id string, st *store.Store, auth frontdoor.Authorizer, log *slog.Logger) (*link.Server, error) {
	l, err := link.New(ctx, link.Config{
		Store: st, Auth: auth, ID: id, Log: log,
	})
	if err != nil {
		return nil, fmt.Errorf("serve the agents: %w", err)
	}
	return l, nil
}

// mount gives the link its two paths.
func mount(door *frontdoor.Server, l *link.Server) {
	door.Mount("/acs/ws", l.ACS())
	door.Mount("/tcs/ws", l.TCS())
}
