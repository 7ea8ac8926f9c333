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
	// firstRead is how much memory a body gets before any of it has come. The announced
	// length does not count.
	firstRead = 4 << 10
	// freeBody is how much of a body is read without a loan of memory. Nearly every
	// call is smaller.
	freeBody = 16 << 10

	// readProtocol reads up to peekBytes of a refused body, for at most peekTime, to
	// find its protocol.
	peekBytes = 1 << 10
	peekTime  = time.Second

	// drainLimit is how much of a refused body is still read. Many clients read the
	// answer only after they have sent their whole body.
	drainLimit = 16 << 20
	// drainTime is how long that may take. maxDrains is for how many callers at once
	// the server does it.
	drainTime = 2 * time.Second
	maxDrains = 64
	// selfDrained is how much net/http itself reads of a body that no handler has read.
	selfDrained = 256 << 10
)

// readBody reads a whole body up to bodyLimit. Its memory grows with the bytes that
// arrive. Beyond freeBody the memory is lent to the key that the head claims.
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

// bodyLimit returns the largest body in bytes. The operation may declare it, if the
// head names the operation.
func (x *exchange) bodyLimit() int64 {
	if svc := x.target.svc; svc != nil {
		if op := svc.operations[x.target.operation]; op != nil && op.decl.BodyLimit > 0 {
			return op.decl.BodyLimit
		}
	}
	return x.s.cfg.BodyLimit
}

// reserveBody reserves the memory of a large body.
func (x *exchange) reserveBody(key string, bytes int) error {
	if bytes <= freeBody {
		return nil
	}
	if x.arriving == nil {
		x.arriving = x.s.memory.arriving.Reserve(key, arrivingEach)
	}
	err := x.arriving.Resize(x.r.Context(), int64(bytes))
	if err != nil {
		x.refuseBody()
	}
	return busy(err)
}

// readProtocol reads the beginning of a body if the head does not name the sender's
// protocol, so that the refusal can use that protocol.
func (x *exchange) readProtocol() {
	if x.target.protocol != query.AWS || x.target.service != "" || x.r.ContentLength == 0 {
		return
	}
	if err := http.NewResponseController(x.w).SetReadDeadline(time.Now().Add(peekTime)); err != nil {
		return // not a connection of net/http's server
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

// refuseBody closes the connection after the answer. The answer does not wait for a
// body that no one will read. Some senders of large bodies may send on for a while, so
// that they read the answer.
func (x *exchange) refuseBody() {
	n := x.r.ContentLength
	if n == 0 {
		return
	}
	x.w.Header().Set("Connection", "close")
	if err := http.NewResponseController(x.w).SetReadDeadline(time.Now().Add(drainTime)); err != nil {
		return // not a connection of net/http's server
	}
	if n > 0 && n < selfDrained || strings.EqualFold(x.r.Header.Get("Expect"), "100-continue") { // that client waits for our go-ahead
		return
	}
	select {
	case x.s.drains <- struct{}{}:
		defer func() { <-x.s.drains }()
		_, _ = io.CopyN(io.Discard, x.r.Body, drainLimit)
	default:
	}
}
