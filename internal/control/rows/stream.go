package rows

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ashore/ashore/internal/aws/protocol/awsjson"
	"github.com/ashore/ashore/internal/pace"
	"github.com/ashore/ashore/internal/store"
)

const (
	// heartbeat is how long a stream is silent at most.
	heartbeat = 5 * time.Second
	// mergeTime is how long a reader that has just been told of changes waits for more:
	// it is told at most 50 times a second.
	mergeTime = 20 * time.Millisecond
)

// A Request is what a reader asks for.
type Request struct {
	// Principal is whom the stream's place is counted for.
	Principal string
	Rights    Rights
	Select    []Select
	// After is the revision after which the reader goes on, nil for one that has
	// nothing yet. History is what the stream before has said together with Synced.
	After   *int64
	History string
	// AtLeast is the revision that the reader's state is to have, or a later one.
	AtLeast int64
}

// Check returns an InputError where a request asks for what there is not.
func (w *Watchers) Check(req *Request) error {
	if req.After != nil && *req.After < 0 {
		return wrong("after must be a revision, not %d.", *req.After)
	}
	_, err := w.selections(req.Select)
	return err
}

// Stream sends lines until ctx ends, a line can't be sent, the reader's rights end, or
// the store does. send must not keep a line. The error is an InputError or a FullError
// where nothing has been sent.
func (w *Watchers) Stream(ctx context.Context, req Request, send func(line []byte) error) error {
	if err := w.Check(&req); err != nil {
		return err
	}
	selected, err := w.selections(req.Select)
	if err != nil {
		return err
	}
	r, err := w.join(req.Principal, selected, req.Rights)
	if err != nil {
		return err
	}
	defer w.leave(r)
	start, err := r.start(ctx, req.AtLeast)
	if err != nil {
		return err
	}
	s := &stream{reader: r}
	s.out.send = func(line []byte) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		// To tell the whole state may take a slow reader minutes.
		if err := r.rights.Valid(w.cfg.Store.Snapshot()); err != nil {
			return err
		}
		return send(line)
	}
	if err := s.begin(start, &req); err != nil {
		return err
	}
	return s.follow(ctx)
}

// A stream carries out one request. It belongs to one goroutine.
type stream struct {
	*reader
	history  string
	out      lines
	was, now []byte // for values
}

// errUnknown says that it can't be told which rows the reader has.
var errUnknown = errors.New("rows: what the reader has is not known")

// begin brings the reader to a snapshot.
func (s *stream) begin(snap *store.Snapshot, req *Request) error {
	if err := s.rights.Valid(snap); err != nil {
		return err
	}
	s.history = s.watchers.history(snap, req)
	if req.After == nil {
		return s.whole(snap, false)
	}
	if req.History != s.history || *req.After > snap.Revision() {
		return s.whole(snap, true)
	}
	switch err := s.resume(snap, *req.After); {
	case errors.Is(err, errUnknown):
		return s.whole(snap, true)
	case err != nil:
		return err
	}
	return s.synced(snap)
}

