package store

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store/etcdtest"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// A campaign leads again after each end of a term: after its own failure, and after a
// deposition.
func conformCampaign(t *testing.T, client *clientv3.Client, cfg Config) {
	s := opened(t, client, cfg)
	ctx, cancel := context.WithCancel(within(t))
	defer cancel()
	terms := make(chan string, 3)
	term := 0
	done := make(chan error, 1)
	go func() {
		done <- s.Campaign(ctx, "job", "a", func(ctx context.Context, held *Term) error {
			term++
			terms <- held.term
			if term == 1 {
				return errors.New("its work fails")
			}
			<-ctx.Done()
			return ctx.Err()
		})
	}()
	first, second := <-terms, <-terms
	id, err := s.Lease(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Revoke(ctx, id); err != nil {
		t.Fatal(err)
	}
	if third := <-terms; first == second || second == third || first == third {
		t.Errorf("terms %s, %s, %s", first, second, third)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
}

// lossyStore opens a store whose transactions l answers. The store soon stops retrying
// a transaction.
func lossyStore(t *testing.T, client *clientv3.Client, cfg Config, l *etcdtest.Lossy) *Store {
	t.Helper()
	cfg.retryFor = 300 * time.Millisecond
	s, err := load(t.Context(), client, cfg)
	if err != nil {
		t.Fatal(err)
	}
	s.kv = l.KV(s.kv)
	s.start()
	t.Cleanup(func() {
		l.Set(nil)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// isElectionTxn says whether a transaction writes or deletes a leader's record.
func isElectionTxn(txn *pb.TxnRequest) (puts, deletes bool) {
	for _, op := range txn.Success {
		puts = puts || strings.Contains(string(op.GetRequestPut().GetKey()), "/election/")
		deletes = deletes || strings.Contains(string(op.GetRequestDeleteRange().GetKey()), "/election/")
	}
	return puts, deletes
}

// A campaign leads although the store does not know whether the leader's record was
// written, or whether the record of the last term was deleted: the answers are lost for
// longer than the store retries.
func conformUncertainCampaign(t *testing.T, client *clientv3.Client, cfg Config) {
	none := etcdtest.Fate{}
	for name, fate := range map[string]struct{ put, del etcdtest.Fate }{
		"the election takes effect":         {put: etcdtest.LostAfter},
		"the election takes effect late":    {put: etcdtest.LostLate},
		"the election takes no effect":      {put: etcdtest.LostBefore},
		"the resignation takes effect":      {del: etcdtest.LostAfter},
		"the resignation takes effect late": {del: etcdtest.LostLate},
		"the resignation takes no effect":   {del: etcdtest.LostBefore},
		"both take effect":                  {put: etcdtest.LostAfter, del: etcdtest.LostAfter},
	} {
		t.Run(name, func(t *testing.T) {
			l := &etcdtest.Lossy{}
			cfg := cfg
			cfg.Prefix += "/" + strings.ReplaceAll(name, " ", "-")
			warned := make(chan struct{}, 100)
			cfg.Log = slog.New(warnings{slog.DiscardHandler, warned})
			s := lossyStore(t, client, cfg, l)
			l.Set(func(txn *pb.TxnRequest) etcdtest.Fate {
				switch puts, deletes := isElectionTxn(txn); {
				case puts:
					return fate.put
				case deletes:
					return fate.del
				}
				return none
			})
			ctx, cancel := context.WithCancel(within(t))
			defer cancel()
			led := make(chan *Term)
			ended := make(chan error, 1)
			resigns := fate.del != none // after its first term
			go func() {
				ended <- s.Campaign(ctx, "job", "a", func(ctx context.Context, term *Term) error {
					select {
					case led <- term:
					case <-ctx.Done():
						return ctx.Err()
					}
					if resigns {
						resigns = false
						return nil
					}
					<-ctx.Done()
					return ctx.Err()
				})
			}()
			next := func() *Term {
				select {
				case term := <-led:
					return term
				case <-ctx.Done():
					t.Fatal("nobody leads")
					return nil
				}
			}
			if resigns {
				next()
			}
			if fate.put.Stays || fate.del.Stays {
				<-warned // the outcome is unknown
				l.Set(nil)
				l.Release(ctx, t)
			}
			term := next()
			if err := s.Update(ctx, func(tx *Tx) error {
				if err := term.Guard(tx); err != nil {
					return err
				}
				return Create(tx, ClusterKey("mine"), &fleet.Cluster{Name: "mine"})
			}); err != nil {
				t.Errorf("the leader's write: %v", err)
			}
			cancel()
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Errorf("it ended with %v", err)
			}
		})
	}
}

// A server becomes leader although the leader's record can't be read. A record without
// a lease belongs to no leader. Another record ends with its lease.
func conformDamagedCampaign(t *testing.T, client *clientv3.Client, cfg Config) {
	s := opened(t, client, cfg)
	ctx, cancel := context.WithCancel(within(t))
	defer cancel()
	lease, err := client.Grant(ctx, 2)
	if err != nil {
		t.Fatal(err)
	}
	for name, opts := range map[string][]clientv3.OpOption{"no lease": nil, "leased": {clientv3.WithLease(lease.ID)}} {
		r, err := client.Put(ctx, s.root+"election/"+name, "junk", opts...)
		if err != nil {
			t.Fatal(err)
		}
		until(t, s, func(s *Snapshot) bool { return s.rev >= r.Header.Revision })
		led := false
		if err := s.Lead(ctx, name, "a", func(context.Context, *Term) error { led = true; return nil }); err != nil || !led {
			t.Fatalf("%s: %v, %v", name, led, err)
		}
	}
}

// warnings records whether a warning was logged.
type warnings struct {
	slog.Handler
	seen chan<- struct{}
}

func (w warnings) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelWarn }

func (w warnings) Handle(context.Context, slog.Record) error {
	select {
	case w.seen <- struct{}{}:
	default:
	}
	return nil
}
