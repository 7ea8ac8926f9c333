// Package pace waits: for a time that a context may cut short, and between two
// tries for longer and longer, apart from all others who try the same.
package pace

import (
	"context"
	"math/rand/v2"
	"time"
)

// Sleep waits d. It returns the context's error if that ends first, or has.
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

// About is a time from half of d up to half as much again, of which d is the mean:
// those who wait for the same thing don't come all at once.
func About(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return d/2 + rand.N(d)
}

// Nearly is a time within a fifth of d, as ECS's agent waits.
func Nearly(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.8 + 0.4*rand.Float64()))
}

// Backoff is the wait between tries of what fails again and again: Min, then by
// Factor longer each time, up to Max. It is for one goroutine.
type Backoff struct {
	Min, Max time.Duration
	Factor   float64 // 0: 2

	next time.Duration
}

// Reset begins again with Min: something went well.
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
