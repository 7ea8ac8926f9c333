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

// newLink returns the server of the agents' sessions.
func newLink(ctx context.Context, id string, st *store.Store, auth link.Authorizer, log *slog.Logger) (*link.Server, error) {
	l, err := link.New(ctx, link.Config{
		Store: st, Auth: auth, ID: id, Log: log, Away: unreachableUntil(time.Now()),
	})
	if err != nil {
		return nil, fmt.Errorf("serve the agents: %w", err)
	}
	return l, nil
}

// bootGrace is how long after a boot a machine counts as just booted.
const bootGrace = 10 * time.Minute

// unreachableUntil returns until when no agent could reach this server. That is now if
// only the server restarted. It is the zero time if the whole machine has just booted.
// The hosts may have lost power as well then, and may have booted, too.
func unreachableUntil(now time.Time) time.Time {
	if up, ok := uptime(); !ok || up < bootGrace {
		return time.Time{}
	}
	return now
}

// uptime returns how long this machine has been up. ok is false if that is unknown.
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

// mount mounts the link's two paths at the front door.
func mount(door *frontdoor.Server, l *link.Server) {
	door.Mount("/acs/ws", l.ACS())
	door.Mount("/tcs/ws", l.TCS())
}
