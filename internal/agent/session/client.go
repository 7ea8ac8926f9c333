package session

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	json "github.com/go-json-experiment/json/v1"

	"github.com/ashore/ashore/internal/aws/sigv4"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/wire"
)

// Credentials are the keys of the host's principal. They redact themselves when printed.
type Credentials struct {
	AccessKeyID     string `json:"accessKeyId"`
	SecretAccessKey string `json:"secretAccessKey"`
}

func (c Credentials) String() string       { return "credentials " + c.AccessKeyID }
func (c Credentials) GoString() string     { return c.String() }
func (c Credentials) LogValue() slog.Value { return slog.StringValue(c.String()) }

// APIError is an error response of the control plane.
type APIError struct {
	Operation string
	Status    int
	Code      string
	Message   string
}

func (e *APIError) Error() string { return fmt.Sprintf("%s: %s: %s", e.Operation, e.Code, e.Message) }

// isRetryable reports whether the same request may succeed later.
func (e *APIError) isRetryable() bool {
	return e.Status >= 500 || e.Status == http.StatusTooManyRequests ||
		strings.Contains(e.Code, "Throttl") || e.Code == "LimitExceededException" || e.Code == "ServerException"
}

// isClusterMissing reports whether the cluster does not exist. For a registration ECS
// answers that with a ClientException.
func (e *APIError) isClusterMissing() bool {
	return e.Code == "ClusterNotFoundException" || e.Code == "ClientException" && e.Message == "Cluster not found."
}

func errorCode(err error) string {
	var e *APIError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

const (
	callTimeout  = 15 * time.Second
	maxResponse  = 4 << 20
	targetPrefix = "AmazonEC2ContainerServiceV20141113."
	// The server's Date header has whole seconds, so a smaller difference means
	// nothing.
	skewThreshold = 2 * time.Second
)

// dialer gives up soon if a server does not answer, since there may be others.
var dialer = wire.Dialer(5 * time.Second)

// client makes signed API calls. Only the clock and the current server change.
type client struct {
	servers     []string     // URLs, each with a slash at the end
	turn        atomic.Int64 // servers[turn % len(servers)] is in use
	region      string
	agent       string
	run         string // identifies this process among those with the same identity
	creds       func() (Credentials, error)
	http        *http.Client
	keys        sigv4.Keys
	clockOffset atomic.Int64 // the server's clock minus ours, in ns
}

func newClient(servers []string, region, version string, creds func() (Credentials, error), tr http.RoundTripper) *client {
	if tr == nil {
		own := http.DefaultTransport.(*http.Transport).Clone()
		own.DialContext = dialer.DialContext
		own.MaxIdleConnsPerHost = 16
		tr = own
	}
	c := &client{
		region: region, creds: creds,
		agent: "Ashore Agent - " + version, http: &http.Client{Transport: tr},
	}
	for _, s := range servers {
		c.servers = append(c.servers, strings.TrimSuffix(s, "/")+"/")
	}
	return c
}

// currentServer returns the URL of the current server and its turn.
func (c *client) currentServer() (url string, turn int64) {
	turn = c.turn.Load()
	return c.servers[turn%int64(len(c.servers))], turn
}

// switchServer changes to the next server, unless there is only one or another goroutine
// has changed since turn.
func (c *client) switchServer(turn int64) bool {
	return len(c.servers) > 1 && c.turn.CompareAndSwap(turn, turn+1)
}

// now returns the time by the server's clock.
func (c *client) now() time.Time { return time.Now().Add(time.Duration(c.clockOffset.Load())) }

// setClock reads the server's time from a response.
func (c *client) setClock(h http.Header) {
	at, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return
	}
	diff := time.Until(at)
	if diff.Abs() <= skewThreshold {
		diff = 0
	}
	c.clockOffset.Store(int64(diff))
}

func (c *client) sign(r *http.Request, body []byte) error {
	k, err := c.creds()
	if err != nil {
		return fmt.Errorf("credentials: %w", err)
	}
	sigv4.Signer{AccessKeyID: k.AccessKeyID, SecretAccessKey: k.SecretAccessKey, Region: c.region, Service: "ecs", Now: c.now, Keys: &c.keys}.Sign(r, body)
	return nil
}

// call makes one call. If the server refuses it because of the clock, call repeats it with
// the server's time. If a server does not answer, call tries each of the others once.
func (c *client) call(ctx context.Context, operation string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("%s: %w", operation, err)
	}
	before := c.clockOffset.Load()
	err = c.callOnce(ctx, operation, body, out)
	if cd := errorCode(err); (cd == "InvalidSignatureException" || cd == "RequestExpired" || cd == "RequestTimeTooSkewed") && c.clockOffset.Load() != before {
		err = c.callOnce(ctx, operation, body, out)
	}
	for range len(c.servers) - 1 {
		var lost *unansweredError
		if !errors.As(err, &lost) || ctx.Err() != nil {
			break
		}
		err = c.callOnce(ctx, operation, body, out)
	}
	return err
}

// unansweredError is the error of a call without an answer. The call may have taken
// effect.
type unansweredError struct{ err error }

func (e *unansweredError) Error() string { return e.err.Error() }
func (e *unansweredError) Unwrap() error { return e.err }

// callOnce makes one call to the current server.
func (c *client) callOnce(ctx context.Context, operation string, body []byte, out any) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	server, turn := c.currentServer()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, server, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("%s: %w", operation, err)
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("X-Amz-Target", targetPrefix+operation)
	req.Header.Set("User-Agent", c.agent)
	req.Header.Set(fleet.AgentRunHeader, c.run)
	if err := c.sign(req, body); err != nil {
		return err
	}
	res, err := c.http.Do(req)
	if err != nil {
		c.switchServer(turn)
		return &unansweredError{fmt.Errorf("%s: %w", operation, err)}
	}
	defer res.Body.Close()
	c.setClock(res.Header)
	data, err := io.ReadAll(io.LimitReader(res.Body, maxResponse))
	if err != nil {
		return fmt.Errorf("%s: %w", operation, err)
	}
	if res.StatusCode/100 != 2 {
		e := &APIError{Operation: operation, Status: res.StatusCode, Code: http.StatusText(res.StatusCode)}
		var b struct {
			Type    string `json:"__type"`
			Message string `json:"message"`
		}
		if json.Unmarshal(data, &b) == nil && b.Type != "" {
			e.Code, e.Message = b.Type[strings.LastIndexByte(b.Type, '#')+1:], b.Message
		}
		return e
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(data, out); err != nil {
		return fmt.Errorf("%s: answer: %w", operation, err)
	}
	return nil
}

// seconds is a time as the API encodes it: seconds with milliseconds.
type seconds time.Time

func (s seconds) MarshalJSON() ([]byte, error) {
	return fmt.Appendf(nil, "%.3f", float64(time.Time(s).UnixMilli())/1000), nil
}

func (s seconds) IsZero() bool { return time.Time(s).IsZero() }
