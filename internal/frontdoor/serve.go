package frontdoor

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/ashore/ashore/internal/aws/protocol"
	"github.com/ashore/ashore/internal/aws/protocol/awsjson"
	"github.com/ashore/ashore/internal/aws/protocol/restxml"
	"github.com/ashore/ashore/internal/aws/sigv4"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/forward"
	"github.com/ashore/ashore/internal/identity"
	"github.com/ashore/ashore/internal/wire/inflight"
)

// serve is one request, from its id to its line in the log.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	x := &exchange{s: s, w: &response{ResponseWriter: w}, r: r, began: time.Now()}
	x.id = uuid.NewString()
	x.w.Header().Set("X-Amzn-Requestid", x.id)
	defer x.log()
	defer x.recover()

	switch read := r.Method == http.MethodGet || r.Method == http.MethodHead; {
	case read && r.URL.Path == "/healthz":
		x.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		respond(x.w, http.StatusOK, []byte("ready\n"))
	case !s.acceptsName(r):
		x.refuseName()
	case read && r.URL.Path == "/" && r.URL.RawQuery == "" && isBrowser(r):
		s.page(x.w)
	default:
		if err := x.handle(); err != nil {
			x.answerError(err)
		}
	}
}

// isBrowser tells a person from the client of an API.
func isBrowser(r *http.Request) bool {
	return !sigv4.Signed(r) && r.Header.Get("X-Amz-Target") == "" && r.Header.Get("X-Amz-Content-Sha256") == ""
}

// An exchange is one request and its answer.
type exchange struct {
	s      *Server
	w      *response
	r      *http.Request
	id     string
	began  time.Time
	target target
	key    string // the access key, once verified
	err    error  // what went wrong, for the log
	code   string // of the error that was answered
	trail  trail  // what was decided

	principal identity.Principal // whose key the head claims
	arriving  *inflight.Loan     // of a large body, until it is verified
	running   *inflight.Loan     // of a verified call
}

func (x *exchange) handle() error {
	x.target = x.s.targetOf(x.r, nil) // by its headers, in case there is no more
	mounted, isMounted := x.s.mounts[x.r.URL.Path]
	opt := sigv4.Options{Service: "ecs"}
	if isMounted {
		x.target = target{protocol: awsjson.JSON11, service: "ecs", operation: x.r.URL.Path}
	} else {
		opt.Service = ""
		opt.UnsignedPayload = x.target.protocol == restxml.S3
		if x.target.svc != nil {
			opt.Service, opt.GlobalRegion = x.target.svc.Model.SigningName, x.target.svc.Model.GlobalRegion
		}
	}
	// Nothing is read, and no memory taken, for a call whose head is not in order.
	head, err := x.checkHead(opt)
	if err != nil {
		return err
	}
	defer x.returnLoans()
	if up := x.findUpstream(head, isMounted); up != nil {
		return x.forward(up, head)
	}
	body, err := x.readBody(head.AccessKeyID())
	if err != nil {
		return err
	}
	if !isMounted {
		x.target = x.s.targetOf(x.r, body)
	}
	caller, err := x.verify(head, body)
	if err != nil {
		return err
	}
	if isMounted {
		r := x.r.WithContext(WithCaller(x.r.Context(), caller))
		r.Body = io.NopCloser(bytes.NewReader(body))
		mounted.ServeHTTP(x.w, r)
		return nil
	}
	op, err := x.s.findOperation(x.target, x.r)
	if err != nil {
		return err
	}
	if body, err = x.decompress(body); err != nil {
		return err
	}
	caller.Service, caller.Operation = x.target.service, op.name
	x.s.calls.RLock()
	defer x.s.calls.RUnlock()
	ctx, cancel := context.WithTimeout(WithCaller(x.r.Context(), caller), x.s.cfg.HandlerTimeout)
	defer cancel()
	in, err := x.decode(ctx, op, body)
	if err != nil {
		return err
	}
	out, err := x.s.call(ctx, op, caller, in)
	if err != nil {
		return err
	}
	if st, ok := out.(Stream); ok {
		return x.stream(st)
	}
	buffer := answers.Get().(*[]byte)
	answer, err := x.target.protocol.Encode((*buffer)[:0], x.target.svc.Model, op.model, x.w.Header(), x.id, out)
	if err == nil {
		respond(x.w, http.StatusOK, answer)
	}
	if cap(answer) <= maxPooledAnswer {
		*buffer = answer
	}
	answers.Put(buffer)
	return err
}

