package frontdoor

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/aws/sigv4"
	"github.com/ashore/ashore/internal/forward"
	"github.com/ashore/ashore/internal/identity"
)

const (
	theirKey    = "AKIAOPERATOR"
	theirSecret = "the-operator's-secret-at-the-store"
	theirToken  = "the-operator's-session"
)

// objects is a small object store that knows one key, by its session token.
type objects struct {
	mu    sync.Mutex
	kept  map[string]string
	seen  []*http.Request
	stall chan struct{} // if not nil, no answer begins before it is closed
	gone  chan struct{} // receives when a call's client has gone
	// stalled receives when a call waits for stall.
	stalled chan struct{}
	short   bool // answers end early
}

func (o *objects) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the body broke off: store nothing
	}
	o.mu.Lock()
	o.seen = append(o.seen, r)
	o.mu.Unlock()
	v := sigv4.Verifier{
		Region: "eu-west-1", Now: time.Now,
		Secret: func(_ context.Context, id, token string) (string, error) {
			if id != theirKey || token != theirToken {
				return "", identity.ErrUnknownKey
			}
			return theirSecret, nil
		},
		IsUnknown: func(err error) bool { return errors.Is(err, identity.ErrUnknownKey) },
	}
	if _, err := v.Verify(r, body, sigv4.Options{UnsignedPayload: true}); err != nil {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprintf(w, "<Error><Code>SignatureDoesNotMatch</Code><AWSAccessKeyId>%s</AWSAccessKeyId></Error>", theirKey)
		return
	}
	if o.stall != nil {
		o.stalled <- struct{}{}
		select {
		case <-o.stall:
		case <-r.Context().Done():
			o.gone <- struct{}{}
			return
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	switch at := r.URL.EscapedPath(); r.Method {
	case http.MethodPut:
		o.kept[at] = string(body)
		w.Header().Set("ETag", `"e"`)
	case http.MethodPost:
		fmt.Fprintf(w, "echo of %s: %s", r.Header.Get("X-Amz-Target"), body)
	default:
		was, ok := o.kept[at]
		if !ok {
			w.Header().Set("Content-Type", "application/xml")
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, "<Error><Code>NoSuchKey</Code></Error>")
			return
		}
		w.Header().Set("Connection", "close")
		w.Header().Set("Set-Cookie", "a=b")
		w.Header().Set("Content-Length", fmt.Sprint(len(was)))
		if o.short {
			was = was[:len(was)/2]
		}
		_, _ = io.WriteString(w, was)
	}
}

func (o *objects) last() *http.Request {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.seen) == 0 {
		return nil
	}
	return o.seen[len(o.seen)-1]
}

// stored opens a door with an object store and a queue behind it.
func stored(t *testing.T, limits forward.Limits, c forward.Credentials) (*door, *objects, *httptest.Server) {
	t.Helper()
	o := &objects{kept: map[string]string{}, gone: make(chan struct{}, 1), stalled: make(chan struct{}, 1)}
	store := httptest.NewServer(o)
	t.Cleanup(store.Close)
	d := open(t, func(cfg *Config, _ *door) {
		for _, name := range []string{"s3", "sqs"} {
			spec, err := forward.Parse(name + "=" + store.URL + ",region=eu-west-1")
			if err != nil {
				t.Fatal(err)
			}
			up := forward.New(spec, "us-east-1", func() (forward.Credentials, error) { return c, nil }, limits, cfg.Log)
			t.Cleanup(up.Close)
			cfg.Forwards = append(cfg.Forwards, up)
		}
	})
	t.Cleanup(func() {
		for _, secret := range []string{theirSecret, theirToken} {
			if strings.Contains(d.log.String(), secret) {
				t.Errorf("%q is in the log", secret)
			}
		}
	})
	return d, o, store
}

var operators = forward.Credentials{AccessKeyID: theirKey, SecretAccessKey: theirSecret, SessionToken: theirToken}

func hashOf(body string) string {
	sum := sha256.Sum256([]byte(body))
	return hex.EncodeToString(sum[:])
}

// s3 returns a call as the AWS tools sign it for S3: with the payload's hash in a
// header.
func (d *door) s3(t *testing.T, method, path, body string, headers ...string) *http.Request {
	t.Helper()
	return d.signed(t, "s3", method, path, body, append([]string{"X-Amz-Content-Sha256", hashOf(body)}, headers...)...)
}

