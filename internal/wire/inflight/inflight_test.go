package inflight

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func resize(t *testing.T, l *Reservation, n int64, want error) {
	t.Helper()
	if err := l.Resize(t.Context(), n); !errors.Is(err, want) {
		t.Fatalf("hold %d: %v, want %v", n, err, want)
	}
}

// A sender gets at most its share, and all together at most the pool. Released memory is
// available again.
func TestSharesAndAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(100, time.Second)
		a, again, b := p.Reserve("a", 60), p.Reserve("a", 60), p.Reserve("b", 60)
		resize(t, a, 40, nil)
		resize(t, a, 30, nil) // less than it has
		began := time.Now()
		resize(t, again, 21, ErrShare)
		resize(t, b, 60, nil)
		c := p.Reserve("c", 60)
		resize(t, c, 1, ErrFull)
		if waited := time.Since(began); waited != 2*time.Second {
			t.Errorf("waited %v for two refusals", waited)
		}
		resize(t, c, 61, ErrShare) // never possible
		if waited := time.Since(began); waited != 2*time.Second {
			t.Error("waited for what it can never have")
		}
		a.Release()
		a.Release()
		resize(t, again, 40, nil)
		for _, l := range []*Reservation{again, b, c} {
			l.Release()
		}
		if len(p.shares) != 0 {
			t.Errorf("%d shares are left", len(p.shares))
		}
		resize(t, p.Reserve("d", 100), 100, nil)
	})
}

// A waiting sender gets released memory. No wait is longer than its context.
func TestWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(10, time.Minute)
		a, b := p.Reserve("a", 10), p.Reserve("b", 10)
		resize(t, a, 10, nil)
		go func() {
			time.Sleep(time.Second)
			a.Release()
		}()
		began := time.Now()
		resize(t, b, 5, nil)
		if waited := time.Since(began); waited != time.Second {
			t.Errorf("waited %v", waited)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		c := p.Reserve("c", 10)
		if err := c.Resize(ctx, 10); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		c.Release()
		b.Release()
		resize(t, p.Reserve("d", 10), 10, nil)
	})
}
