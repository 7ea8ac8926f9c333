package socket

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/ashore/ashore/internal/agent/runtime"
)

// Client is an engine in another process.
type Client struct{ http *http.Client }

var _ runtime.Runtime = (*Client)(nil)

// Dial returns a client. It connects at each call.
func Dial(path string) *Client {
	return &Client{&http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", path)
		},
	}}}
}

// post makes a call. The caller closes the response's body.
func (c *Client) post(ctx context.Context, op string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://engine/"+op, body)
	if err != nil {
		return nil, err
	}
	res, err := c.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, &runtime.Error{Kind: runtime.ErrUnreachable, Err: err}
	}
	return res, nil
}

// postRequest makes a call with a request as body. The caller closes the response's body.
func (c *Client) postRequest(ctx context.Context, op string, in request) (*http.Response, error) {
	data, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	return c.post(ctx, op, bytes.NewReader(data))
}

func call[T any](ctx context.Context, c *Client, op string, in request) (out T, err error) {
	res, err := c.postRequest(ctx, op, in)
	if err != nil {
		return out, err
	}
	return decode[T](ctx, res)
}

func decode[T any](ctx context.Context, res *http.Response) (out T, err error) {
	defer func() { err = errors.Join(err, res.Body.Close()) }()
	var r response[T]
	if err := json.NewDecoder(res.Body).Decode(&r); err != nil {
		if ctx.Err() != nil {
			return out, ctx.Err()
		}
		return out, &runtime.Error{Kind: runtime.ErrUnreachable, Err: fmt.Errorf("answer: %w", err)}
	}
	return r.Out, r.Failure.toError()
}

type none struct{}

func (c *Client) Ping(ctx context.Context) error {
	_, err := call[none](ctx, c, "ping", request{})
	return err
}

func (c *Client) Info(ctx context.Context) (runtime.Info, error) {
	return call[runtime.Info](ctx, c, "info", request{})
}

func (c *Client) Image(ctx context.Context, ref string) (runtime.Image, error) {
	return call[runtime.Image](ctx, c, "image", request{Name: ref})
}

// Pull reports no progress.
func (c *Client) Pull(ctx context.Context, ref string, _ func()) error {
	_, err := call[none](ctx, c, "pull", request{Name: ref})
	return err
}

// Load sends the archive unchanged.
func (c *Client) Load(ctx context.Context, archive io.Reader) ([]string, error) {
	res, err := c.post(ctx, "load", archive)
	if err != nil {
		return nil, err
	}
	return decode[[]string](ctx, res)
}

func (c *Client) RemoveImage(ctx context.Context, ref string) error {
	_, err := call[none](ctx, c, "removeimage", request{Name: ref})
	return err
}

func (c *Client) Create(ctx context.Context, spec runtime.Spec) (runtime.Created, error) {
	return call[runtime.Created](ctx, c, "create", request{Spec: spec})
}

func (c *Client) Start(ctx context.Context, id string) error {
	_, err := call[none](ctx, c, "start", request{Name: id})
	return err
}

func (c *Client) Stop(ctx context.Context, id string, timeout time.Duration) error {
	_, err := call[none](ctx, c, "stop", request{Name: id, Timeout: timeout})
	return err
}

func (c *Client) Remove(ctx context.Context, id string, force bool) error {
	_, err := call[none](ctx, c, "remove", request{Name: id, Force: force})
	return err
}

func (c *Client) Inspect(ctx context.Context, id string) (runtime.Container, error) {
	return call[runtime.Container](ctx, c, "inspect", request{Name: id})
}

func (c *Client) List(ctx context.Context, labels map[string]string) ([]runtime.Container, error) {
	return call[[]runtime.Container](ctx, c, "list", request{Labels: labels})
}

func (c *Client) Stats(ctx context.Context, id string) (runtime.Stats, error) {
	return call[runtime.Stats](ctx, c, "stats", request{Name: id})
}

// Events reads the event stream. An empty event means that it has begun.
func (c *Client) Events(ctx context.Context, labels map[string]string, subscribed func(), on func(runtime.Event)) error {
	res, err := c.postRequest(ctx, "events", request{Labels: labels})
	if err != nil {
		return err
	}
	defer res.Body.Close()
	for dec := json.NewDecoder(res.Body); ; {
		var r response[runtime.Event]
		if err := dec.Decode(&r); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return &runtime.Error{Kind: runtime.ErrUnreachable, Err: fmt.Errorf("event stream: %w", err)}
		}
		switch err := r.Failure.toError(); {
		case err != nil:
			return err
		case r.Out.Kind == "":
			subscribed()
		default:
			on(r.Out)
		}
	}
}

func (c *Client) CreateVolume(ctx context.Context, v runtime.Volume) error {
	_, err := call[none](ctx, c, "createvolume", request{Volume: v})
	return err
}

func (c *Client) VolumeExists(ctx context.Context, name string) (bool, error) {
	return call[bool](ctx, c, "volumeexists", request{Name: name})
}

func (c *Client) RemoveVolume(ctx context.Context, name string) error {
	_, err := call[none](ctx, c, "removevolume", request{Name: name})
	return err
}

// Close closes idle connections. The engine goes on.
func (c *Client) Close() error {
	c.http.CloseIdleConnections()
	return nil
}
