package frontdoor

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/ashore/ashore/internal/aws/protocol"
	"github.com/ashore/ashore/internal/aws/protocol/query"
)

const (
	// firstRead is how much memory a body gets before anything of it has come: what
	// it announces counts for nothing.
	firstRead = 4 << 10
	// freeBody is how much of a body is read without asking for memory: nearly every
	// call is smaller.
	freeBody = 16 << 10

	// peekBytes of a refused body, and peekTime for them, may tell its protocol.
	peekBytes = 1 << 10
	peekTime  = time.Second

	// drainLimit is how much of a refused body is read all the same: many a client
	// hears an answer only once it has sent what it wants to send.
	drainLimit = 16 << 20
	// drainTime is how long that may take, and drains how many are heard out at once.
	drainTime = 2 * time.Second
	maxDrains = 64
	// selfDrained is what net/http reads by itself of a body that nobody has read.
	selfDrained = 256 << 10
)

// readBody reads all of a body that is small enough. Memory follows what arrives;
// beyond freeBody it is lent in the name of the key that the head claims.
func (x *exchange) readBody(key string) ([]byte, error) {
	limit := x.bodyLimit()
	if x.r.ContentLength > limit {
		return nil, x.tooLarge()
	}
	body := io.LimitReader(x.r.Body, limit+1)
	b := make([]byte, 0, firstRead)
	for {
		if len(b) == cap(b) {
			more := min(2*cap(b), int(limit)+1)
			if err := x.reserveBody(key, more); err != nil {
				return nil, err
			}
			b = slices.Grow(b, more-len(b))
		}
		n, err := body.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		switch {
		case int64(len(b)) > limit:
			return nil, x.tooLarge()
		case err == io.EOF:
			return b, nil
		case errors.Is(err, os.ErrDeadlineExceeded):
			x.w.Header().Set("Connection", "close")
			return nil, &faultError{fault{Fault: protocol.Fault{Status: http.StatusRequestTimeout, Code: "RequestTimeoutException", Message: "The request's body didn't arrive in time."}, detail: err}}
		case err != nil:
			x.w.Header().Set("Connection", "close")
			return nil, &faultError{fault{Fault: protocol.Fault{Status: http.StatusBadRequest, Code: "IncompleteBody", Message: "The request's body ended early or is malformed."}, detail: err}}
		}
	}
}

// bodyLimit is how large a body may be: what the operation says, where the head
// names it.
func (x *exchange) bodyLimit() int64 {
	if svc := x.target.svc; svc != nil {
		if op := svc.operations[x.target.operation]; op != nil && op.decl.BodyLimit > 0 {
			return op.decl.BodyLimit
		}
	}
	return x.s.cfg.BodyLimit
}

// reserveBody asks for the memory of a body that is large.
func (x *exchange) reserveBody(key string, bytes int) error {
	if bytes <= freeBody {
		return nil
	}
	if x.arriving == nil {
		x.arriving = x.s.memory.arriving.Lend(key, arrivingEach)
	}
	err := x.arriving.Hold(x.r.Context(), int64(bytes))
	if err != nil {
		x.refuseBody()
	}
	return busy(err)
}

// readProtocol looks at the beginning of a body where the head does not say which protocol
// its sender speaks, so that the refusal is in it.
func (x *exchange) readProtocol() {
	if x.target.protocol != query.AWS || x.target.service != "" || x.r.ContentLength == 0 {
		return
	}
	if err := http.NewResponseController(x.w).SetReadDeadline(time.Now().Add(peekTime)); err != nil {
		return // no connection of ours
	}
	b, err := io.ReadAll(io.LimitReader(x.r.Body, peekBytes))
	if err == nil {
		x.target = x.s.targetOf(x.r, b)
	}
}

func (x *exchange) tooLarge() error {
	x.refuseBody()
	return &faultError{fault{Fault: protocol.Fault{
		Status: http.StatusRequestEntityTooLarge, Code: "RequestEntityTooLarge",
		Message: fmt.Sprintf("The request's body is larger than the %d bytes allowed.", x.bodyLimit()),
	}}}
}

// refuseBody ends the connection after the answer, which does not wait for a body
// that nobody will look at. Some who send a large one are heard out, for a while,
// so that they get to read it.
func (x *exchange) refuseBody() {
	n := x.r.ContentLength
	if n == 0 {
		return
	}
	x.w.Header().Set("Connection", "close")
	if err := http.NewResponseController(x.w).SetReadDeadline(time.Now().Add(drainTime)); err != nil {
		return // no connection of ours
	}
	if n > 0 && n < selfDrained || strings.EqualFold(x.r.Header.Get("Expect"), "100-continue") { // that one waits for our word
		return
	}
	select {
	case x.s.drains <- struct{}{}:
		defer func() { <-x.s.drains }()
		_, _ = io.CopyN(io.Discard, x.r.Body, drainLimit)
	default:
	}
}
