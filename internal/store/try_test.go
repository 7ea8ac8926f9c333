package store

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"
)

// content is everything that a transaction would commit.
type content struct {
	Reads  map[string]int64
	Ranges []string
	Writes map[string]string
	Order  []string
	Leased map[string]bool
	Bytes  int
	Broken error
}

func contentOf(tx *Tx) content {
	c := content{maps.Clone(tx.reads), slices.Clone(tx.ranges), map[string]string{}, slices.Clone(tx.order), map[string]bool{}, tx.budget.bytes, tx.broken}
	for path, data := range tx.writes {
		c.Writes[path] = string(data)
		if data == nil {
			c.Writes[path] = "deleted"
		}
	}
	for path, is := range tx.leased {
		if is {
			c.Leased[path] = true
		}
	}
	return c
}

// A try that does not fit, fails or panics leaves nothing behind, at any depth of
// nesting. A try that fits leaves everything.
func TestTryTakesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tx := newTx(&Snapshot{hidden: newTables()})
		tx.budget = budget{ops: rapid.IntRange(1, 12).Draw(t, "ops"), root: 3}
		failed := errors.New("failed")
		var step func(depth int) error
		step = func(depth int) error {
			for range rapid.IntRange(0, 5).Draw(t, "steps") {
				k := ClusterKey(rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f", "g"}).Draw(t, "key"))
				var err error
				switch rapid.IntRange(0, 6).Draw(t, "what") {
				case 0:
					Get(tx, k)
				case 1:
					Get(tx, k)
					err = Put(tx, k, &fleet.Cluster{Name: strings.Repeat("x", rapid.SampledFrom([]int{1, 9, maxBytes / 3}).Draw(t, "size"))})
				case 2:
					Get(tx, k)
					err = PutLeased(tx, k, &fleet.Cluster{})
				case 3:
					Get(tx, k)
					err = Delete(tx, k)
				case 4:
					tx.Unchanged(k.String())
				case 5:
					if rapid.IntRange(0, 3).Draw(t, "fails") == 0 {
						return failed
					}
				default:
					if depth == 4 {
						continue
					}
					before := contentOf(tx)
					var after content
					panics := rapid.IntRange(0, 5).Draw(t, "panics") == 0
					fits, err := func() (fits bool, err error) {
						defer func() {
							if v := recover(); v != nil && v != "mine" {
								panic(v)
							}
						}()
						return tx.Try(func() error {
							err := step(depth + 1)
							after = contentOf(tx)
							if panics {
								panic("mine")
							}
							return err
						})
					}()
					if err != nil && err != failed {
						return err
					}
					want := before
					if fits {
						want = after
					}
					if d := cmp.Diff(want, contentOf(tx), cmpopts.EquateEmpty()); d != "" {
						t.Fatalf("fits %v, %v, panics %v: (-want +got)\n%s", fits, err, panics, d)
					}
					if over := max(len(after.Reads)+len(after.Ranges), len(after.Order))+1 > tx.budget.ops || after.Bytes > maxBytes; !panics && err == nil && fits == over {
						t.Fatalf("fits %v with %+v of %d", fits, after, tx.budget.ops)
					}
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			return nil
		}
		if err := step(0); err != nil && err != failed {
			t.Fatal(err)
		}
		if tx.trying.depth != 0 || tx.trying.read != nil || tx.trying.over != nil || tx.trying.leased != nil {
			t.Fatalf("it is still trying: %+v", tx.trying)
		}
	})
}

// The measured size is never less than the size of etcd's request.
func TestBudgetBoundsTheRequest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &Store{root: rapid.StringN(0, 200, -1).Draw(t, "root")}
		s.cfg.MaxOps = 1 << 20
		tx := s.begin(&Snapshot{hidden: newTables(), rev: 1 << 60})
		for range rapid.IntRange(0, 30).Draw(t, "records") {
			k := ClusterKey(anyName.Draw(t, "name") + rapid.StringN(0, 300, -1).Draw(t, "more"))
			Get(tx, k)
			tx.reads[k.path] = rapid.SampledFrom([]int64{0, 1, 1 << 60}).Draw(t, "revision")
			switch rapid.IntRange(0, 3).Draw(t, "what") {
			case 0:
				if err := Put(tx, k, &fleet.Cluster{Name: rapid.StringN(0, 3000, -1).Draw(t, "value")}); err != nil {
					t.Fatal(err)
				}
			case 1:
				if err := Delete(tx, k); err != nil {
					t.Fatal(err)
				}
			case 2:
				tx.Unchanged(k.path)
			}
		}
		c, err := s.prepare(t.Context(), tx)
		if err != nil {
			t.Fatal(err)
		}
		for _, op := range c.ops {
			if put := op.GetRequestPut(); put != nil {
				put.Lease = 1<<63 - 1
			}
		}
		if size := proto.Size(&pb.TxnRequest{Compare: c.cmps, Success: c.ops}); size > c.bytes {
			t.Fatalf("measured are %d bytes of %d", c.bytes, size)
		}
	})
}

