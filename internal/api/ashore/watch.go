package ashore

import (
	"context"
	"errors"

	"github.com/ashore/ashore/internal/control/rows"
	"github.com/ashore/ashore/internal/frontdoor"
	"github.com/ashore/ashore/internal/identity"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/smithy-go"
)

// watchBody is the size in bytes of the largest body of a Watch call.
const watchBody = 64 << 10

// WatchInput selects rows, and says where a stream continues.
type WatchInput struct {
	// Select has 1 to 32 kinds of rows, each narrowed down by names and values.
	Select []rows.Select `json:"select"`
	// After is the newest revision that an earlier stream of the same selection has
	// sent, nil for the whole state.
	After *int64 `json:"after"`
	// History is the value that the earlier stream sent with "synced".
	History string `json:"history"`
}

// WatchStream is the answer of Watch. Each of its lines is a rows.Line.
type WatchStream struct {
	watchers *rows.Watchers
	request  rows.Request
}

// A Decider decides by a snapshot what a principal may do.
type Decider interface {
	Decide(s *store.Snapshot, r identity.Request) (identity.Decision, error)
}

// A TagsFunc returns the tags that a snapshot has for the resource of an ARN, none if
// there is no such resource. An error says that they can't be read.
type TagsFunc func(s *store.Snapshot, arn string) ([]identity.Tag, error)

func watchOperation() frontdoor.Operation {
	op := frontdoor.Op[WatchInput]("ashore:Watch", nil)
	op.BodyLimit = watchBody
	return op
}

// Watch sends a part of the state, and then each change of it. The caller needs the
// right to call Watch, and the right to each row, which the row's view names. Watch
// leaves out the rows that the caller may not see.
func (s *Service) Watch(ctx context.Context, in *WatchInput) (*WatchStream, error) {
	c := frontdoor.CallerFrom(ctx)
	req := rows.Request{
		Principal: c.Principal.ARN, Rights: &rights{s.auth, s.tags, c}, Select: in.Select, After: in.After, History: in.History,
	}
	if err := s.watchers.Check(&req); err != nil {
		return nil, watchError(err)
	}
	snap, err := s.store.Fresh(ctx)
	if err != nil {
		return nil, err
	}
	req.AtLeast = snap.Revision()
	return &WatchStream{s.watchers, req}, nil
}

var _ frontdoor.Stream = (*WatchStream)(nil)

// Stream sends lines, and a heartbeat while nothing happens.
func (st *WatchStream) Stream(ctx context.Context, send func([]byte) error) error {
	return watchError(st.watchers.Stream(ctx, st.request, send))
}

// watchError returns the API's error for an error of the watchers.
func watchError(err error) error {
	var input *rows.InputError
	var full *rows.FullError
	switch {
	case errors.As(err, &input):
		return invalid("%s", input.Message)
	case errors.As(err, &full):
		return &smithy.GenericAPIError{Code: "LimitExceededException", Fault: smithy.FaultClient, Message: full.Message}
	case errors.Is(err, identity.ErrUnknownKey):
		return &smithy.GenericAPIError{Code: "UnrecognizedClientException", Fault: smithy.FaultClient, Message: "The access key is not valid any more."}
	}
	return err
}

// rights are the rights of a caller.
type rights struct {
	auth   Decider
	tags   TagsFunc
	caller frontdoor.Caller
}

func (r *rights) CheckValid(s *store.Snapshot) error {
	return identity.CheckKey(s, r.caller.Principal, r.caller.AccessKeyID)
}

func (r *rights) CheckRow(s *store.Snapshot, v *rows.View, key string) (rows.Permission, error) {
	d, err := r.auth.Decide(s, identity.Request{
		Caller: r.caller.Principal, Action: v.Action, Resources: []string{v.Resource(key)},
		Context: func(name string) []string {
			if values := r.caller.Values(name); values != nil || v.Context == nil {
				return values
			}
			return v.Context(key, name)
		},
		Tags: func(resource string) ([]identity.Tag, error) { return r.tags(s, resource) },
	})
	return rows.Permission{Allowed: d.Allowed, ByNameAlone: !d.UsedRecords}, err
}

func (r *rights) DependOn(c store.Change) bool {
	return identity.RightsDependOn(c, r.caller.Principal, r.caller.AccessKeyID)
}