// answers are buffers for encoded answers, to be used again. One that had to grow
// beyond keepAnswer is let go.
var answers = sync.Pool{New: func() any { return new([]byte) }}

const maxPooledAnswer = 256 << 10

// findOperation returns the operation that t asks for, or why it isn't served.
func (s *Server) findOperation(t target, r *http.Request) (*operation, error) {
	if svc := s.named(t.service); t.svc == nil && svc != nil {
		return nil, clientError("UnknownOperationException", fmt.Sprintf(
			"The request names no operation of %s, but %q: its X-Amz-Target must be %q and the operation's name.",
			svc.Model.Name, t.operation, svc.Model.Shape+"."))
	}
	if t.svc == nil {
		service := firstNonEmpty(t.service, "that you asked for")
		return nil, clientError("UnsupportedOperationException", fmt.Sprintf(
			"The service %s is not served by this installation (operation: %s). Served are: %s.",
			service, firstNonEmpty(t.operation, "unnamed"), s.servedNames))
	}
	op := t.svc.operations[t.operation]
	if op == nil {
		return nil, t.svc.refusal(t.operation)
	}
	if op.model.Method == "" && r.Method != http.MethodPost {
		return nil, clientError("UnknownOperationException", fmt.Sprintf("%s of %s must be a POST, not a %s.", op.name, t.service, r.Method))
	}
	return op, nil
}

// named returns the service that is served under a name.
func (s *Server) named(name string) *service {
	for _, svc := range s.services {
		if svc.Model.Name == name {
			return svc
		}
	}
	return nil
}

// checkHead checks what can be told before the body is there.
func (x *exchange) checkHead(opt sigv4.Options) (*sigv4.Head, error) {
	v := sigv4.Verifier{
		Region: x.s.cfg.Region,
		Now:    x.s.cfg.Now,
		Secret: func(ctx context.Context, id, token string) (secret string, err error) {
			secret, x.principal, err = x.s.cfg.Keys.Key(ctx, id, token)
			return secret, err
		},
		IsUnknown: func(err error) bool { return errors.Is(err, identity.ErrUnknownKey) },
	}
	head, err := v.Head(x.r, opt)
	if err == nil {
		return head, nil
	}
	// One that is too large as well learns that first: no key mends it.
	if x.r.ContentLength > x.s.cfg.BodyLimit {
		return nil, x.tooLarge()
	}
	x.readProtocol()
	x.refuseBody()
	return nil, err
}

// verify checks the signature, and that its caller may call now. What the body
// holds of memory is the caller's from here on.
func (x *exchange) verify(head *sigv4.Head, body []byte) (Caller, error) {
	verified, err := head.Verify(body)
	if err != nil {
		return Caller{}, err
	}
	return x.admit(verified, len(body), cap(body))
}

// admit lets the caller of a verified request in, if it may call now: with a body of
// so many bytes, for which so many are held.
func (x *exchange) admit(verified sigv4.Verified, size, held int) (Caller, error) {
	x.key = verified.AccessKeyID
	x.s.conns.markVerified(x.r.Context(), x.principal)
	err := x.s.checkRate(x.principal, size)
	if err != nil {
		return Caller{}, err
	}
	if x.running, err = x.s.memory.lendRunning(x.r.Context(), x.principal, held); err != nil {
		return Caller{}, err
	}
	if x.arriving != nil {
		x.arriving.Return()
	}
	return Caller{
		Principal: x.principal, AccessKeyID: verified.AccessKeyID, RequestID: x.id,
		Endpoint: scheme(x.r) + "://" + x.r.Host, RemoteAddr: x.r.RemoteAddr, UserAgent: x.r.UserAgent(),
		AgentRun: fleet.ClipBytes(x.r.Header.Get(fleet.AgentRunHeader), fleet.MaxRun),
		trail:    &x.trail,
	}, nil
}