// At the limit a transaction is accepted, by the measure and by etcd. One more record
// is refused.
func conformTry(t *testing.T, client *clientv3.Client, cfg Config) {
	s := opened(t, client, cfg)
	ctx := within(t)
	count := func() (n int) {
		for range s.Snapshot().Clusters("") {
			n++
		}
		return n
	}
	add := func(tx *Tx, name string, bytes int) (fits bool) {
		fits, err := tx.Try(func() error {
			return Create(tx, ClusterKey(name), &fleet.Cluster{Name: strings.Repeat("x", bytes)})
		})
		if err != nil {
			t.Error(err)
		}
		return fits
	}
	t.Run("operations", func(t *testing.T) {
		n := 0
		err := s.Update(ctx, func(tx *Tx) error {
			for n = 0; add(tx, fmt.Sprint("o", n), 1); n++ {
			}
			if add(tx, "another", 1) || tx.ops() != s.cfg.MaxOps {
				t.Errorf("it holds %d of %d", tx.ops(), s.cfg.MaxOps)
			}
			return nil
		})
		if err != nil || n != s.cfg.MaxOps-1 || count() != n {
			t.Errorf("%d of %d fit, %d are there: %v", n, s.cfg.MaxOps, count(), err)
		}
		// The same number without Try.
		err = s.Update(ctx, func(tx *Tx) error {
			for i := range n + 1 {
				if err := Create(tx, ClusterKey(fmt.Sprint("p", i)), &fleet.Cluster{}); err != nil {
					return err
				}
			}
			return nil
		})
		if !errors.Is(err, ErrTooLarge) || count() != n {
			t.Errorf("one over the limit: %v", err)
		}
	})
	t.Run("bytes", func(t *testing.T) {
		was := count()
		err := s.Update(ctx, func(tx *Tx) error {
			if !add(tx, "small", 1) {
				t.Error("a small one does not fit")
			}
			room := maxBytes - tx.budget.bytes
			if add(tx, "large", room) {
				t.Error("one too large fits")
			}
			// The transaction is smaller by a name and its surroundings.
			empty := contentOf(tx)
			if !add(tx, "large", 0) {
				t.Error("an empty one does not fit")
			}
			room -= tx.budget.bytes - empty.Bytes
			if add(tx, "more", room+1) {
				t.Error("one byte more fits")
			}
			// In place of the empty record, exact to the byte.
			fits, err := tx.Try(func() error {
				return Put(tx, ClusterKey("large"), &fleet.Cluster{Name: strings.Repeat("x", room)})
			})
			if err != nil || !fits || tx.budget.bytes != maxBytes {
				t.Errorf("fits %v, %v: %d of %d bytes", fits, err, tx.budget.bytes, maxBytes)
			}
			return nil
		})
		if err != nil || count() != was+2 {
			t.Errorf("etcd does not take what fits: %v", err)
		}
	})
	t.Run("most", func(t *testing.T) {
		for _, each := range []int{1, 3, 7} {
			var n, runs int
			err := s.Update(ctx, func(tx *Tx) error {
				var err error
				runs = 0
				n, err = tx.TryMost(5*s.cfg.MaxOps, 1, func(n int) error {
					runs++
					for i := range n {
						for j := range each {
							Get(tx, ClusterKey(fmt.Sprint("m", i, "-", j)))
						}
					}
					return nil
				})
				return err
			})
			if want := (s.cfg.MaxOps - 1) / each; err != nil || n > want || n < want-1 || runs > 4 {
				t.Errorf("%d a piece: %d fit, after %d runs, of %d: %v", each, n, runs, want, err)
			}
		}
		if err := s.Update(ctx, func(tx *Tx) error {
			n, err := tx.TryMost(10, 1, func(int) error {
				for i := range s.cfg.MaxOps {
					Get(tx, ClusterKey(fmt.Sprint("n", i)))
				}
				return nil
			})
			if n != 0 || len(tx.reads) != 0 {
				t.Errorf("%d fit, %d reads", n, len(tx.reads))
			}
			return err
		}); err != nil {
			t.Error(err)
		}
	})
	t.Run("each", func(t *testing.T) {
		conformEach(t, s)
	})
}

// UpdateEach applies items in few transactions, in their order. It leaves out an item
// that no transaction can hold, and a try of that item leaves nothing behind.
func conformEach(t *testing.T, s *Store) {
	ctx := within(t)
	const records = 3 // for each item
	perTx := (s.cfg.MaxOps - 2) / records
	var items []int
	for i := range 2*perTx + 1 {
		items = append(items, i)
	}
	huge := perTx / 2
	begun := 0
	begin := func(tx *Tx) error { begun++; Get(tx, ClusterKey("begun")); return nil }
	each := func(tx *Tx, i int) error {
		n := records
		if i == huge {
			n = s.cfg.MaxOps
		}
		for j := range n {
			k := FamilyKey(fmt.Sprint("e", i, "-", j))
			Get(tx, k)
			if err := Put(tx, k, &fleet.Family{Name: fmt.Sprint(i)}); err != nil {
				return err
			}
		}
		return nil
	}
	rest, left, err := UpdateSome(ctx, s, items, begin, each)
	if err != nil || len(left) != 0 || len(rest) != len(items)-huge || rest[0] != huge || s.Snapshot().Family(fmt.Sprint("e", huge, "-0")) != nil {
		t.Errorf("first %d are left, %v, %v", len(rest), left, err)
	}
	begun = 0
	left, err = UpdateEach(ctx, s, rest, begin, each)
	if err != nil || len(left) != 1 || left[0].Item != huge || !errors.Is(left[0].Err, ErrTooLarge) || !IsItemError(left[0].Err) {
		t.Errorf("left out are %v, %v", left, err)
	}
	// The huge item is the first of its transaction, which begins again without it.
	if begun > 4 {
		t.Errorf("it took %d runs", begun)
	}
	for _, i := range items {
		for j := range records {
			if has := s.Snapshot().Family(fmt.Sprint("e", i, "-", j)) != nil; has == (i == huge) {
				t.Errorf("item %d: %v", i, has)
			}
		}
	}
	if _, err := UpdateEach(ctx, s, items, func(tx *Tx) error {
		for i := range s.cfg.MaxOps {
			Get(tx, ClusterKey(fmt.Sprint("f", i)))
		}
		return nil
	}, each); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a beginning that does not fit: %v", err)
	}
}
