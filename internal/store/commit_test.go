package store

import (
	"context"
	"errors"
	"math"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// The store forgets a waiter that gives up: in an outage each request adds one.
func TestGivenUpWaitersAreForgotten(t *testing.T) {
	s := opened(t, embedded(t, t.TempDir()).Client, Config{Sole: true})
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if err := s.wait(ctx, math.MaxInt64); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
	}
	stays := make(chan error, 1)
	other, stop := context.WithCancel(t.Context())
	go func() { stays <- s.wait(other, math.MaxInt64) }()
	waiting := func() int {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.waiters)
	}
	for waiting() < 21 {
		runtime.Gosched()
	}
	cancel()
	wg.Wait()
	if n := waiting(); n != 1 {
		t.Errorf("%d are waited for", n)
	}
	stop()
	<-stays
}

// TestBatch: transactions are joined only if their order does not matter.
func TestBatch(t *testing.T) {
	tx := func(reads, writes string) *commit {
		x := newTx(nil)
		for _, k := range strings.Fields(reads + " " + writes) {
			x.reads[k] = 1
		}
		for _, k := range strings.Fields(writes) {
			x.write(k, []byte("{}"))
		}
		return &commit{tx: x}
	}
	ranged := tx("", "c")
	ranged.tx.Unchanged("below/")
	big := tx("", "d")
	big.bytes = batchBytes
	for _, c := range []struct {
		name   string
		first  *commit
		second *commit
		joined bool
	}{
		{"apart", tx("a", "b"), tx("c", "d"), true},
		{"both only read", tx("parent", "b"), tx("parent", "d"), true},
		{"both write", tx("", "a"), tx("", "a"), false},
		{"the second reads what the first writes", tx("", "a"), tx("a", "b"), false},
		{"the second writes what the first reads", tx("a", "b"), tx("", "a"), false},
		{"write skew", tx("x", "y"), tx("y", "x"), false},
		{"the first decides over a set", ranged, tx("", "d"), false},
		{"the second decides over a set", tx("", "d"), ranged, false},
		{"too large together", big, func() *commit { c := tx("", "e"); c.bytes = 1; return c }(), false},
	} {
		b := batch{limit: maxOps, touched: map[string]bool{}}
		if !b.add(c.first) {
			t.Errorf("%s: the first is not taken", c.name)
		}
		if got := b.add(c.second); got != c.joined {
			t.Errorf("%s: joined %v", c.name, got)
		}
	}
}