// returnLoans gives back what the call has held.
func (x *exchange) returnLoans() {
	for _, l := range []*inflight.Loan{x.arriving, x.running} {
		if l != nil {
			l.Return()
		}
	}
}

// scheme is what the client spoke, to us or to a proxy before us that has TLS.
// A client that lies about it misleads itself only.
func scheme(r *http.Request) string {
	first, _, _ := strings.Cut(r.Header.Get("X-Forwarded-Proto"), ",")
	if r.TLS != nil || strings.EqualFold(strings.TrimSpace(first), "https") {
		return "https"
	}
	return "http"
}

// faultError is a fault on its way up.
type faultError struct{ fault }

func (e *faultError) Error() string { return e.Code + ": " + e.Message }

// answerError answers err.
func (x *exchange) answerError(err error) {
	x.err = err
	var f fault
	var known *faultError
	var refused *sigv4.Error
	var unanswered *forward.Error
	switch {
	case errors.As(err, &unanswered):
		f = fault{Fault: protocol.Fault{Status: unanswered.Status, Code: unanswered.Code, Message: unanswered.Message}, detail: err}
	case errors.As(err, &known):
		f = known.fault
	case errors.As(err, &refused):
		f.Code, f.Message = string(refused.Code), refused.Message
	default:
		f = faultOf(err)
	}
	x.code = f.Code
	if len(f.Message) > maxMessage {
		f.Message, f.Err = shortenMessage(f.Message), nil // it holds the message, too
	}
	if f.Status >= 500 && !f.isPublic {
		if x.r.Context().Err() != nil { // the client is gone, so its call was cut short
			x.s.cfg.Log.Debug("call abandoned by its client", "operation", x.target.operation, "request", x.id, "err", err)
		} else {
			x.s.cfg.Log.Error("call failed", "service", x.target.service, "operation", x.target.operation, "request", x.id, "err", err)
		}
		f.Message += " The log has more under request id " + x.id + "."
	}
	if !x.w.written() {
		body := x.target.protocol.Fault(x.w.Header(), x.id, f.Fault)
		respond(x.w, cmp.Or(f.Status, x.target.protocol.Status(f.Fault)), body)
	}
}

// maxMessage bounds an error's message: most of them quote what was sent. Of a
// longer one the beginning is answered.
const (
	maxMessage   = 4 << 10
	shownMessage = 512
)

// shortenMessage shortens a message that is too long for anybody to read.
func shortenMessage(message string) string {
	return fmt.Sprintf("%s… (%d bytes in all)", strings.ToValidUTF8(message[:shownMessage], ""), len(message))
}

// recover turns a panic of a handler into an answer; its stack goes to the log.
func (x *exchange) recover() {
	v := recover()
	if v == nil {
		return
	}
	if v == http.ErrAbortHandler {
		panic(v)
	}
	x.s.cfg.Log.Error("panic", "service", x.target.service, "operation", x.target.operation, "request", x.id,
		"panic", fmt.Sprint(v), "stack", string(debug.Stack()))
	x.answerError(fmt.Errorf("panic: %v", v))
}

func (x *exchange) log() {
	l := line{
		caller:  Caller{RequestID: x.id},
		service: x.target.service, operation: x.target.operation, trail: &x.trail, code: x.code, began: x.began,
	}
	if x.key != "" {
		l.caller.Principal = x.principal
	}
	l.more = []any{"method", x.r.Method, "path", x.r.URL.Path, "status", x.w.status, "key", x.key, "from", x.r.RemoteAddr}
	if x.err != nil && !x.trail.known {
		l.more = append(l.more, "err", x.err)
	}
	x.s.write(l)
}

// A response remembers whether an answer has begun.
type response struct {
	http.ResponseWriter
	status   int
	hijacked bool
}

func (w *response) written() bool { return w.status != 0 || w.hijacked }

func (w *response) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *response) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func respond(w http.ResponseWriter, status int, body []byte) {
	h := w.Header()
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client is gone, or net/http says so
}
