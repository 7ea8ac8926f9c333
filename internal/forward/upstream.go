package forward

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/ashore/ashore/internal/aws/sigv4"
)

// Limits are the deadlines of a call.
type Limits struct {
	// Connect is how long the connection to the endpoint may take.
	Connect time.Duration
	// Headers is how long the endpoint may take to begin its answer, once it has the
	// request.
	Headers time.Duration
	// Idle is how long a body may stand still, in either direction.
	Idle time.Duration
}

// Defaults are a server's limits.
var Defaults = Limits{Connect: 5 * time.Second, Headers: 2 * time.Minute, Idle: time.Minute}

// An Upstream is an endpoint for the calls of one service. It doesn't change after New.
type Upstream struct {
	spec      Spec
	source    Source
	limits    Limits
	log       *slog.Logger
	transport *http.Transport
}

// New returns an Upstream. It signs for region if spec names none.
func New(spec Spec, region string, source Source, limits Limits, log *slog.Logger) *Upstream {
	spec.Region = cmp.Or(spec.Region, region)
	dial := &net.Dialer{Timeout: limits.Connect}
	return &Upstream{spec: spec, source: source, limits: limits, log: log, transport: &http.Transport{
		DialContext: dial.DialContext, TLSHandshakeTimeout: limits.Connect, ResponseHeaderTimeout: limits.Headers,
		ExpectContinueTimeout: time.Second, IdleConnTimeout: 90 * time.Second, MaxIdleConnsPerHost: 16,
		MaxResponseHeaderBytes: 64 << 10, DisableCompression: true, ForceAttemptHTTP2: true,
	}}
}

// Service returns the signing name of the calls that the endpoint receives.
func (u *Upstream) Service() string { return u.spec.Service }

// Close closes idle connections.
func (u *Upstream) Close() { u.transport.CloseIdleConnections() }

// An Error says why a call got no answer from the endpoint. The caller may read
// Message. Err is for the log.
type Error struct {
	Status  int
	Code    string
	Message string
	Err     error
}

func (e *Error) Error() string { return e.Message + " " + e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// A Payload is a request's body as the signature covers it.
type Payload struct {
	// Body is the content, and Length its size in bytes, -1 if it is unknown.
	Body   io.Reader
	Length int64
	// Hash is the X-Amz-Content-Sha256 for the new signature.
	Hash string
}

// Forward forwards r to the endpoint and its answer to w. It returns an *Error, or the
// payload's error, only if no answer has begun. If an answer breaks off, Forward ends
// the connection.
func (u *Upstream) Forward(w http.ResponseWriter, r *http.Request, p Payload) error {
	c, err := u.source()
	if err != nil {
		return &Error{http.StatusBadGateway, "BadGateway", "The operator's credentials for " + u.spec.Service + " can't be read.", err}
	}
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	progress := newProgress(http.NewResponseController(w), u.limits, cancel)
	defer progress.stop()
	body := &upload{from: p.Body, progress: progress}
	defer body.detach()
	if p.Length == 0 {
		progress.noteRequestSent()
	}
	out := u.request(ctx, r, p, body)
	sigv4.Signer{
		AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken,
		Region: u.spec.Region, Service: u.spec.Service,
	}.Sign(out, nil)
	res, err := u.transport.RoundTrip(out)
	if err != nil {
		return u.errorOf(r.Context(), ctx, err, body.failure())
	}
	defer res.Body.Close()
	if res.StatusCode >= 400 {
		if err := u.checkSecrets(res, c); err != nil {
			return err
		}
	}
	return u.copyAnswer(w, res, progress)
}

// droppedHeaders are the request headers that are not forwarded, because they belong to
// the caller's signature or to a connection.
var droppedHeaders = []string{
	"Authorization", "X-Amz-Date", "Date", "X-Amz-Security-Token", "X-Amz-Content-Sha256", "Accept-Encoding", "Content-Length",
	"Connection", "Proxy-Connection", "Proxy-Authorization", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
	"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded", "Cookie", "Ashore-Agent-Run",
}

// request returns the request to the endpoint, without its signature.
func (u *Upstream) request(ctx context.Context, r *http.Request, p Payload, body *upload) *http.Request {
	at := *u.spec.URL
	at.Path, at.RawPath, at.RawQuery = r.URL.Path, sigv4.EscapePath(r.URL.Path), unsignedQuery(r.URL.RawQuery)
	out := (&http.Request{Method: r.Method, URL: &at, Host: u.spec.URL.Host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}, ContentLength: p.Length}).WithContext(ctx)
	dropped := slices.Clone(droppedHeaders)
	for _, list := range r.Header["Connection"] {
		for name := range strings.SplitSeq(list, ",") {
			dropped = append(dropped, http.CanonicalHeaderKey(strings.TrimSpace(name)))
		}
	}
	for name, values := range r.Header {
		if !slices.Contains(dropped, name) {
			out.Header[name] = values
		}
	}
	if _, named := out.Header["User-Agent"]; !named {
		out.Header["User-Agent"] = nil // otherwise net/http writes its own
	}
	out.Header.Set("Accept-Encoding", "identity")
	out.Header.Set("X-Amz-Content-Sha256", p.Hash)
	if p.Length == 0 {
		out.Body = http.NoBody
	} else {
		out.Body = body
	}
	return out
}

