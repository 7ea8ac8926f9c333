package sigv4

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"hash"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Verifier verifies signed requests.
type Verifier struct {
	Region string
	// Secret returns the secret of an access key. token is the request's session token,
	// empty if there is none. An error for which IsUnknown returns true refuses the
	// request as UnrecognizedClientException. Any other error is returned unchanged.
	Secret    func(ctx context.Context, accessKeyID, token string) (string, error)
	IsUnknown func(error) bool
	Now       func() time.Time
}

// Options are the differences between services.
type Options struct {
	// Service is the signing name that the scope must have; empty allows any.
	Service string
	// GlobalRegion is the region for which clients of a global service sign, besides
	// the verifier's region. It is empty for other services.
	GlobalRegion string
	// UnsignedPayload allows a body that the signature doesn't cover. Only clients of
	// S3 use it.
	UnsignedPayload bool
}

// Verified is the content of a valid signature.
type Verified struct {
	AccessKeyID string
	Region      string // of the scope
	Service     string // of the scope
	At          time.Time
	Query       bool // signed in the query string
}

// Verify verifies that a known key signed r with body, for this region and not long
// ago. Refusals are of type *Error.
func (v *Verifier) Verify(r *http.Request, body []byte, opt Options) (Verified, error) {
	h, err := v.Head(r, opt)
	if err != nil {
		return Verified{}, err
	}
	return h.Verify(body)
}

// Head is a signed request before its body has come. Its form, region and time are
// right, and its key is known.
type Head struct {
	r      *http.Request
	claim  *claim
	secret string
}

// Head verifies the head of a request. Its refusals are those of Verify.
func (v *Verifier) Head(r *http.Request, opt Options) (*Head, error) {
	c, err := parse(r)
	if err != nil {
		return nil, err
	}
	if err := v.checkScope(c, opt); err != nil {
		return nil, err
	}
	if err := checkHeaders(r, c); err != nil {
		return nil, err
	}
	if err := checkPayloadHeader(r, c, opt.UnsignedPayload); err != nil {
		return nil, err
	}
	if err := v.checkTime(c); err != nil {
		return nil, err
	}
	secret, err := v.Secret(r.Context(), c.accessKeyID, c.token)
	switch {
	case err == nil:
	case !v.IsUnknown(err):
		return nil, err
	case c.token != "":
		return nil, refuse(UnrecognizedClient, UnknownToken+
			" (It came with an X-Amz-Security-Token that this installation has not issued: unset AWS_SESSION_TOKEN.)")
	default:
		return nil, refuse(UnrecognizedClient, UnknownToken)
	}
	return &Head{r, c, secret}, nil
}

// AccessKeyID returns the key that the request names.
func (h *Head) AccessKeyID() string { return h.claim.accessKeyID }

// Verify verifies the signature of the request with its body.
func (h *Head) Verify(body []byte) (Verified, error) {
	c := h.claim
	payload, err := payloadOf(h.r, body, c)
	if err != nil {
		return Verified{}, err
	}
	if !match(h.r, c, h.secret, payload) {
		return Verified{}, refuse(InvalidSignature, mismatch)
	}
	return Verified{AccessKeyID: c.accessKeyID, Region: c.scope.region, Service: c.scope.service, At: c.at, Query: c.query}, nil
}

// Service returns the service in the request's signature.
func (h *Head) Service() string { return h.claim.scope.service }

// Claimed returns the payload's hash in the head, or the text in its place
// (UNSIGNED-PAYLOAD). It is empty if the head has neither.
func (h *Head) Claimed() string {
	if sent := h.r.Header.Get("X-Amz-Content-Sha256"); sent != "" || !h.claim.unsigned {
		return sent
	}
	return unsignedPayload
}

// VerifyClaimed verifies the signature of the request before its body has come. The
// body must have the hash that Claimed returns. CheckedBody verifies that.
func (h *Head) VerifyClaimed() (Verified, error) {
	c := h.claim
	if !match(h.r, c, h.secret, h.Claimed()) {
		return Verified{}, refuse(InvalidSignature, mismatch)
	}
	return Verified{AccessKeyID: c.accessKeyID, Region: c.scope.region, Service: c.scope.service, At: c.at, Query: c.query}, nil
}

// CheckedBody reads the body of a request and verifies that it has the hash of Claimed.
// length is its size in bytes, -1 if it is unknown. For another body it returns an
// error instead of the last part, or of the end. It passes a body without a hash on
// unchanged.
func (h *Head) CheckedBody(body io.Reader, length int64) io.Reader {
	if h.claim.unsigned {
		return body
	}
	return &checkedBody{from: body, left: length, known: length >= 0, sum: sha256.New(), want: h.Claimed()}
}

type checkedBody struct {
	from  io.Reader
	left  int64
	known bool
	sum   hash.Hash
	want  string
}

func (w *checkedBody) Read(b []byte) (int, error) {
	n, err := w.from.Read(b)
	w.sum.Write(b[:n])
	w.left -= int64(n)
	if err == io.EOF || err == nil && w.known && w.left <= 0 {
		if hex.EncodeToString(w.sum.Sum(nil)) != w.want {
			return 0, refuse(InvalidSignature, payloadMismatch)
		}
	}
	return n, err
}

