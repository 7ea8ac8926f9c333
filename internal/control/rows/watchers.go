package rows

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"github.com/ashore/ashore/internal/contain"
	"github.com/ashore/ashore/internal/store"
)

// Limits of one server.
const (
	// maxReaders is the largest number of streams at one time.
	maxReaders = 1000
	// reservedReaders is how many of these only principals with fewer streams than this
	// can use. So one principal can't use up all of them.
	reservedReaders = 100
)

// FullError refuses a stream because the server has too many.
type FullError struct{ Message string }

func (e *FullError) Error() string { return e.Message }

// Config configures Watchers. All fields but Log must be set.
type Config struct {
	Store   *store.Store
	Views   []*View
	Version string // of the program
	// RightsKinds are the kinds of records that a reader's rights depend on, besides
	// the records of the row itself.
	RightsKinds []store.ChangeKind
	Log         *slog.Logger // default: slog.Default()
}

// Watchers serves readers. It needs no Close: without readers it has no goroutine.
type Watchers struct {
	cfg Config // constant

	mu           sync.Mutex
	readers      map[*reader]struct{}               // guarded by mu
	bySelection  map[selection]map[*reader]struct{} // guarded by mu
	viewCount    map[*View]int                      // number of selections; guarded by mu
	perPrincipal map[string]int                     // number of readers; guarded by mu
	run          *run                               // nil while there are no readers; guarded by mu
}

// A run follows the store for all readers.
type run struct {
	cancel   context.CancelFunc
	snap     *store.Snapshot // the newest that the readers were woken for; guarded by Watchers.mu
	advanced chan struct{}   // closed at the next snapshot; guarded by Watchers.mu
	ended    chan struct{}   // closed when the run has ended
	err      error           // why the run has ended; set before ended is closed
}

// New returns Watchers without readers.
func New(cfg Config) *Watchers {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	return &Watchers{
		cfg: cfg, readers: map[*reader]struct{}{}, bySelection: map[selection]map[*reader]struct{}{}, viewCount: map[*View]int{}, perPrincipal: map[string]int{},
	}
}

// checkLimit returns a FullError if the principal may have no further reader. The
// caller has locked w.
func (w *Watchers) checkLimit(principal string) error {
	switch n := len(w.readers); {
	case n >= maxReaders:
		return &FullError{fmt.Sprintf("This server serves %d watches already.", maxReaders)}
	case n >= maxReaders-reservedReaders && w.perPrincipal[principal] >= reservedReaders:
		return &FullError{fmt.Sprintf("This server serves %d watches already, %d of them yours. The last %d are for others.", n, w.perPrincipal[principal], reservedReaders)}
	}
	return nil
}

// join adds a reader. The caller must call leave.
func (w *Watchers) join(principal string, selected []selection, rights Rights) (*reader, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.checkLimit(principal); err != nil {
		return nil, err
	}
	if w.run == nil {
		w.startRun()
	}
	r := &reader{watchers: w, run: w.run, principal: principal, selected: selected, rights: rights, wake: make(chan struct{}, 1)}
	w.readers[r] = struct{}{}
	w.perPrincipal[principal]++
	for _, s := range selected {
		if w.bySelection[s] == nil {
			w.bySelection[s] = map[*reader]struct{}{}
		}
		w.bySelection[s][r] = struct{}{}
		w.viewCount[s.view]++
	}
	return r, nil
}

// leave removes a reader. If it was the last one, leave ends the run and waits for its
// end.
func (w *Watchers) leave(r *reader) {
	if last := w.remove(r); last != nil {
		last.cancel()
		<-last.ended
	}
}

// remove removes a reader. If it was the last one, remove returns the run, which the
// caller must end.
func (w *Watchers) remove(r *reader) (last *run) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.readers, r)
	if w.perPrincipal[r.principal]--; w.perPrincipal[r.principal] == 0 {
		delete(w.perPrincipal, r.principal)
	}
	for _, s := range r.selected {
		delete(w.bySelection[s], r)
		if len(w.bySelection[s]) == 0 {
			delete(w.bySelection, s)
		}
		if w.viewCount[s.view]--; w.viewCount[s.view] == 0 {
			delete(w.viewCount, s.view)
		}
	}
	if len(w.readers) == 0 {
		last, w.run = w.run, nil
	}
	return last
}

// startRun begins to follow the store. The caller has locked w.
func (w *Watchers) startRun() {
	ctx, cancel := context.WithCancel(context.Background())
	snap, feed := w.cfg.Store.Follow()
	r := &run{cancel: cancel, snap: snap, advanced: make(chan struct{}), ended: make(chan struct{})}
	w.run = r
	go func() {
		defer close(r.ended)
		for {
			a, err := feed.Next(ctx)
			if err != nil {
				r.err = err
				return
			}
			w.advance(r, &a)
		}
	}()
}

// advance wakes the readers whose rows may have changed in a step of the store.
func (w *Watchers) advance(r *run, a *store.Advance) {
	w.mu.Lock()
	defer w.mu.Unlock()
	err := contain.Do(func() error { w.distribute(a); return nil })
	if err != nil { // a view has panicked: the changed rows are not known
		w.cfg.Log.Error("rows: to find the rows that have changed panicked", contain.Attrs(err)...)
		for reader := range w.readers {
			reader.markAll(a.Prev)
		}
	}
	r.snap = a.Next
	close(r.advanced)
	r.advanced = make(chan struct{})
}

// distribute marks with each reader which of its rows may have changed. The caller has
// locked w.
func (w *Watchers) distribute(a *store.Advance) {
	changes := map[store.Change]struct{}{}
	touched := map[row]struct{}{}
	for _, c := range a.Changes {
		if _, again := changes[c]; again {
			continue
		}
		changes[c] = struct{}{}
		if slices.Contains(w.cfg.RightsKinds, c.Kind) {
			for r := range w.readers {
				if r.rights.DependOn(c) {
					r.markAll(a.Prev)
				}
			}
		}
		for v := range w.viewCount {
			touches := v.Touches[c.Kind]
			if touches == nil {
				continue
			}
			touches(a.Prev, a.Next, c.Names, func(key string) {
				one := row{v, key}
				if _, again := touched[one]; again {
					return
				}
				touched[one] = struct{}{}
				w.markReaders(a, one)
			})
		}
	}
}

// markReaders marks a row with each reader that has selected it. The caller has locked
// w.
func (w *Watchers) markReaders(a *store.Advance, one row) {
	v := one.view
	scopes := v.Scopes(a.Next, one.key)
	if len(scopes) == 0 {
		scopes = v.Scopes(a.Prev, one.key)
	}
	for _, scope := range scopes {
		for r := range w.bySelection[selection{v, scope}] {
			r.markRow(a.Prev, one)
		}
	}
	if len(scopes) > 0 || v.Readable(a.Prev, one.key) == nil {
		return
	}
	// The row could not be read and is gone now. Its readers may have received it
	// before.
	for s, readers := range w.bySelection {
		if s.view == v && v.MayBeIn(one.key, s.scope) {
			for r := range readers {
				r.markRow(a.Prev, one)
			}
		}
	}
}
