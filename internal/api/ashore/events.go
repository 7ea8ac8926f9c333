package ashore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ashore/ashore/internal/control/events"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/frontdoor"
	"github.com/aws/smithy-go"
)

const (
	// maxStreams is the largest number of streams of events that one server serves at
	// one time.
	maxStreams = 100
	// heartbeat is the longest time without a line.
	heartbeat = 5 * time.Second
)

// StreamEventsInput selects events. A service or a task belongs to the cluster, which
// is default unless named. Without all three, the stream has all events.
type StreamEventsInput struct {
	Cluster     string   `json:"cluster"`
	Service     string   `json:"service"`
	Task        string   `json:"task"`
	DetailTypes []string `json:"detailTypes"`
	// After is the revision up to which the caller knows the events. Nil means: with
	// Follow, the stream has the events from now on. Without Follow, it has all events
	// that are still known.
	After  *int64 `json:"after"`
	Follow bool   `json:"follow"` // continue with future events
}

// EventLine is a line of a stream of events. A line without events, gap or end shows
// only that the stream has reached Revision and that the server is alive.
type EventLine struct {
	Revision int64          `json:"revision"`      // a stream after this revision continues from here
	Gap      *events.Gap    `json:"gap,omitempty"` // events that the stream could not send
	Events   []events.Event `json:"events,omitempty"`
	End      bool           `json:"end,omitempty"` // the last requested event was sent
}

// EventStream is the answer of StreamEvents.
type EventStream struct {
	service *Service
	events  *events.Stream
	until   int64 // revision; 0: no end
}

// StreamEvents sends what happens in the installation.
func (s *Service) StreamEvents(ctx context.Context, in *StreamEventsInput) (*EventStream, error) {
	f, err := s.eventFilter(in)
	if err != nil {
		return nil, err
	}
	snap, err := s.store.Fresh(ctx)
	if err != nil {
		return nil, err
	}
	var after int64
	switch {
	case in.After == nil && in.Follow:
		after = snap.Revision()
	case in.After == nil:
		after = s.store.OldestMoment()
	case *in.After < 0 || *in.After > snap.Revision():
		return nil, invalid("after must be a revision of this installation, from 0 to %d, not %d.", snap.Revision(), *in.After)
	default:
		after = *in.After
	}
	out := &EventStream{service: s, events: events.Follow(s.store, after, f)}
	if !in.Follow {
		out.until = snap.Revision()
	}
	return out, nil
}

func invalid(format string, args ...any) error {
	return &smithy.GenericAPIError{Code: "InvalidParameterException", Fault: smithy.FaultClient, Message: fmt.Sprintf(format, args...)}
}

func (s *Service) eventFilter(in *StreamEventsInput) (events.Filter, error) {
	f := events.Filter{DetailTypes: in.DetailTypes}
	for _, d := range in.DetailTypes {
		if !slices.Contains(events.DetailTypes, d) {
			return f, invalid("detailTypes: %q is none of %s.", d, strings.Join(events.DetailTypes, ", "))
		}
	}
	if in.Service != "" && in.Task != "" {
		return f, invalid("service and task can not be given together.")
	}
	if in.Cluster == "" && in.Service == "" && in.Task == "" {
		return f, nil
	}
	var ok bool
	if f.Cluster, ok = s.store.Site().ClusterName(in.Cluster); !ok {
		return f, invalid("cluster: %q is no cluster of this installation.", in.Cluster)
	}
	if in.Service != "" {
		if f.Service, ok = s.store.Site().MemberID("service", f.Cluster, in.Service); !ok {
			return f, invalid("service: %q is no service of the cluster %s.", in.Service, f.Cluster)
		}
	}
	if in.Task != "" {
		if f.Task, ok = s.store.Site().MemberID("task", f.Cluster, in.Task); !ok || !fleet.IsID(f.Task) {
			return f, invalid("task: %q is no task of the cluster %s.", in.Task, f.Cluster)
		}
	}
	return f, nil
}

// eventResources returns the resources that a stream is about: a cluster, or one of its
// services or tasks, none for all.
func (s *Service) eventResources(in *StreamEventsInput) []string {
	f, err := s.eventFilter(in)
	site := s.store.Site()
	switch {
	case err != nil || f.Cluster == "":
		return nil
	case f.Service != "":
		return []string{site.ServiceARN(f.Cluster, f.Service)}
	case f.Task != "":
		return []string{site.TaskARN(f.Cluster, f.Task)}
	}
	return []string{site.ClusterARN(f.Cluster)}
}

var _ frontdoor.Stream = (*EventStream)(nil)

// Stream sends an EventLine for each revision with events, and a heartbeat while
// nothing happens.
func (st *EventStream) Stream(ctx context.Context, send func([]byte) error) error {
	if st.service.streams.Add(1) > maxStreams {
		st.service.streams.Add(-1)
		return &smithy.GenericAPIError{Code: "LimitExceededException", Fault: smithy.FaultClient,
			Message: fmt.Sprintf("This server serves %d streams of events already.", maxStreams)}
	}
	defer st.service.streams.Add(-1)
	sendLine := func(l EventLine) error {
		b, err := json.Marshal(l)
		if err != nil {
			return err
		}
		return send(b)
	}
	// The first line comes at once. It shows the caller that the stream runs, and where
	// it begins.
	if err := sendLine(EventLine{Revision: st.events.Position()}); err != nil {
		return err
	}
	for {
		if st.until > 0 && st.events.Position() >= st.until {
			return sendLine(EventLine{Revision: st.events.Position(), End: true})
		}
		b, err := st.nextBatch(ctx)
		if err != nil {
			return err
		}
		if b.Gap != nil {
			if err := sendLine(EventLine{Revision: b.Gap.Through, Gap: b.Gap}); err != nil {
				return err
			}
		}
		for _, r := range b.Revisions {
			if st.until > 0 && r.Revision > st.until {
				break
			}
			if err := sendLine(EventLine{Revision: r.Revision, Events: r.Events}); err != nil {
				return err
			}
		}
		if err := sendLine(EventLine{Revision: b.Through}); err != nil {
			return err
		}
	}
}

// nextBatch returns the next events. It returns an empty batch if nothing happens for a
// while.
func (st *EventStream) nextBatch(ctx context.Context) (events.Batch, error) {
	patience := heartbeat
	if st.until > 0 {
		patience = 0 // all events up to st.until exist already
	}
	wait, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	b, err := st.events.Next(wait)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return events.Batch{Through: st.events.Position()}, nil
	}
	return b, err
}