// history names what a reader's revisions count: one installation's state since it was
// made or restored, by one selection, as one principal, by what one version of the
// program shows.
func (w *Watchers) history(snap *store.Snapshot, req *Request) string {
	in := w.cfg.Store.Installation()
	restored := ""
	if r := snap.Restored(); r != nil {
		restored = r.At.UTC().Format(time.RFC3339Nano)
	}
	text, err := json.Marshal([]any{in.ID, in.Base, restored, w.cfg.Version, req.Principal, req.Select})
	if err != nil {
		panic(fmt.Sprintf("rows: a request that can't be encoded: %v", err)) // it has only text
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// whole tells all rows.
func (s *stream) whole(snap *store.Snapshot, reset bool) error {
	if reset {
		if err := s.out.one(Line{Reset: true}); err != nil {
			return err
		}
	}
	for at, selection := range s.selected {
		v := selection.view
		for key := range v.Keys(snap, selection.scope) {
			if first(s.selected, v, v.Scopes(snap, key)) != at {
				continue // it is another selection's too
			}
			one := row{v, key}
			is, err := s.look(snap, one)
			if err != nil {
				return err
			}
			if is != shown {
				continue
			}
			if !s.describe(snap, one, &s.now) {
				continue
			}
			if err := s.out.add("rows", one, s.now); err != nil {
				return err
			}
		}
	}
	if err := s.out.end(0); err != nil {
		return err
	}
	return s.synced(snap)
}

func (s *stream) synced(snap *store.Snapshot) error {
	return s.out.one(Line{Synced: true, Revision: snap.Revision(), History: s.history})
}

// follow tells changes.
func (s *stream) follow(ctx context.Context) error {
	beat := time.NewTimer(heartbeat)
	defer beat.Stop()
	for {
		due := false
		select {
		case <-s.wake:
		case <-beat.C:
			due = true
		case <-ctx.Done():
			return ctx.Err()
		case <-s.run.ended:
			return s.run.err
		}
		b := s.take()
		if err := s.rights.Valid(b.next); err != nil {
			return err
		}
		s.out.sent = false
		err := s.changes(b)
		if errors.Is(err, errUnknown) {
			s.out.drop()
			err = s.whole(b.next, true)
		}
		if err == nil && due && !s.out.sent {
			err = s.out.one(Line{Revision: b.next.Revision()})
		}
		if err != nil {
			return err
		}
		if !s.out.sent {
			continue
		}
		beat.Reset(heartbeat)
		if err := pace.Sleep(ctx, mergeTime); err != nil {
			return err
		}
	}
}

// changes tells what has changed in a batch. It returns errUnknown, and has sent
// nothing that has a revision, where that can't be told.
func (s *stream) changes(b batch) error {
	if b.prev == nil {
		return nil
	}
	if b.all {
		if err := s.compare(b); err != nil {
			return err
		}
	} else {
		ordered := make([]row, 0, len(b.rows))
		for one := range b.rows {
			ordered = append(ordered, one)
		}
		slices.SortFunc(ordered, func(a, b row) int {
			return cmp.Or(cmp.Compare(a.view.Kind, b.view.Kind), cmp.Compare(a.key, b.key))
		})
		for _, one := range ordered {
			if err := s.change(b, one); err != nil {
				return err
			}
		}
	}
	return s.out.end(b.next.Revision())
}

// compare is change for all rows.
func (s *stream) compare(b batch) error {
	if b.prev.AllReadable("") != nil {
		return errUnknown // of rows that can't be read before, nobody tells that they are gone
	}
	for at, selection := range s.selected {
		v := selection.view
		for key := range v.Keys(b.next, selection.scope) {
			if first(s.selected, v, v.Scopes(b.next, key)) == at {
				if err := s.change(b, row{v, key}); err != nil {
					return err
				}
			}
		}
		for key := range v.Keys(b.prev, selection.scope) {
			if len(v.Scopes(b.next, key)) == 0 && first(s.selected, v, v.Scopes(b.prev, key)) == at {
				if err := s.change(b, row{v, key}); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// change adds a row to the line where the reader has to be told of it.
func (s *stream) change(b batch, one row) error {
	is, err := s.look(b.next, one)
	if err != nil {
		return err
	}
	if is == unknown {
		return nil // the reader keeps what it has
	}
	was, err := s.look(b.prev, one)
	switch {
	case err != nil:
		return err
	case is == shown:
		if !s.describe(b.next, one, &s.now) {
			return nil
		}
		if was == shown && s.describe(b.prev, one, &s.was) && slices.Equal(s.was, s.now) {
			return nil
		}
		return s.out.add("changes", one, s.now)
	case was == shown:
		return s.out.add("changes", one, nil)
	case was == unknown:
		// The reader may have been told of it while it could be read.
		p, err := s.rights.May(b.next, one.view, one.key)
		if err == nil && p.Allowed && p.ByName {
			return s.out.add("changes", one, nil)
		}
		return cmp.Or(err, errUnknown)
	}
	return nil
}

// A sight is what a reader sees of a row.
type sight int

const (
	absent  sight = iota // there is none, it is not selected, or the reader may not see it
	unknown              // it can't be read
	shown
)

func (s *stream) look(snap *store.Snapshot, one row) (sight, error) {
	scopes := one.view.Scopes(snap, one.key)
	if len(scopes) == 0 {
		if one.view.Readable(snap, one.key) != nil {
			return unknown, nil
		}
		return absent, nil
	}
	if first(s.selected, one.view, scopes) < 0 {
		return absent, nil
	}
	p, err := s.rights.May(snap, one.view, one.key)
	if err != nil || !p.Allowed {
		return absent, err
	}
	return shown, nil
}

// describe encodes a row's value, and returns false where it can't be told.
func (s *stream) describe(snap *store.Snapshot, one row, value *[]byte) bool {
	v, err := one.view.Describe(snap, one.key)
	if err == nil {
		*value, err = awsjson.Append((*value)[:0], v)
	}
	if err != nil {
		s.watchers.cfg.Log.Warn("rows: a row can't be described", "kind", one.view.Kind, "key", one.key, "err", err)
	}
	return err == nil
}
