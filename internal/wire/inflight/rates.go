package inflight

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Rates bound how often each of many senders may do something. The zero value is
// not ready: it is made by NewRates.
type Rates struct {
	every rate.Limit // constant
	burst int        // constant

	mu      sync.Mutex
	senders map[string]*rate.Limiter // guarded by mu
}

// maxSenders is at how many senders those that have been quiet are forgotten.
const maxSenders = 10_000

// NewRates lets each sender have so many a second, and so many at once.
func NewRates(perSecond float64, burst int) *Rates {
	return &Rates{every: rate.Limit(perSecond), burst: burst, senders: map[string]*rate.Limiter{}}
}

// Allow counts n for a sender, or says that it has none left.
func (r *Rates) Allow(sender string, n int) bool {
	return r.limiter(sender).AllowN(time.Now(), min(n, r.burst))
}

// Wait counts n for a sender, once it may have them.
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
