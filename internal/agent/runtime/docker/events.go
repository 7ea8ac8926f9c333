package docker

import (
	"context"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/client"

	"github.com/ashore/ashore/internal/agent/runtime"
)

// Events follows the engine's event stream. The engine subscribes before it answers the
// request, so no event is missed after subscribed.
func (d *Docker) Events(ctx context.Context, labels map[string]string, subscribed func(), on func(runtime.Event)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	f := labelFilters(labels).Add("type", "container")
	for _, a := range []string{"start", "die", "oom", "destroy", "health_status"} {
		f.Add("event", a)
	}
	stream := d.api.Events(ctx, client.EventsListOptions{Filters: f})
	// If the stream could not be opened, its error is already available.
	select {
	case err := <-stream.Err:
		return streamError(err)
	default:
	}
	subscribed()
	for {
		select {
		case m := <-stream.Messages:
			if e, ok := toEvent(m); ok {
				on(e)
			}
		case err := <-stream.Err:
			return streamError(err)
		}
	}
}

func streamError(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return &runtime.Error{Kind: runtime.ErrUnreachable, Err: errors.New("docker: event stream ended")}
	}
	return convertError(err)
}

func toEvent(m events.Message) (runtime.Event, bool) {
	e := runtime.Event{ID: m.Actor.ID, Labels: m.Actor.Attributes, At: time.Unix(0, m.TimeNano)}
	action, rest, _ := strings.Cut(string(m.Action), ":")
	switch action {
	case "start":
		e.Kind = runtime.EventStarted
	case "die":
		e.Kind = runtime.EventExited
		code, err := strconv.Atoi(m.Actor.Attributes["exitCode"])
		if err != nil {
			return e, false
		}
		e.ExitCode = code
	case "oom":
		e.Kind = runtime.EventOOM
	case "destroy":
		e.Kind = runtime.EventRemoved
	case "health_status":
		e.Kind = runtime.EventHealth
		e.Health = toHealth(strings.TrimSpace(rest))
	default:
		return e, false
	}
	return e, true
}
