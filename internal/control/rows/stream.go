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
		return inputErrorf("after must be a revision, not %d.", *req.After)
	}
	_, err := w.findSelections(req.Select)
	return err
}

// Stream sends lines until ctx ends, a line can't be sent, the reader's rights end, or
// the store does. send must not keep a line. The error is an InputError or a FullError
// where nothing has been sent.
func (w *Watchers) Stream(ctx context.Context, req Request, send func(line []byte) error) error {
	if err := w.Check(&req); err != nil {
		return err
	}
	selected, err := w.findSelections(req.Select)
	if err != nil {
		return err
	}
	r, err := w.join(req.Principal, selected, req.Rights)
	if err != nil {
		return err
	}
	defer w.leave(r)
	start, err := r.waitForRevision(ctx, req.AtLeast)
	if err != nil {
		return err
	}
	s := &stream{reader: r}
	s.out.send = func(line []byte) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		// To tell the whole state may take a slow reader minutes.
		if err := r.rights.CheckValid(w.cfg.Store.Snapshot()); err != nil {
			return err
		}
		return send(line)
	}
	if err := s.catchUp(start, &req); err != nil {
		return err
	}
	return s.follow(ctx)
}

// A stream carries out one request. It belongs to one goroutine.
type stream struct {
	*reader
	history            string
	out                lineWriter
	oldValue, newValue []byte // for values
}

// errStateUnknown says that it can't be told which rows the reader has.
var errStateUnknown = errors.New("rows: what the reader has is not known")

// catchUp brings the reader to a snapshot.
func (s *stream) catchUp(snap *store.Snapshot, req *Request) error {
	if err := s.rights.CheckValid(snap); err != nil {
		return err
	}
	s.history = s.watchers.history(snap, req)
	if req.After == nil {
		return s.sendAll(snap, false)
	}
	if req.History != s.history || *req.After > snap.Revision() {
		return s.sendAll(snap, true)
	}
	switch err := s.resume(snap, *req.After); {
	case errors.Is(err, errStateUnknown):
		return s.sendAll(snap, true)
	case err != nil:
		return err
	}
	return s.sendSynced(snap)
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

// sendAll tells all rows.
func (s *stream) sendAll(snap *store.Snapshot, reset bool) error {
	if reset {
		if err := s.out.writeLine(Line{Reset: true}); err != nil {
			return err
		}
	}
	for at, selection := range s.selected {
		v := selection.view
		for key := range v.Keys(snap, selection.scope) {
			if indexOfSelection(s.selected, v, v.Scopes(snap, key)) != at {
				continue // it is another selection's too
			}
			one := row{v, key}
			seen, err := s.inspect(snap, one)
			if err != nil {
				return err
			}
			if seen != visible {
				continue
			}
			if !s.encodeRow(snap, one, &s.newValue) {
				continue
			}
			if err := s.out.add("rows", one, s.newValue); err != nil {
				return err
			}
		}
	}
	if err := s.out.finish(0); err != nil {
		return err
	}
	return s.sendSynced(snap)
}

func (s *stream) sendSynced(snap *store.Snapshot) error {
	return s.out.writeLine(Line{Synced: true, Revision: snap.Revision(), History: s.history})
}

// follow tells changes.
func (s *stream) follow(ctx context.Context) error {
	beat := time.NewTimer(heartbeat)
	defer beat.Stop()
	for {
		heartbeatDue := false
		select {
		case <-s.wake:
		case <-beat.C:
			heartbeatDue = true
		case <-ctx.Done():
			return ctx.Err()
		case <-s.run.ended:
			return s.run.err
		}
		b := s.popBatch()
		if err := s.rights.CheckValid(b.next); err != nil {
			return err
		}
		s.out.sent = false
		err := s.sendChanges(b)
		if errors.Is(err, errStateUnknown) {
			s.out.discard()
			err = s.sendAll(b.next, true)
		}
		if err == nil && heartbeatDue && !s.out.sent {
			err = s.out.writeLine(Line{Revision: b.next.Revision()})
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

// sendChanges tells what has changed in a batch. It returns errUnknown, and has sent
// nothing that has a revision, where that can't be told.
func (s *stream) sendChanges(b batch) error {
	if b.prev == nil {
		return nil
	}
	if b.all {
		if err := s.compareAll(b); err != nil {
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
			if err := s.addChange(b, one); err != nil {
				return err
			}
		}
	}
	return s.out.finish(b.next.Revision())
}

// compareAll is change for all rows.
func (s *stream) compareAll(b batch) error {
	if b.prev.AllReadable("") != nil {
		return errStateUnknown // of rows that can't be read before, nobody tells that they are gone
	}
	for at, selection := range s.selected {
		v := selection.view
		for key := range v.Keys(b.next, selection.scope) {
			if indexOfSelection(s.selected, v, v.Scopes(b.next, key)) == at {
				if err := s.addChange(b, row{v, key}); err != nil {
					return err
				}
			}
		}
		for key := range v.Keys(b.prev, selection.scope) {
			if len(v.Scopes(b.next, key)) == 0 && indexOfSelection(s.selected, v, v.Scopes(b.prev, key)) == at {
				if err := s.addChange(b, row{v, key}); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// addChange adds a row to the line where the reader has to be told of it.
func (s *stream) addChange(b batch, one row) error {
	seen, err := s.inspect(b.next, one)
	if err != nil {
		return err
	}
	if seen == unreadable {
		return nil // the reader keeps what it has
	}
	seenBefore, err := s.inspect(b.prev, one)
	switch {
	case err != nil:
		return err
	case seen == visible:
		if !s.encodeRow(b.next, one, &s.newValue) {
			return nil
		}
		if seenBefore == visible && s.encodeRow(b.prev, one, &s.oldValue) && slices.Equal(s.oldValue, s.newValue) {
			return nil
		}
		return s.out.add("changes", one, s.newValue)
	case seenBefore == visible:
		return s.out.add("changes", one, nil)
	case seenBefore == unreadable:
		// The reader may have been told of it while it could be read.
		p, err := s.rights.CheckRow(b.next, one.view, one.key)
		if err == nil && p.Allowed && p.ByNameAlone {
			return s.out.add("changes", one, nil)
		}
		return cmp.Or(err, errStateUnknown)
	}
	return nil
}

// A visibility is what a reader sees of a row.
type visibility int

const (
	absent     visibility = iota // there is none, it is not selected, or the reader may not see it
	unreadable                   // it can't be read
	visible
)

func (s *stream) inspect(snap *store.Snapshot, one row) (visibility, error) {
	scopes := one.view.Scopes(snap, one.key)
	if len(scopes) == 0 {
		if one.view.Readable(snap, one.key) != nil {
			return unreadable, nil
		}
		return absent, nil
	}
	if indexOfSelection(s.selected, one.view, scopes) < 0 {
		return absent, nil
	}
	p, err := s.rights.CheckRow(snap, one.view, one.key)
	if err != nil || !p.Allowed {
		return absent, err
	}
	return visible, nil
}

// encodeRow encodes a row's value, and returns false where it can't be told.
func (s *stream) encodeRow(snap *store.Snapshot, one row, value *[]byte) bool {
	v, err := one.view.Describe(snap, one.key)
	if err == nil {
		*value, err = awsjson.Append((*value)[:0], v)
	}
	if err != nil {
		s.watchers.cfg.Log.Warn("rows: a row can't be described", "kind", one.view.Kind, "key", one.key, "err", err)
	}
	return err == nil
}
