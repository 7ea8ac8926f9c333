package forward

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/ashore/ashore/internal/aws/sigv4"
)

var errIdle = errors.New("nothing has moved for too long")

// renewEvery is how often the deadlines of the client's connection are extended.
const renewEvery = time.Second

// progress ends a call when no part of its bodies has moved for too long.
type progress struct {
	control *http.ResponseController
	limits  Limits
	timer   *time.Timer

	mu  sync.Mutex
	set time.Time // when the deadlines were last extended
}

func newProgress(control *http.ResponseController, limits Limits, cancel context.CancelCauseFunc) *progress {
	p := &progress{control: control, limits: limits, timer: time.AfterFunc(limits.Idle, func() { cancel(errIdle) })}
	p.noteTransfer()
	return p
}

// noteTransfer records that a part of a body was received or sent.
func (p *progress) noteTransfer() {
	p.timer.Reset(p.limits.Idle)
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if now.Sub(p.set) < renewEvery {
		return
	}
	p.set = now
	// These fail if the connection is not net/http's. Then there is no deadline to
	// extend.
	_ = p.control.SetReadDeadline(now.Add(p.limits.Idle + renewEvery))
	_ = p.control.SetWriteDeadline(now.Add(p.limits.Idle + p.limits.Headers + renewEvery))
}

// noteRequestSent records that the endpoint has the whole request, or is about to. From
// here on the client sends nothing more, so a read deadline would end the call.
func (p *progress) noteRequestSent() {
	p.timer.Reset(p.limits.Idle + p.limits.Headers)
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.control.SetReadDeadline(time.Time{})
	p.set = time.Now()
}

// interruptRead interrupts a running read of the client's body.
func (p *progress) interruptRead() { _ = p.control.SetReadDeadline(time.Unix(1, 0)) }

func (p *progress) stop() { p.timer.Stop() }

// upload is a request's body on its way to the endpoint. The transport may read on
// after an answer has begun. It must not read after the call has ended.
type upload struct {
	progress *progress

	mu       sync.Mutex
	from     io.Reader // nil after detach
	complete bool      // the whole body was read
	err      error     // of the client, or of its signature
}

var errClosed = errors.New("the call has ended")

// Read reads from the client's body.
func (u *upload) Read(b []byte) (int, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.from == nil {
		return 0, errClosed
	}
	n, err := u.from.Read(b)
	switch {
	case err == io.EOF:
		u.complete = true
		u.progress.noteRequestSent()
	case err != nil:
		u.err = err
	default:
		u.progress.noteTransfer()
	}
	return n, err
}

// Close does nothing. The transport calls it when it needs no more of the body.
func (u *upload) Close() error { return nil }

// detach makes the transport read no more.
func (u *upload) detach() {
	if u.mu.TryLock() { // no read is running
		u.from = nil
		u.mu.Unlock()
		return
	}
	u.progress.interruptRead()
	u.mu.Lock()
	defer u.mu.Unlock()
	u.from = nil
}

// failure returns the error of the client's body, or nil.
func (u *upload) failure() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	var refused *sigv4.Error
	switch {
	case u.err == nil:
		return nil
	case errors.As(u.err, &refused):
		return refused
	case errors.Is(u.err, os.ErrDeadlineExceeded):
		return &Error{http.StatusRequestTimeout, "RequestTimeout", "The request's body didn't arrive in time.", u.err}
	}
	return &Error{http.StatusBadRequest, "IncompleteBody", "The request's body ended early or is malformed.", u.err}
}
