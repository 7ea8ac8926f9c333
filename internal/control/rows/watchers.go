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

// How many readers one server has.
const (
	// maxReaders is how many streams there are at once.
	maxReaders = 1000
	// keptBack is how many of these are for principals that have fewer than so many:
	// one that takes all it can get leaves some to the others.
	reservedReaders = 100
)

// FullError says that the server has no place for another stream.
type FullError struct{ Message string }

func (e *FullError) Error() string { return e.Message }

// Config is what Watchers needs. All but Log must be set.
type Config struct {
	Store   *store.Store
	Views   []*View
	Version string // the program's
	// RightsRestOn are the kinds of records that a reader's rights follow from, beside
	// those that a row itself is about.
	RightsKinds []store.ChangeKind
	Log         *slog.Logger // default: slog.Default()
}

// Watchers serves readers. It needs no closing: while there are no readers it has no
// goroutine.
type Watchers struct {
	cfg Config // constant

	mu           sync.Mutex
	readers      map[*reader]struct{}               // guarded by mu
	bySelection  map[selection]map[*reader]struct{} // guarded by mu
	viewCount    map[*View]int                      // selections; guarded by mu
	perPrincipal map[string]int                     // readers by principal; guarded by mu
	run          *run                               // nil while there are no readers; guarded by mu
}

// A run follows the store for all readers.
type run struct {
	cancel   context.CancelFunc
	snap     *store.Snapshot // what all readers are woken for; guarded by Watchers.mu
	advanced chan struct{}   // closed at the next snapshot; guarded by Watchers.mu
	ended    chan struct{}   // closed when the run has ended
	err      error           // why it has; set before ended is closed
}

// New returns what serves readers of views over a store.
func New(cfg Config) *Watchers {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	return &Watchers{
		cfg: cfg, readers: map[*reader]struct{}{}, bySelection: map[selection]map[*reader]struct{}{}, viewCount: map[*View]int{}, perPrincipal: map[string]int{},
	}
}

// checkLimit returns why there is no place for one more reader of a principal.
func (w *Watchers) checkLimit(principal string) error {
	switch n := len(w.readers); {
	case n >= maxReaders:
		return &FullError{fmt.Sprintf("This server serves %d watches already.", maxReaders)}
	case n >= maxReaders-reservedReaders && w.perPrincipal[principal] >= reservedReaders:
		return &FullError{fmt.Sprintf("This server serves %d watches already, %d of them yours. The last %d are for others.", n, w.perPrincipal[principal], reservedReaders)}
	}
	return nil
}

// join makes a reader. It must leave.
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

// leave forgets a reader. The last one ends the run, and waits for its end.
func (w *Watchers) leave(r *reader) {
	if last := w.remove(r); last != nil {
		last.cancel()
		<-last.ended
	}
}

// remove forgets a reader and returns the run that is to end with it, if it is the
// last.
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

// advance wakes the readers of the rows that a step of the store may have changed.
func (w *Watchers) advance(r *run, a *store.Advance) {
	w.mu.Lock()
	defer w.mu.Unlock()
	err := contain.Do(func() error { w.distribute(a); return nil })
	if err != nil { // a view has panicked: nobody knows what has changed
		w.cfg.Log.Error("rows: to find the rows that have changed panicked", contain.Attrs(err)...)
		for reader := range w.readers {
			reader.markAll(a.Prev)
		}
	}
	r.snap = a.Next
	close(r.advanced)
	r.advanced = make(chan struct{})
}

// distribute notes with each reader which of its rows may have changed. The caller has
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

// markReaders notes with the readers of a row that it may have changed. The caller has
// locked w.
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
	// What could not be read is gone: its readers may have been told of it before.
	for s, readers := range w.bySelection {
		if s.view == v && v.MayBeIn(one.key, s.scope) {
			for r := range readers {
				r.markRow(a.Prev, one)
			}
		}
	}
}
