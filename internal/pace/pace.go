// Package pace waits: for a time that a context can cut short, and between retries for
// longer and longer times, which differ at random between those who retry the same.
package pace

import (
	"context"
	"math/rand/v2"
	"time"
)

// Sleep waits d. It returns the context's error if the context ends first or has ended
// already.
func Sleep(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// About returns a random time between half of d and one and a half times d. Its mean is d.
// It keeps those who wait for the same event from coming all at once.
func About(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return d/2 + rand.N(d)
}

// Nearly returns a random time within a fifth of d, as ECS's agent waits.
func Nearly(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.8 + 0.4*rand.Float64()))
}

// Backoff computes the wait between retries: first Min, then Factor times longer each
// time, up to Max. It is for one goroutine.
type Backoff struct {
	Min, Max time.Duration
	Factor   float64 // 0: 2

	next time.Duration
}

// Reset makes the next wait Min again. Call it after a success.
func (b *Backoff) Reset() { b.next = 0 }

// Next returns how long to wait now.
func (b *Backoff) Next() time.Duration {
	if b.next == 0 {
		b.next = b.Min
	}
	d, factor := b.next, b.Factor
	if factor == 0 {
		factor = 2
	}
	b.next = min(time.Duration(float64(d)*factor), b.Max)
	return d
}
