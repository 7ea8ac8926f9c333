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
	// heartbeat is the longest time without a line.
	heartbeat = 5 * time.Second
	// mergeTime is how long a reader waits for more changes after it has sent some. So
	// a reader sends changes at most 50 times a second.
	mergeTime = 20 * time.Millisecond
)

// A Request describes one stream.
type Request struct {
	// Principal is the ARN of the principal whose limit counts the stream.
	Principal string
	Rights    Rights
	Select    []Select
	// After is the revision after which the reader continues, nil for a reader that has
	// nothing yet. History is the value that its last stream sent with Synced.
	After   *int64
	History string
	// AtLeast is the lowest revision of the state that the stream begins with.
	AtLeast int64
}

// Check returns an InputError if a request is not valid.
func (w *Watchers) Check(req *Request) error {
	_, err := w.check(req)
	return err
}

// check returns the selections of a valid request.
func (w *Watchers) check(req *Request) ([]selection, error) {
	if req.After != nil && *req.After < 0 {
		return nil, inputErrorf("after must be a revision, not %d.", *req.After)
	}
	return w.findSelections(req.Select)
}

// Stream sends lines until ctx ends, a line can't be sent, the reader's rights end, or
// the store ends. send must not retain a line. If the error is an InputError or a
// FullError, nothing was sent.
func (w *Watchers) Stream(ctx context.Context, req Request, send func(line []byte) error) error {
	selected, err := w.check(&req)
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
		// The whole state may take a slow reader minutes, and its key may be deleted
		// meanwhile.
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

// A stream serves one request. Only one goroutine uses it.
type stream struct {
	*reader
	history            string
	out                lineWriter
	oldValue, newValue []byte // buffers
}

// errStateUnknown means that the server can't tell which rows the reader has.
var errStateUnknown = errors.New("rows: what the reader has is not known")

// catchUp sends what the reader lacks of a snapshot.
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

// history returns a text that names what a reader's revisions count. It differs for
// each installation, each restore, each selection, each principal and each version of
// the program.
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

// sendAll sends all rows. If reset is true, it first announces that.
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
				continue // an earlier selection contains the row too
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

// follow sends changes and heartbeats until ctx ends.
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

// sendChanges sends what has changed in a batch. It returns errStateUnknown if it can't
// tell that. Then it has sent nothing with a revision.
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

// compareAll calls addChange for every row of the reader in either snapshot.
func (s *stream) compareAll(b batch) error {
	if b.prev.AllReadable("") != nil {
		return errStateUnknown // Scopes does not know the rows that could not be read, so none would be sent as removed
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

// addChange adds a row to the line if the reader must learn of its change.
func (s *stream) addChange(b batch, one row) error {
	seen, err := s.inspect(b.next, one)
	if err != nil {
		return err
	}
	if seen == unreadable {
		return nil // the reader retains its last value
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
		// The reader may have received the row while it could be read.
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
	absent     visibility = iota // there is no such row, it is not selected, or the reader may not see it
	unreadable                   // a record of the row can't be read
	visible
)

// inspect returns what the reader sees of a row in a snapshot.
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

// encodeRow encodes a row's value. It logs an error and returns false if it can't.
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
