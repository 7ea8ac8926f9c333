package frontdoor

import (
	"context"
	"errors"
	"sync"

	"github.com/ashore/ashore/internal/store"
)

// state is the snapshot on which one call is decided. The first reader loads it.
type state struct {
	fresh func(context.Context) (*store.Snapshot, error)

	mu   sync.Mutex
	snap *store.Snapshot // nil until the first read; guarded by mu
}

type stateKey struct{}

// WithSnapshot returns the context of a call that is decided on a snapshot. The front door
// makes such contexts itself. WithSnapshot is for tests of what operations declare.
func WithSnapshot(ctx context.Context, snap *store.Snapshot) context.Context {
	return withState(ctx, &state{snap: snap})
}

func withState(ctx context.Context, st *state) context.Context {
	return context.WithValue(ctx, stateKey{}, st)
}

func stateOf(ctx context.Context) *state {
	st, _ := ctx.Value(stateKey{}).(*state)
	return st
}

// Snapshot returns the state on which the call of ctx is decided. The state contains
// every write that was acknowledged before. The operation's declaration (Resources,
// Further), the conditions of policies, and a handler that only reads all get the same
// snapshot.
//
// A handler's transaction has a snapshot of its own, which may be newer. If the
// decision depends on the call's snapshot, each Update and each Fresh with the
// handler's context decides again by its own snapshot, and fails if the call is denied
// there. So the caller is allowed to do what the handler does, for exactly the record
// that the handler reads by store.Get.
func Snapshot(ctx context.Context) (*store.Snapshot, error) {
	st := stateOf(ctx)
	if st == nil {
		return nil, errors.New("frontdoor: a snapshot is asked for outside of a call")
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.snap != nil {
		return st.snap, nil
	}
	snap, err := st.fresh(ctx)
	st.snap = snap
	return snap, err
}

// loaded returns the snapshot, nil if nothing has loaded it yet.
func (st *state) loaded() *store.Snapshot {
	if st == nil {
		return nil
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.snap
}
