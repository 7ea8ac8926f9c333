package store

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/pace"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// Config says where the state lies in etcd, and how the store treats etcd.
type Config struct {
	Prefix string // of every key; DefaultPrefix unless set
	// Site is the account and region. The first start stores it, or DefaultSite where
	// it is empty. Later starts refuse another Site. An empty member means the stored
	// value.
	Site fleet.Site
	// Sole says that no other process writes below the prefix, as on an embedded etcd.
	// The store then knows all writes, because it made them.
	Sole bool
	// Room is called before each write. Its argument is the number of bytes of a large
	// write, else 0. If it returns an error, the write fails with that error and
	// nothing is written. Only an embedded etcd has a Room.
	Room func(bytes int64) error
	// MaxOps is etcd's limit of comparisons, and of operations, in one transaction.
	// Unless set it is etcd's default.
	MaxOps int
	// LeaseTTL is how long sessions and elections outlive their server. etcd counts in
	// whole seconds. The default is 3 s, so that other servers take over within 5 s. It
	// is 10 s if Sole is set: there are no other servers.
	LeaseTTL time.Duration
	// Maintain makes this store compact and defragment etcd. The store always does so
	// if Sole is set. On an external etcd it does so only if this is set, because a
	// compaction affects every user of that etcd.
	Maintain      bool
	MaintainEvery time.Duration // 30 s unless set
	defragFrom    int64
	retryFor      time.Duration // the constant retryFor unless set
	Log           *slog.Logger
}

// Store is the state of one installation. Its methods may be called from any
// goroutine.
type Store struct {
	client *clientv3.Client // constant
	kv     pb.KVClient      // constant: the client's, for transactions
	cfg    Config           // constant
	root   string           // constant: prefix of this site's records, with a slash
	self   string           // constant: unique for each opened store
	log    *slog.Logger

	installation Installation // constant
	formatKey    string       // constant
	formatMod    int64        // constant: each transaction compares the record's revision

	snap atomic.Pointer[Snapshot]

	mu      sync.Mutex
	history history  // guarded by mu
	moments moments  // guarded by mu
	applied applied  // guarded by mu
	space   Space    // guarded by mu
	isFull  bool     // guarded by mu
	waiters []waiter // wait for revisions; guarded by mu

	termCount int64           // number of terms so far; guarded by mu
	terms     map[string]bool // the terms with which this store campaigns or leads; guarded by mu

	work    any  // *tables, hidden as in Snapshot; owned by the watch goroutine after Open
	torn    torn // owned by the watch goroutine after Open
	commits chan *commit
	stalled chan struct{} // a waiter waits for a revision that the watch does not bring
	heads   chan chan headResult
	refused chan struct{} // etcd has refused a write because it has no space left

	compacted int64 // owned by the maintenance goroutine
	lease     lease

	ctx    context.Context
	cancel context.CancelCauseFunc
	wg     sync.WaitGroup
}

type waiter struct {
	rev  int64
	done chan struct{}
}

// Open loads the state and begins to follow it. The caller keeps the client and must
// close the store before it.
func Open(ctx context.Context, client *clientv3.Client, cfg Config) (*Store, error) {
	s, err := load(ctx, client, cfg)
	if err != nil {
		return nil, err
	}
	s.start()
	return s, nil
}

// start begins to follow the state and to accept writes.
func (s *Store) start() {
	for _, loop := range []func(){s.follow, s.commitLoop, s.headLoop, s.maintain} {
		s.wg.Go(loop)
	}
}