// match compares the signature with the signature of every form in which clients sign
// the same request.
func match(r *http.Request, c *claim, secret, payload string) bool {
	can := canonical{method: r.Method, query: canonicalQuery(r.URL.RawQuery), headers: c.headers, payload: payload}
	can.values = make(map[string]string, len(c.headers))
	for _, h := range c.headers {
		can.values[h] = headerValue(r, h)
	}
	ok, key := 0, signingKey(secret, c.scope)
	for _, uri := range uris(r.URL, c.scope.service) {
		for _, host := range hosts(r) {
			want := signature(key, c.at, c.scope, can.text(uri, host))
			ok |= subtle.ConstantTimeCompare([]byte(want), []byte(c.signature))
		}
	}
	return ok == 1
}

func (v *Verifier) checkScope(c *claim, opt Options) error {
	switch {
	case c.terminator != terminator:
		return refuse(InvalidSignature, "Credential should be scoped with a valid terminator: '%s', not '%.80s'.", terminator, c.terminator)
	case c.scope.region != v.Region && (opt.GlobalRegion == "" || c.scope.region != opt.GlobalRegion):
		return refuse(InvalidSignature, "Credential should be scoped to a valid region ('%s'), not '%.80s'.", v.Region, c.scope.region)
	case opt.Service != "" && c.scope.service != opt.Service:
		return refuse(InvalidSignature, "Credential should be scoped to correct service: '%s', not '%.80s'.", opt.Service, c.scope.service)
	case c.scope.date != c.atText[:len(dateFormat)]:
		return refuse(InvalidSignature, "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '%.20s' != '%s', from '%s'.",
			c.scope.date, c.atText[:len(dateFormat)], c.atText)
	}
	return nil
}

// checkHeaders requires a signature of every header that decides what a request does.
// It excepts the content type, because some SDKs (PHP's) never sign it.
func checkHeaders(r *http.Request, c *claim) error {
	if !slices.Contains(c.headers, "host") {
		return refuse(InvalidSignature, "'Host' must be a 'SignedHeader' in the AWS Authorization.")
	}
	for _, h := range []string{"X-Amz-Target", "X-Amz-Date", "X-Amz-Security-Token"} {
		if len(r.Header.Values(h)) > 1 {
			return refuse(InvalidSignature, "The request has more than one %s header.", h)
		}
		if c.query && h == "X-Amz-Date" { // the query string has it
			continue
		}
		if r.Header.Get(h) != "" && !slices.Contains(c.headers, strings.ToLower(h)) {
			return refuse(InvalidSignature, "'%s' must be a 'SignedHeader' in the AWS Authorization.", h)
		}
	}
	if !c.query && r.Header.Get("X-Amz-Date") == "" && !slices.Contains(c.headers, "date") {
		return refuse(InvalidSignature, "'X-Amz-Date' or 'Date' must be a 'SignedHeader' in the AWS Authorization.")
	}
	for _, h := range c.headers {
		if h == "" || h != strings.ToLower(h) {
			return refuse(InvalidSignature, "SignedHeaders must be lower-case names of headers, not '%.80s'.", h)
		}
	}
	return nil
}

// checkPayloadHeader checks what the head states about the payload.
func checkPayloadHeader(r *http.Request, c *claim, unsigned bool) error {
	sent := r.Header.Values("X-Amz-Content-Sha256")
	if len(sent) > 1 {
		return refuse(InvalidSignature, "The request has more than one X-Amz-Content-Sha256 header.")
	}
	c.unsigned = len(sent) == 0 && c.query && unsigned
	if len(sent) == 1 && (sent[0] == unsignedPayload || strings.HasPrefix(sent[0], "STREAMING-")) {
		if !unsigned {
			return refuse(InvalidSignature, "The request's payload must be signed: X-Amz-Content-Sha256 '%.40s' is not accepted.", sent[0])
		}
		c.unsigned = true
	}
	return nil
}

// payloadOf returns the payload's hash as the signature covers it.
func payloadOf(r *http.Request, body []byte, c *claim) (string, error) {
	sent := r.Header.Get("X-Amz-Content-Sha256")
	if c.unsigned {
		return cmp.Or(sent, unsignedPayload), nil
	}
	hash := payloadHash(body)
	if sent != "" && sent != hash {
		return "", refuse(InvalidSignature, payloadMismatch)
	}
	return hash, nil
}

func (v *Verifier) checkTime(c *claim) error {
	now := v.Now().UTC()
	before, after := headerWindow, headerWindow
	if c.query {
		after = c.expires
	}
	stamp := func(t time.Time) string { return t.Format(timeFormat) }
	if limit := now.Add(-after); c.at.Before(limit.Truncate(time.Second)) {
		return refuse(InvalidSignature, "Signature expired: %s is now earlier than %s (%s - %s.)", stamp(c.at), stamp(limit), stamp(now), formatDuration(after))
	}
	if limit := now.Add(before); c.at.After(limit) {
		return refuse(InvalidSignature, "Signature not yet current: %s is still later than %s (%s + %s.)", stamp(c.at), stamp(limit), stamp(now), formatDuration(before))
	}
	return nil
}

// formatDuration formats a duration as AWS does: "5 min".
func formatDuration(d time.Duration) string {
	if d%time.Minute == 0 {
		return strconv.Itoa(int(d/time.Minute)) + " min"
	}
	return strconv.Itoa(int(d/time.Second)) + " s"
}