// A call for a forwarded service reaches the endpoint, signed by the operator's key.
// Its answer reaches the caller. The rest of the call is unchanged.
func TestForward(t *testing.T) {
	d, o, _ := stored(t, forward.Defaults, operators)
	big := strings.Repeat("0123456789abcdef", 1<<18) // 4 MiB: larger than the limit of any call's body
	for _, path := range []string{"/bucket/key", "/bucket/a%20b%2Bc/%C3%A4%28%29", "/bucket//double/../dots", "/bucket/large"} {
		body := "of " + path
		if strings.HasSuffix(path, "large") {
			body = big
		}
		r := d.s3(t, http.MethodPut, path, body, "Content-Type", "text/plain", "X-Amz-Meta-Of", "us", "Cookie", "a=b")
		if res, text := d.do(t, r); res.StatusCode != 200 || res.Header.Get("ETag") != `"e"` {
			t.Fatalf("PUT %s: %d %s", path, res.StatusCode, text)
		}
		got := o.last()
		if got.Header.Get("X-Amz-Meta-Of") != "us" || got.Header.Get("Content-Type") != "text/plain" || got.Header.Get("Cookie") != "" || got.ContentLength != int64(len(body)) {
			t.Errorf("the endpoint got %v", got.Header)
		}
		if auth := got.Header.Get("Authorization"); !strings.Contains(auth, "Credential="+theirKey+"/") || strings.Contains(auth, key) || !strings.Contains(auth, "/eu-west-1/s3/") {
			t.Errorf("signed %s", auth)
		}
		res, text := d.do(t, d.s3(t, http.MethodGet, path+"?response-content-type=a%2Fb", ""))
		if res.StatusCode != 200 || text != body || res.Header.Get("Set-Cookie") != "" || res.ContentLength != int64(len(body)) {
			t.Errorf("GET %s: %d, %d bytes, %v", path, res.StatusCode, len(text), res.Header)
		}
	}
	if res, text := d.do(t, d.s3(t, http.MethodGet, "/bucket/none", "")); res.StatusCode != 404 || !strings.Contains(text, "NoSuchKey") || res.Header.Get("Content-Type") != "application/xml" {
		t.Errorf("%d %s", res.StatusCode, text)
	}
	// An unsigned body, and a body in chunks with its checksum in the trailer.
	for _, kind := range []string{"UNSIGNED-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"} {
		if res, text := d.do(t, d.signed(t, "s3", http.MethodPut, "/bucket/"+kind, "as it is", "X-Amz-Content-Sha256", kind)); res.StatusCode != 200 || o.kept["/bucket/"+kind] != "as it is" {
			t.Errorf("%s: %d %s", kind, res.StatusCode, text)
		}
	}
	// A call of another service, whose whole body must arrive before it is verified.
	res, text := d.do(t, d.signed(t, "sqs", http.MethodPost, "/", `{"a":1}`, "X-Amz-Target", "AmazonSQS.SendMessage", "Content-Type", "application/x-amz-json-1.0"))
	if res.StatusCode != 200 || text != `echo of AmazonSQS.SendMessage: {"a":1}` {
		t.Errorf("%d %s", res.StatusCode, text)
	}
	if asked := d.id.asked[0] + ", " + d.id.asked[len(d.id.asked)-1]; asked != "admin s3:* [], admin sqs:* []" {
		t.Errorf("authorized %s", asked)
	}
}

// Only calls that are signed, verified and allowed are forwarded, exactly as they were
// signed.
func TestNothingIsForwardedUnasked(t *testing.T) {
	d, o, _ := stored(t, forward.Defaults, operators)
	wrongSecret := d.unsigned(t, http.MethodPut, "/b/k", "body", "X-Amz-Content-Sha256", hashOf("body"))
	sigv4.Signer{AccessKeyID: key, SecretAccessKey: "wrong", Region: "us-east-1", Service: "s3"}.Sign(wrongSecret, nil)
	otherPath := d.s3(t, http.MethodPut, "/b/k", "body")
	otherPath.URL.Path = "/b/other"
	for _, x := range []struct {
		name   string
		r      *http.Request
		status int
		code   string
	}{
		{"not signed", d.unsigned(t, http.MethodGet, "/b/k", "", "X-Amz-Content-Sha256", hashOf("")), 403, "<Code>AccessDenied</Code>"},
		{"a wrong secret", wrongSecret, 403, "<Code>SignatureDoesNotMatch</Code>"},
		{"another path", otherPath, 403, "<Code>SignatureDoesNotMatch</Code>"},
		{"another body", d.signed(t, "s3", http.MethodPut, "/b/k", "body", "X-Amz-Content-Sha256", hashOf("BODY")), 403, "<Code>SignatureDoesNotMatch</Code>"},
		{"chunks that are signed", d.signed(t, "s3", http.MethodPut, "/b/k", "x", "X-Amz-Content-Sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"), 501, "<Code>NotImplemented</Code>"},
		{"another service", d.signed(t, "dynamodb", http.MethodPost, "/", "{}", "X-Amz-Target", "DynamoDB_20120810.ListTables"), 400, "UnsupportedOperationException"},
		{"an unsigned body of another", d.signed(t, "sqs", http.MethodPost, "/", "{}", "X-Amz-Target", "AmazonSQS.SendMessage", "X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD"), 400, "InvalidSignatureException"},
	} {
		if res, text := d.do(t, x.r); res.StatusCode != x.status || !strings.Contains(text, x.code) {
			t.Errorf("%s: %d %s", x.name, res.StatusCode, text)
		}
	}
	d.id.deny = &identity.Denied{Message: "User: x is not authorized to perform: s3:*"}
	if res, text := d.do(t, d.s3(t, http.MethodPut, "/b/k", "body")); res.StatusCode != 403 || !strings.Contains(text, "<Code>AccessDenied</Code>") {
		t.Errorf("denied: %d %s", res.StatusCode, text)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.seen) > 0 || len(o.kept) > 0 {
		t.Errorf("the endpoint got %d calls and keeps %v", len(o.seen), o.kept)
	}
	if !strings.Contains(d.log.String(), "action=s3:* resources=\"\" decision=denied") {
		t.Error("the denial is not in the log")
	}
}