// load returns a store with the state loaded. Its goroutines do not run yet.
func load(ctx context.Context, client *clientv3.Client, cfg Config) (*Store, error) {
	registered.close()
	if cfg.Prefix == "" {
		cfg.Prefix = DefaultPrefix
	}
	if cfg.LeaseTTL == 0 {
		cfg.LeaseTTL = 3 * time.Second
		if cfg.Sole {
			cfg.LeaseTTL = 10 * time.Second
		}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.MaxOps == 0 {
		cfg.MaxOps = maxOps
	}
	if cfg.Room == nil {
		cfg.Room = func(int64) error { return nil }
	}
	cfg.Maintain = cfg.Maintain || cfg.Sole
	if cfg.MaintainEvery == 0 {
		cfg.MaintainEvery = maintainEvery
	}
	if cfg.defragFrom == 0 {
		cfg.defragFrom = defragFrom
	}
	if cfg.retryFor == 0 {
		cfg.retryFor = retryFor
	}
	installation, mod, err := install(ctx, client, cfg.Prefix, cfg.Site, Format, migrations)
	if err != nil {
		return nil, err
	}
	cfg.Site = installation.Site()
	s := &Store{
		installation: *installation,
		formatKey:    formatKey(cfg.Prefix),
		formatMod:    mod,
		client:       client,
		kv:           kvClient(client),
		cfg:          cfg,
		root:         rootOf(cfg.Prefix, cfg.Site),
		self:         fleet.NewID(),
		log:          cfg.Log,
		history:      history{more: make(chan struct{})},
		commits:      make(chan *commit, 1024),
		stalled:      make(chan struct{}, 1),
		heads:        make(chan chan headResult, 1024),
		refused:      make(chan struct{}, 1),
	}
	s.ctx, s.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	if cfg.Sole {
		if err := s.endLeases(ctx); err != nil {
			s.cancel(err)
			return nil, err
		}
	}
	t, rev, err := fresh(ctx, s)
	if err != nil {
		s.cancel(err)
		return nil, err
	}
	s.work = t
	s.snap.Store(&Snapshot{rev: rev, base: installation.Base, hidden: t.copied()})
	logUnreadable(s, newTables(), s.Snapshot())
	logUnknown(s, newTables(), tab(s.Snapshot()))
	s.moments.forget(s.Snapshot().Revision())
	s.history.after = s.Snapshot().Revision()
	return s, nil
}

// Close ends the store's goroutines and its lease, and waits for them. Writes that are
// under way fail with ErrUnknown.
func (s *Store) Close() error {
	s.cancel(ErrClosed)
	s.revokeLease()
	s.wg.Wait()
	return nil
}

// Done is closed when the store can't go on. Err then returns the reason.
func (s *Store) Done() <-chan struct{} { return s.ctx.Done() }

// Err returns why the store ended: ErrClosed after Close.
func (s *Store) Err() error { return context.Cause(s.ctx) }

// Site returns the account and region of the store's records.
func (s *Store) Site() fleet.Site { return s.cfg.Site }

// Installation returns the record that the first start wrote.
func (s *Store) Installation() Installation { return s.installation }

// Sole says whether this process alone writes the state.
func (s *Store) Sole() bool { return s.cfg.Sole }

// Unable returns why the store accepts no writes at the moment. It returns nil if it
// accepts them.
func (s *Store) Unable() error { return s.cfg.Room(0) }

// Snapshot returns the newest state that this process knows.
func (s *Store) Snapshot() *Snapshot { return s.snap.Load() }

// Fresh returns a snapshot that holds every write acknowledged before the call, on any
// server.
func (s *Store) Fresh(ctx context.Context) (*Snapshot, error) {
	snap, err := s.newest(ctx)
	if err != nil {
		return nil, err
	}
	if check := checkOf(ctx); check != nil {
		if err := check(snap); err != nil {
			return nil, err
		}
	}
	return snap, nil
}

// newest is Fresh without the context's check.
func (s *Store) newest(ctx context.Context) (*Snapshot, error) {
	if s.cfg.Sole {
		return s.Snapshot(), nil
	}
	rev, err := s.head(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.wait(ctx, rev); err != nil {
		return nil, err
	}
	return s.Snapshot(), nil
}

// maxTries bounds how often Update runs a function whose transaction conflicts.
const maxTries = 64

// Update runs fn over the newest snapshot and commits what fn wrote. On a conflict fn
// runs again, so fn must set its results anew each time. If fn returns an error, Update
// writes nothing and returns that error. Both an error of fn and a result without
// writes rest on the fresh state, even if another server has just changed it. If fn
// reads a record that can't be read, Update writes nothing and returns an
// UnreadableError.
//
// When Update returns nil, Snapshot shows the writes. If the error is ErrUnknown, the
// writes may have taken effect. After any other error they have not.
func (s *Store) Update(ctx context.Context, fn func(*Tx) error) error {
	fresh, check := s.cfg.Sole, checkOf(ctx)
	for try := range maxTries {
		snap := s.Snapshot()
		tx := s.begin(snap)
		var err error
		if check != nil {
			err = check(snap)
		}
		if err == nil {
			err = fn(tx)
		}
		if broken := tx.Err(); broken != nil {
			err = broken
		}
		if err != nil || len(tx.order) == 0 {
			if fresh {
				return err
			}
			// The result may rest on a state that is outdated.
			fresh = true
			if _, err := s.newest(ctx); err != nil {
				return err
			}
			if s.Snapshot().rev == snap.rev {
				return err
			}
			continue
		}
		rev, ok, err := s.commit(ctx, tx)
		if errors.Is(err, errNoLease) {
			err, rev = nil, snap.rev // the next commit grants a new lease
		}
		if err != nil {
			return err
		}
		if err := s.wait(ctx, rev); err != nil {
			if ok {
				return unknown(err)
			}
			return err
		}
		if ok {
			return nil
		}
		// If the snapshot hasn't moved, the conflict is with a write that the watch has
		// not shown yet.
		if try > 2 || s.Snapshot().rev == snap.rev {
			d := time.Millisecond + rand.N(time.Duration(min(try+1, 20))*time.Millisecond)
			if err := pace.Sleep(ctx, d); err != nil {
				return err
			}
		}
	}
	return ErrConflict
}

// begin begins a transaction on a snapshot.
func (s *Store) begin(snap *Snapshot) *Tx {
	tx := newTx(snap)
	tx.budget = budget{ops: s.cfg.MaxOps, root: len(s.root)}
	return tx
}

// wait returns once the snapshot shows revision rev.
func (s *Store) wait(ctx context.Context, rev int64) error {
	if s.Snapshot().rev >= rev {
		return nil
	}
	s.mu.Lock()
	if s.snap.Load().rev >= rev {
		s.mu.Unlock()
		return nil
	}
	w := waiter{rev, make(chan struct{})}
	s.waiters = append(s.waiters, w)
	s.mu.Unlock()
	late := time.NewTicker(stallTime)
	defer late.Stop()
	for {
		select {
		case <-w.done:
			return nil
		case <-late.C:
			select {
			case s.stalled <- struct{}{}:
			default:
			}
		case <-ctx.Done():
			s.removeWaiter(w)
			return ctx.Err()
		case <-s.ctx.Done():
			return s.Err()
		}
	}
}

// removeWaiter removes a waiter that has given up. During an outage no revision comes
// that would remove it.
func (s *Store) removeWaiter(w waiter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiters = slices.DeleteFunc(s.waiters, func(o waiter) bool { return o == w })
}
