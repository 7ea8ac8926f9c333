package frontdoor

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/ashore/ashore/internal/aws/protocol"
	"github.com/ashore/ashore/internal/identity"
	"github.com/ashore/ashore/internal/wire/inflight"
)

// What calls may hold in memory while they are under way. Those whose signature is
// still to be verified have memory of their own: nobody takes that of callers by
// their keys' names alone.
const (
	arrivingAll  = 32 << 20 // bodies that are larger than most
	arrivingEach = 16 << 20 // in the name of one key
	runningAll   = 64 << 20
	runningAdmin = 32 << 20
	runningHost  = 8 << 20
	// callMemory is what every call counts for, beside its body and what that is
	// decoded into.
	callMemory = 64 << 10
	// documentMemory bounds what one body may be decoded into.
	documentMemory = 16 << 20
	// memoryWait is how long a call waits for memory before it is refused.
	memoryWait = 2 * time.Second
)

// A host's calls: as many at once as its memory allows, and this many a second,
// which is what ECS lets a whole account's agents do. A large one counts for several:
// one more for each callBytes of its body.
const (
	hostCalls      = 120
	hostCallsBurst = 600
	callBytes      = 16 << 10
)

type memory struct{ arriving, running *inflight.Pool }

func newMemory() memory {
	return memory{inflight.New(arrivingAll, memoryWait), inflight.New(runningAll, memoryWait)}
}

// lendRunning lends what a verified call holds.
func (m *memory) lendRunning(ctx context.Context, p identity.Principal, body int) (*inflight.Loan, error) {
	most := int64(runningHost)
	if p.Kind == identity.Admin {
		most = runningAdmin
	}
	l := m.running.Lend(p.ARN, most)
	if err := l.Hold(ctx, callMemory+int64(body)); err != nil {
		l.Return()
		return nil, busy(err)
	}
	return l, nil
}

// busy is how a call is refused for which there is no memory: SDKs repeat both.
func busy(err error) error {
	switch {
	case errors.Is(err, inflight.ErrShare):
		return throttled("Rate exceeded: too many calls of this caller are under way.")
	case errors.Is(err, inflight.ErrFull):
		return &faultError{fault{Fault: protocol.Fault{Status: http.StatusServiceUnavailable, Code: "ServiceUnavailable", Message: "The server has too many calls under way. Try again in a moment."}, detail: err, isPublic: true}}
	}
	return err
}

func throttled(message string) error {
	return &faultError{fault{Fault: protocol.Fault{Code: "ThrottlingException", Message: message}}}
}

// checkRate counts a host's call with a body of so many bytes, or refuses it.
func (s *Server) checkRate(p identity.Principal, body int) error {
	if p.Kind == identity.Host && !s.rates.Take(p.ARN, 1+body/callBytes) {
		return throttled("Rate exceeded")
	}
	return nil
}
