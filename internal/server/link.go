package server

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/ashore/ashore/internal/frontdoor"
	"github.com/ashore/ashore/internal/link"
	"github.com/ashore/ashore/internal/store"
)

// newLink begins to serve the agents' sessions.
func newLink(ctx context.Context, id string, st *store.Store, auth link.Authorizer, log *slog.Logger) (*link.Server, error) {
	l, err := link.New(ctx, link.Config{
		Store: st, Auth: auth, ID: id, Log: log, Away: unreachableUntil(time.Now()),
	})
	if err != nil {
		return nil, fmt.Errorf("serve the agents: %w", err)
	}
	return l, nil
}

// bootGrace is how long a machine has been up when it no longer has just booted.
const bootGrace = 10 * time.Minute

// unreachableUntil is until when no agent could reach this server: until now, where the server
// alone was restarted. Where the whole machine was, the others' power may have failed
// with it: they have booted anew too.
func unreachableUntil(now time.Time) time.Time {
	if up, ok := uptime(); !ok || up < bootGrace {
		return time.Time{}
	}
	return now
}

// uptime is how long this machine has been up, where that is known.
func uptime() (time.Duration, bool) {
	data, err := os.ReadFile("/proc/uptime")
	if err != nil {
		return 0, false
	}
	var seconds float64
	if _, err := fmt.Sscan(string(data), &seconds); err != nil {
		return 0, false
	}
	return time.Duration(seconds * float64(time.Second)), true
}

// mount gives the link its two paths.
func mount(door *frontdoor.Server, l *link.Server) {
	door.Mount("/acs/ws", l.ACS())
	door.Mount("/tcs/ws", l.TCS())
}
