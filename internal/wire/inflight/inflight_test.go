package inflight

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func hold(t *testing.T, l *Loan, n int64, want error) {
	t.Helper()
	if err := l.Hold(t.Context(), n); !errors.Is(err, want) {
		t.Fatalf("hold %d: %v, want %v", n, err, want)
	}
}

// A sender gets its share and no more, all of them together what there is, and
// what is given back is lent again.
func TestSharesAndAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(100, time.Second)
		a, again, b := p.Lend("a", 60), p.Lend("a", 60), p.Lend("b", 60)
		hold(t, a, 40, nil)
		hold(t, a, 30, nil) // less than it has
		began := time.Now()
		hold(t, again, 21, ErrShare)
		hold(t, b, 60, nil)
		c := p.Lend("c", 60)
		hold(t, c, 1, ErrFull)
		if waited := time.Since(began); waited != 2*time.Second {
			t.Errorf("waited %v for two refusals", waited)
		}
		hold(t, c, 61, ErrShare) // never
		if waited := time.Since(began); waited != 2*time.Second {
			t.Error("waited for what it can never have")
		}
		a.Return()
		a.Return()
		hold(t, again, 40, nil)
		for _, l := range []*Loan{again, b, c} {
			l.Return()
		}
		if len(p.shares) != 0 {
			t.Errorf("%d shares are left", len(p.shares))
		}
		hold(t, p.Lend("d", 100), 100, nil)
	})
}

// Who waits gets what is given back, and nobody waits longer than its caller.
func TestWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(10, time.Minute)
		a, b := p.Lend("a", 10), p.Lend("b", 10)
		hold(t, a, 10, nil)
		go func() {
			time.Sleep(time.Second)
			a.Return()
		}()
		began := time.Now()
		hold(t, b, 5, nil)
		if waited := time.Since(began); waited != time.Second {
			t.Errorf("waited %v", waited)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		c := p.Lend("c", 10)
		if err := c.Hold(ctx, 10); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		c.Return()
		b.Return()
		hold(t, p.Lend("d", 10), 10, nil)
	})
}
