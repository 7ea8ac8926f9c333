package frontdoor

import (
	"context"
	"errors"
	"sync"

	"github.com/ashore/ashore/internal/store"
)

// state is what one call is decided on: a snapshot, which is taken when the first asks.
type state struct {
	fresh func(context.Context) (*store.Snapshot, error)

	mu   sync.Mutex
	snap *store.Snapshot // nil while nobody has asked; guarded by mu
}

type stateKey struct{}

func withState(ctx context.Context, st *state) context.Context {
	return context.WithValue(ctx, stateKey{}, st)
}

func stateOf(ctx context.Context) *state {
	st, _ := ctx.Value(stateKey{}).(*state)
	return st
}

// Snapshot returns the state on which the call of ctx is decided, with every write that
// was acknowledged before. It is the same one for what an operation declares (Resources,
// Further), for the policies' conditions, and for a handler that only reads.
//
// A handler's transaction has a snapshot of its own, a newer one perhaps. Where the
// decision rests on this one, each Update and each Fresh by the handler's context decides
// anew by its snapshot, and fails where that denies the call. So a handler does to a
// record that it reads by store.Get what the caller was allowed to do to that very record.
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

// taken returns the snapshot, nil where nobody has asked.
func (st *state) taken() *store.Snapshot {
	if st == nil {
		return nil
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.snap
}
