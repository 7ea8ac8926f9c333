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

// These are the limits of memory for calls that are under way. Calls whose signature is
// not yet verified have a pool of their own. So a stranger who only names a caller's
// key can't use up the caller's memory.
const (
	arrivingAll  = 32 << 20 // bodies larger than freeBody
	arrivingEach = 16 << 20 // for one claimed key
	runningAll   = 64 << 20
	runningAdmin = 32 << 20
	runningHost  = 8 << 20
	// callMemory is the memory that every call counts for, besides its body and its
	// decoded input.
	callMemory = 64 << 10
	// documentMemory bounds the decoded input of one body.
	documentMemory = 16 << 20
	// memoryWait is how long a call waits for memory before it is refused.
	memoryWait = 2 * time.Second
)

// A host may have as many calls at once as its memory allows, and hostCalls a second.
// That is ECS's limit for the agents of a whole account. A large call counts as
// several: one more for each callBytes of its body.
const (
	hostCalls      = 120
	hostCallsBurst = 600
	callBytes      = 16 << 10
)

type memory struct{ arriving, running *inflight.Pool }

func newMemory() memory {
	return memory{inflight.New(arrivingAll, memoryWait), inflight.New(runningAll, memoryWait)}
}

// lendRunning lends the memory of a verified call.
func (m *memory) lendRunning(ctx context.Context, p identity.Principal, body int) (*inflight.Reservation, error) {
	most := int64(runningHost)
	if p.Kind == identity.Admin {
		most = runningAdmin
	}
	l := m.running.Reserve(p.ARN, most)
	if err := l.Resize(ctx, callMemory+int64(body)); err != nil {
		l.Release()
		return nil, busy(err)
	}
	return l, nil
}

// busy returns the refusal of a call for which there is no memory. SDKs retry both
// refusals.
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

// checkRate counts a host's call with a body of that many bytes. It returns an error if
// the host makes too many calls.
func (s *Server) checkRate(p identity.Principal, body int) error {
	if p.Kind == identity.Host && !s.rates.Allow(p.ARN, 1+body/callBytes) {
		return throttled("Rate exceeded")
	}
	return nil
}
