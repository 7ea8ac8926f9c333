package pace

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		if err := Sleep(t.Context(), time.Minute); err != nil || time.Since(began) != time.Minute {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		began = time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := Sleep(ctx, time.Minute); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		// Even a wait of zero returns the error after the context has ended.
		for range 100 {
			if err := Sleep(ctx, 0); err == nil {
				t.Fatal("slept after the context's end")
			}
		}
	})
}

func TestBackoff(t *testing.T) {
	b := Backoff{Min: time.Second, Max: 5 * time.Second}
	for _, want := range []time.Duration{1, 2, 4, 5, 5} {
		if got := b.Next(); got != want*time.Second {
			t.Errorf("%v, not %v s", got, int64(want))
		}
	}
	b.Reset()
	b.Factor = 1.5
	for _, want := range []time.Duration{1000, 1500, 2250} {
		if got := b.Next(); got != want*time.Millisecond {
			t.Errorf("%v, not %v ms", got, int64(want))
		}
	}
}

func TestJitter(t *testing.T) {
	for range 1000 {
		if d := About(time.Second); d < time.Second/2 || d >= 3*time.Second/2 {
			t.Fatalf("about a second: %v", d)
		}
		if d := Nearly(time.Second); d < 800*time.Millisecond || d > 1200*time.Millisecond {
			t.Fatalf("nearly a second: %v", d)
		}
	}
	if About(0) != 0 || Nearly(0) != 0 {
		t.Error("no time is more than that")
	}
}
