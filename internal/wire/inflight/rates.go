package inflight

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Rates bounds how often each sender may do something. NewRates makes it; the zero value
// is not ready.
type Rates struct {
	every rate.Limit // constant
	burst int        // constant

	mu      sync.Mutex
	senders map[string]*rate.Limiter // guarded by mu
}

// maxSenders is the number of senders at which those that were quiet lately are forgotten.
const maxSenders = 10_000

// NewRates allows each sender perSecond units a second, and burst at once.
func NewRates(perSecond float64, burst int) *Rates {
	return &Rates{every: rate.Limit(perSecond), burst: burst, senders: map[string]*rate.Limiter{}}
}

// Allow counts n units for a sender. It returns false if the sender has none left.
func (r *Rates) Allow(sender string, n int) bool {
	return r.limiter(sender).AllowN(time.Now(), min(n, r.burst))
}

// Wait counts n units for a sender. It waits until the sender has them.
func (r *Rates) Wait(ctx context.Context, sender string, n int) error {
	return r.limiter(sender).WaitN(ctx, min(n, r.burst))
}

func (r *Rates) limiter(sender string) *rate.Limiter {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.senders[sender]
	if l != nil {
		return l
	}
	if len(r.senders) >= maxSenders {
		for s, l := range r.senders {
			if l.Tokens() >= float64(r.burst) {
				delete(r.senders, s)
			}
		}
	}
	l = rate.NewLimiter(r.every, r.burst)
	r.senders[sender] = l
	return l
}
