package store

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store/etcdtest"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"golang.org/x/sync/errgroup"
)

// randomFates draws a fate for each try from some. It draws the zero Fate half as often as
// all others together.
func randomFates(seed uint64, some ...etcdtest.Fate) func(*pb.TxnRequest) etcdtest.Fate {
	var mu sync.Mutex
	rng := rand.New(rand.NewPCG(seed, 0))
	return func(*pb.TxnRequest) etcdtest.Fate {
		mu.Lock()
		defer mu.Unlock()
		if n := rng.IntN(len(some) * 3 / 2); n < len(some) {
			return some[n]
		}
		return etcdtest.Fate{}
	}
}

// Answers of transactions are lost, after the transactions took effect or before. Every
// write takes effect once, and every caller learns that.
func TestAnswersGetLost(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	l := &etcdtest.Lossy{}
	etcd := etcdtest.Start(t, etcdtest.Options{})
	stores := []*Store{opened(t, etcd.Client(t), Config{})}
	putCluster(t, stores[0], "counter")
	for range 2 {
		stores = append(stores, opened(t, etcd.LossyClient(t, l), Config{}))
	}
	l.Set(randomFates(seed, etcdtest.LostBefore, etcdtest.LostAfter))
	const each = 40
	var g errgroup.Group
	for i, s := range stores {
		for j := range each {
			g.Go(func() error {
				name := fmt.Sprintf("c%d-%d", i, j)
				err := s.Update(t.Context(), func(tx *Tx) error { return Create(tx, ClusterKey(name), &fleet.Cluster{Name: name}) })
				if err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
				return nil
			})
		}
	}
	counter := ClusterKey("counter")
	for i := range each {
		g.Go(func() error {
			return stores[i%3].Update(t.Context(), func(tx *Tx) error {
				c := *Get(tx, counter)
				c.Tags = append(c.Tags[:len(c.Tags):len(c.Tags)], types.Tag{Key: aws.String(fmt.Sprint(i))})
				return Put(tx, counter, &c)
			})
		})
	}
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
	snap, err := stores[0].Fresh(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if c := snap.Cluster("counter"); len(c.Tags) != each {
		t.Errorf("the counter was raised %d times to %d: %+v", each, len(c.Tags), c)
	}
	if l.Met(etcdtest.LostBefore)+l.Met(etcdtest.LostAfter) == 0 {
		t.Error("nothing was lost")
	}
}

// Answers of transactions are lost, late or refusals, in any order. What Update returns
// is true: after nil the transaction took effect once; after ErrUnknown it took effect
// at most once; after another error it did not, and never will. Each run of a function
// creates a record of its own, as RunTask without a token does, so that a second effect
// shows.
func TestSecondAnswers(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	l := &etcdtest.Lossy{}
	etcd := etcdtest.Start(t, etcdtest.Options{})
	calm := opened(t, etcd.Client(t), Config{})
	putCluster(t, calm, "c")
	var stores []*Store
	for range 2 {
		stores = append(stores, opened(t, etcd.LossyClient(t, l), Config{retryFor: time.Second}))
	}
	fates := []etcdtest.Fate{etcdtest.LostBefore, etcdtest.LostAfter, etcdtest.LostAfter, etcdtest.LostLate,
		etcdtest.Refused(rpctypes.ErrGRPCRequestTooManyRequests), etcdtest.Refused(rpctypes.ErrGRPCNoSpace)}
	l.Set(randomFates(seed, fates...))
	const operations, hosts = 150, 7
	said := make([]error, operations)
	var wg sync.WaitGroup
	for i := range operations {
		wg.Go(func() {
			run := 0
			said[i] = stores[i%2].Update(t.Context(), func(tx *Tx) error {
				run++
				if err := tx.Claim(HostGuard("c", fmt.Sprint("h", i%hosts))); err != nil {
					return err
				}
				id := fmt.Sprintf("%d-%d", i, run)
				return Create(tx, TaskKey("c", id), task("c", id, "", "f"))
			})
		})
	}
	wg.Wait()
	l.Set(nil)
	l.Release(t.Context(), t)
	snap, err := calm.Fresh(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	made := map[string]int{}
	for task := range snap.Tasks("c", "") {
		of, _, _ := strings.Cut(task.ID, "-")
		made[of]++
	}
	known, unknown := 0, 0
	for i, err := range said {
		n := made[fmt.Sprint(i)]
		switch {
		case err == nil && n == 1:
			known++
		case errors.Is(err, ErrUnknown) && n <= 1:
			unknown++
		case err != nil && !errors.Is(err, ErrUnknown) && n == 0:
			known++
		default:
			t.Errorf("operation %d was carried out %d times and answered %v", i, n, err)
		}
	}
	for _, f := range fates {
		if l.Met(f) == 0 {
			t.Errorf("no try has met %+v", f)
		}
	}
	t.Logf("%d outcomes are known, %d unknown", known, unknown)
	if known == 0 {
		t.Error("no outcome is known")
	}
}

// fatesInTurn gives one fate after the other to the tries of a transaction that writes below
// a prefix.
func fatesInTurn(prefix string, fates ...etcdtest.Fate) func(*pb.TxnRequest) etcdtest.Fate {
	n := 0
	return func(txn *pb.TxnRequest) etcdtest.Fate {
		for _, op := range txn.Success {
			if strings.Contains(string(op.GetRequestPut().GetKey()), prefix) && n < len(fates) {
				n++
				return fates[n-1]
			}
		}
		return etcdtest.Fate{}
	}
}

// A refusal of a later try proves nothing about the first try, whose answer was lost.
// The first try may have taken effect, or may take effect after the refusal.
func TestRefusedAfterLost(t *testing.T) {
	etcd := etcdtest.Start(t, etcdtest.Options{})
	for name, refusal := range map[string]error{
		"too many requests": rpctypes.ErrGRPCRequestTooManyRequests,
		"no space":          rpctypes.ErrGRPCNoSpace,
		"not permitted":     rpctypes.ErrGRPCPermissionDenied,
	} {
		for when, first := range map[string]etcdtest.Fate{"at once": etcdtest.LostAfter, "late": etcdtest.LostLate} {
			t.Run(name+" "+when, func(t *testing.T) {
				l := &etcdtest.Lossy{}
				s := opened(t, etcd.LossyClient(t, l), Config{Prefix: "/" + strings.ReplaceAll(name+when, " ", "-")})
				refused := make(chan struct{}, 100)
				turn := fatesInTurn("/cluster/", first)
				l.Set(func(txn *pb.TxnRequest) etcdtest.Fate {
					f := turn(txn)
					if f == (etcdtest.Fate{}) && len(txn.Success) > 0 && len(txn.Compare) > 1 {
						f = etcdtest.Refused(refusal)
						refused <- struct{}{}
					}
					return f
				})
				var wg sync.WaitGroup
				if first.Late {
					wg.Go(func() {
						<-refused
						l.Release(t.Context(), t)
					})
				}
				runs := 0
				err := s.Update(within(t), func(tx *Tx) error {
					runs++
					return Create(tx, ClusterKey("c"), &fleet.Cluster{Name: "c"})
				})
				if first.Late && err != nil {
					refused <- struct{}{}
				}
				wg.Wait()
				if err != nil || runs != 1 || s.Snapshot().Cluster("c") == nil {
					t.Errorf("after %d runs: %v", runs, err)
				}
			})
		}
	}
}

// A first try may be on its way longer than the second one, which finds an existing
// record. When that record is deleted, the first try takes effect after all. So only a
// comparison that can't become true again makes a conflict certain.
func TestLateAfterConflict(t *testing.T) {
	etcd := etcdtest.Start(t, etcdtest.Options{})
	for _, c := range []struct {
		name    string
		guarded bool // by a record that the other transaction changes
	}{{"only an absence is compared", false}, {"a record is compared too", true}} {
		t.Run(c.name, func(t *testing.T) {
			l := &etcdtest.Lossy{}
			cfg := Config{Prefix: "/" + strings.ReplaceAll(c.name, " ", "-")}
			other := opened(t, etcd.Client(t), cfg)
			s := opened(t, etcd.LossyClient(t, l), cfg)
			guard := HostGuard("c", "h")
			if err := other.Update(t.Context(), func(tx *Tx) error { return tx.Claim(guard) }); err != nil {
				t.Fatal(err)
			}
			until(t, s, func(s *Snapshot) bool { return s.rev == other.Snapshot().rev })
			create := func(by string) func(*Tx) error {
				return func(tx *Tx) error {
					if c.guarded {
						if err := tx.Claim(guard); err != nil {
							return err
						}
					}
					return Create(tx, ClusterKey("c"), &fleet.Cluster{Name: by})
				}
			}
			late := fatesInTurn("/cluster/c", etcdtest.LostLate)
			l.Set(func(txn *pb.TxnRequest) etcdtest.Fate {
				f := late(txn)
				if f.Late {
					if err := other.Update(t.Context(), create("other")); err != nil {
						t.Error(err)
					}
				}
				return f
			})
			err := s.Update(within(t), create("late"))
			l.Set(nil)
			if err := other.Update(t.Context(), func(tx *Tx) error {
				Get(tx, ClusterKey("c"))
				return Delete(tx, ClusterKey("c"))
			}); err != nil {
				t.Fatal(err)
			}
			l.Release(t.Context(), t)
			snap, ferr := other.Fresh(t.Context())
			if ferr != nil {
				t.Fatal(ferr)
			}
			is := snap.Cluster("c")
			switch {
			case c.guarded && (is != nil || !errors.Is(err, ErrExists)):
				t.Errorf("it is %+v, and Update said %v", is, err)
			case !c.guarded && (is == nil || !errors.Is(err, ErrUnknown)):
				t.Errorf("it is %+v, and Update said %v", is, err)
			}
		})
	}
}
