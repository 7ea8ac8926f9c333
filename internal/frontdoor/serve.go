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

// serve handles one request, from its id to its line in the log.
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

// isBrowser says whether a browser, and not an API client, sent the request.
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
	trail  trail  // the decision

	principal identity.Principal    // whose key the head claims
	arriving  *inflight.Reservation // memory of a large body, until it is verified
	running   *inflight.Reservation // memory of a verified call
}

func (x *exchange) handle() error {
	x.target = x.s.targetOf(x.r, nil) // by its headers; the body may never come
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
	// The server reads nothing and uses no memory if the head of the call is wrong.
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

// answers are reusable buffers for encoded answers. A buffer larger than
// maxPooledAnswer is not reused.
var answers = sync.Pool{New: func() any { return new([]byte) }}

const maxPooledAnswer = 256 << 10

// findOperation returns the operation that t asks for, or an error that says why it
// isn't served.
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
		return nil, t.svc.newUnservedError(t.operation)
	}
	if op.model.Method == "" && r.Method != http.MethodPost {
		return nil, clientError("UnknownOperationException", fmt.Sprintf("%s of %s must be a POST, not a %s.", op.name, t.service, r.Method))
	}
	return op, nil
}

// named returns the service with a name, or nil.
func (s *Server) named(name string) *service {
	for _, svc := range s.services {
		if svc.Model.Name == name {
			return svc
		}
	}
	return nil
}

// checkHead verifies what can be verified before the body has come.
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
	// A body that is too large gets that error first, because no other key helps then.
	if x.r.ContentLength > x.s.cfg.BodyLimit {
		return nil, x.tooLarge()
	}
	x.readProtocol()
	x.refuseBody()
	return nil, err
}

// verify verifies the signature and admits the caller. From here on the body's memory
// counts for the caller.
func (x *exchange) verify(head *sigv4.Head, body []byte) (Caller, error) {
	verified, err := head.Verify(body)
	if err != nil {
		return Caller{}, err
	}
	return x.acceptCaller(verified, len(body), cap(body))
}

// acceptCaller admits the caller of a verified request with a body of size bytes. held is the
// memory of the body in bytes. It returns an error if the caller has too many calls, or
// too much memory, in use.
func (x *exchange) acceptCaller(verified sigv4.Verified, size, held int) (Caller, error) {
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
		x.arriving.Release()
	}
	return Caller{
		Principal: x.principal, AccessKeyID: verified.AccessKeyID, RequestID: x.id,
		Endpoint: scheme(x.r) + "://" + x.r.Host, RemoteAddr: x.r.RemoteAddr, UserAgent: x.r.UserAgent(),
		AgentRun: fleet.ClipBytes(x.r.Header.Get(fleet.AgentRunHeader), fleet.MaxRun),
		trail:    &x.trail,
	}, nil
}

// returnLoans returns the memory of the call.
func (x *exchange) returnLoans() {
	for _, l := range []*inflight.Reservation{x.arriving, x.running} {
		if l != nil {
			l.Release()
		}
	}
}

// scheme returns the client's URL scheme, to us or to a proxy before us that terminates
// TLS. A client that lies about it misleads only itself.
func scheme(r *http.Request) string {
	first, _, _ := strings.Cut(r.Header.Get("X-Forwarded-Proto"), ",")
	if r.TLS != nil || strings.EqualFold(strings.TrimSpace(first), "https") {
		return "https"
	}
	return "http"
}

// faultError is an error that carries its fault.
type faultError struct{ fault }

func (e *faultError) Error() string { return e.Code + ": " + e.Message }

// answerError writes the answer for err.
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
		f.Message, f.Err = shortenMessage(f.Message), nil // Err contains the message, too
	}
	if f.Status >= 500 && !f.isPublic {
		if x.r.Context().Err() != nil { // the client has gone, and that ended its call
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

// maxMessage bounds an error's message in bytes, because most messages quote the
// request. Of a longer message only the first shownMessage bytes are answered.
const (
	maxMessage   = 4 << 10
	shownMessage = 512
)

// shortenMessage shortens a message that is too long to read.
func shortenMessage(message string) string {
	return fmt.Sprintf("%s… (%d bytes in all)", strings.ToValidUTF8(message[:shownMessage], ""), len(message))
}

// recover answers a handler's panic with an error and logs the stack.
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

// A response is an http.ResponseWriter that knows whether an answer has begun.
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
	_, _ = w.Write(body) // on an error the client has gone, or net/http reports it
}