// If an endpoint is down, silent, or refuses the operator, the error says so. No caller
// learns the operator's credentials.
func TestEndpointsFail(t *testing.T) {
	d, _, store := stored(t, forward.Defaults, operators)
	store.Close()
	res, text := d.do(t, d.s3(t, http.MethodGet, "/b/k", ""))
	if res.StatusCode != 503 || !strings.Contains(text, "<Code>ServiceUnavailable</Code>") || !strings.Contains(text, "The endpoint that s3 is forwarded to can't be reached.") {
		t.Errorf("away: %d %s", res.StatusCode, text)
	}

	d, _, _ = stored(t, forward.Defaults, forward.Credentials{AccessKeyID: theirKey, SecretAccessKey: "expired", SessionToken: theirToken})
	res, text = d.do(t, d.s3(t, http.MethodGet, "/b/k", ""))
	if res.StatusCode != 502 || !strings.Contains(text, "refuses the operator's credentials") || strings.Contains(text, theirKey) {
		t.Errorf("refused: %d %s", res.StatusCode, text)
	}

	d, o, _ := stored(t, forward.Limits{Connect: time.Second, Headers: 50 * time.Millisecond, Idle: time.Minute}, operators)
	o.stall = make(chan struct{})
	res, text = d.do(t, d.s3(t, http.MethodGet, "/b/k", ""))
	if res.StatusCode != 504 || !strings.Contains(text, "does not answer in time") {
		t.Errorf("silent: %d %s", res.StatusCode, text)
	}
	<-o.gone // and its call is cancelled

	d, o, _ = stored(t, forward.Defaults, operators)
	o.kept["/b/k"], o.short = strings.Repeat("x", 1<<20), true
	res, err := d.Client().Do(d.s3(t, http.MethodGet, "/b/k", ""))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if b, err := io.ReadAll(res.Body); err == nil {
		t.Errorf("an answer that broke off is whole, of %d bytes", len(b))
	}
}

// A call ends with its caller, also at the endpoint.
func TestForwardedCallsEndWithTheirCaller(t *testing.T) {
	d, o, _ := stored(t, forward.Defaults, operators)
	o.stall = make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := d.Client().Do(d.s3(t, http.MethodGet, "/b/k", "").WithContext(ctx)) //nolint:bodyclose // there is none
		ended <- err
	}()
	<-o.stalled
	cancel()
	if err := <-ended; err == nil {
		t.Error("it was answered")
	}
	<-o.gone
}

// A client that stops sending its body is only waited for within the limit. The
// endpoint stores nothing of the body.
func TestBodiesThatStopMoving(t *testing.T) {
	d, o, _ := stored(t, forward.Limits{Connect: time.Second, Headers: time.Minute, Idle: 50 * time.Millisecond}, operators)
	body, feed := io.Pipe()
	r := d.s3(t, http.MethodPut, "/b/k", "")
	r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
	r.Body, r.ContentLength = body, 1<<20
	sigv4.Signer{AccessKeyID: key, SecretAccessKey: secret, Region: "us-east-1", Service: "s3"}.Sign(r, nil)
	go func() { _, _ = feed.Write([]byte("the beginning")) }()
	res, err := d.Client().Do(r)
	if err == nil {
		defer res.Body.Close()
		if res.StatusCode < 400 {
			t.Errorf("%d", res.StatusCode)
		}
	}
	if err := feed.Close(); err != nil {
		t.Error(err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.kept) > 0 {
		t.Error("half a body is kept")
	}
}

func TestOnlyWhatIsNotServedIsForwarded(t *testing.T) {
	spec, err := forward.Parse("ecs=http://127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	d := open(t)
	cfg := config(d)
	up := forward.New(spec, "us-east-1", nil, forward.Defaults, slog.Default())
	cfg.Forwards = []*forward.Upstream{up}
	if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), "ecs can't be forwarded") {
		t.Error(err)
	}
}