// unsignedQuery returns a query string without the parameters of a signature.
func unsignedQuery(raw string) string {
	var kept []string
	for part := range strings.SplitSeq(raw, "&") {
		name, _, _ := strings.Cut(part, "=")
		switch name {
		case "X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature", "X-Amz-Security-Token":
		default:
			kept = append(kept, part)
		}
	}
	return strings.Join(kept, "&")
}

// errorOf returns the error that says why there is no answer.
func (u *Upstream) errorOf(caller, ctx context.Context, err, body error) error {
	name := "The endpoint that " + u.spec.Service + " is forwarded to"
	var timeout net.Error
	switch {
	case body != nil:
		return body
	case caller.Err() != nil:
		return &Error{http.StatusServiceUnavailable, "RequestTimeout", "The call was given up by its caller.", caller.Err()}
	case errors.Is(context.Cause(ctx), errIdle), errors.As(err, &timeout) && timeout.Timeout():
		return &Error{http.StatusGatewayTimeout, "GatewayTimeout", name + " does not answer in time.", err}
	}
	return &Error{http.StatusServiceUnavailable, "ServiceUnavailable", name + " can't be reached.", err}
}

// maxErrorBody is how many bytes of an error's answer are searched for secrets.
const maxErrorBody = 64 << 10

// checkSecrets returns an error if an answer contains the operator's key. Endpoints
// that refuse a signature quote what was signed.
func (u *Upstream) checkSecrets(res *http.Response, c Credentials) error {
	b, err := io.ReadAll(io.LimitReader(res.Body, maxErrorBody))
	if err != nil {
		return &Error{http.StatusBadGateway, "BadGateway", "The answer of the endpoint that " + u.spec.Service + " is forwarded to ended early.", err}
	}
	text := string(b)
	for _, v := range res.Header {
		text += " " + strings.Join(v, " ")
	}
	for _, secret := range []string{c.AccessKeyID, c.SecretAccessKey, c.SessionToken} {
		if secret != "" && strings.Contains(text, secret) {
			return &Error{http.StatusBadGateway, "BadGateway", "The endpoint that " + u.spec.Service + " is forwarded to refuses the operator's credentials.",
				fmt.Errorf("status %d, in an answer that names them", res.StatusCode)}
		}
	}
	res.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(strings.NewReader(string(b)), res.Body), res.Body}
	return nil
}

// copyAnswer copies the endpoint's answer to the caller as it arrives.
func (u *Upstream) copyAnswer(w http.ResponseWriter, res *http.Response, p *progress) error {
	h := w.Header()
	ours := h.Clone()
	maps.Copy(h, res.Header)
	for _, name := range []string{"Connection", "Keep-Alive", "Proxy-Authenticate", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Set-Cookie"} {
		h.Del(name)
	}
	maps.Copy(h, ours) // keep our request id, which is in the log
	w.WriteHeader(res.StatusCode)
	control := http.NewResponseController(w)
	buffer := make([]byte, 32<<10)
	for {
		n, err := res.Body.Read(buffer)
		p.noteTransfer()
		if n > 0 {
			if _, err := w.Write(buffer[:n]); err != nil {
				return nil // the client has gone
			}
			if err := control.Flush(); err != nil {
				return nil
			}
			p.noteTransfer()
		}
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			u.log.Warn("forward: an answer broke off", "service", u.spec.Service, "err", err)
			panic(http.ErrAbortHandler) // the client must not consider it complete
		}
	}
}
