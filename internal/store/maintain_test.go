package store

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/pace"
)

// TestQuota fills an embedded etcd with history. Writes are refused with a clear error.
// Then space is freed, and writes succeed again without help.
func TestQuota(t *testing.T) {
	e := embedded(t, t.TempDir(), WithQuota(16<<20))
	// Maintenance is so rare that only the refusal starts it.
	s := opened(t, e.Client, Config{Sole: true, MaintainEvery: time.Hour})
	ctx := within(t)
	write := func(i int) error {
		return s.Update(ctx, func(tx *Tx) error {
			Get(tx, ClusterKey("c"))
			return Put(tx, ClusterKey("c"), &fleet.Cluster{Name: fmt.Sprint(i) + strings.Repeat("x", 200<<10)})
		})
	}
	var err error
	n := 0
	for ; n < 200 && err == nil; n++ {
		err = write(n)
	}
	if !errors.Is(err, ErrFull) || errors.Is(err, ErrUnknown) {
		t.Fatalf("after %d writes: %v", n, err)
	}
	if w := s.Warnings(); len(w) != 1 || w[0].Name != "store-full" {
		t.Errorf("warnings: %v", w)
	}
	if s.Snapshot().Cluster("c") == nil {
		t.Error("reads end with writes")
	}
	for err != nil {
		if !errors.Is(err, ErrFull) {
			t.Fatal(err)
		}
		if err := pace.Sleep(ctx, 20*time.Millisecond); err != nil {
			t.Fatal("it did not recover: ", err)
		}
		err = write(n)
	}
	for sp := s.Space(); len(s.Warnings()) > 0 || sp.Quota != 16<<20 || sp.File > 4<<20; sp = s.Space() {
		if err := pace.Sleep(ctx, 10*time.Millisecond); err != nil {
			t.Fatalf("recovered, but %+v, %v", sp, s.Warnings())
		}
	}
}

func TestMaintain(t *testing.T) {
	e := embedded(t, t.TempDir(), WithQuota(50<<20))
	s := opened(t, e.Client, Config{Sole: true, MaintainEvery: time.Hour, defragFrom: 1 << 20})
	ctx := within(t)
	write := func() {
		err := s.Update(ctx, func(tx *Tx) error {
			Get(tx, ClusterKey("c"))
			return Put(tx, ClusterKey("c"), &fleet.Cluster{Name: strings.Repeat("x", 400<<10)})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	other, err := load(ctx, e.Client, Config{Maintain: true, defragFrom: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	// The store's own first maintenance may compact some of the history.
	for sp := other.Space(); sp.File*10 < sp.Quota*6 || sp.Quota == 0; sp = other.Space() {
		write()
		if err := other.maintainOnce(ctx, 0); err != nil {
			t.Fatal(err)
		}
	}
	if w := other.Warnings(); len(w) != 1 || w[0].Name != "store-filling" {
		t.Errorf("at %+v: warnings %v", other.Space(), w)
	}
	before := other.Space()
	if err := other.compact(ctx, s.Snapshot().rev, true); err != nil {
		t.Fatal(err)
	}
	if err := other.maintainOnce(ctx, 0); err != nil {
		t.Fatal(err)
	}
	if sp := other.Space(); sp.File*4 > before.File || len(other.Warnings()) != 0 {
		t.Errorf("after compaction and defragmentation %+v, before %+v", sp, before)
	}
	other.cancel(ErrClosed)
	// An external etcd is not maintained unless configured.
	if plain, err := load(ctx, e.Client, Config{}); err != nil || plain.cfg.Maintain {
		t.Errorf("maintains an etcd that is not its own: %v", err)
	} else {
		plain.cancel(ErrClosed)
	}
}

// TestLeasesAfterKill: the leases of a killed server on its embedded etcd end at the
// next start, and not when their time is over.
func TestLeasesAfterKill(t *testing.T) {
	e := embedded(t, t.TempDir())
	ctx := within(t)
	cfg := Config{Sole: true, LeaseTTL: time.Hour}
	killed, err := load(ctx, e.Client, cfg)
	if err != nil {
		t.Fatal(err)
	}
	killed.start()
	err = killed.Update(ctx, func(tx *Tx) error {
		Get(tx, SessionKey("c", "i"))
		return PutLeased(tx, SessionKey("c", "i"), &fleet.InstanceSession{Server: "s"})
	})
	if err != nil {
		t.Fatal(err)
	}
	killed.cancel(ErrClosed)
	killed.wg.Wait() // it ended without revoking its lease
	s := opened(t, e.Client, cfg)
	if s.Snapshot().Session("c", "i") != nil {
		t.Error("the session of a dead server is there")
	}
}
