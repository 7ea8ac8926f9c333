package frontdoor

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/ashore/ashore/internal/aws/sigv4"
)

// A pipes is a listener with connections in memory, so that time in a bubble passes
// while they wait.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	select {
	case <-p.closed:
	default:
		close(p.closed)
	}
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

func (p *pipes) dial() net.Conn {
	client, server := net.Pipe()
	p.conns <- server
	return client
}

// inBubble runs a front door in a bubble. stop stops it and returns Serve's error.
func inBubble(t *testing.T, d *door, f func(t *testing.T, p *pipes, stop func() error)) {
	inBubbleOf(t, d, []Service{d.ecs.service()}, f)
}

// inBubbleOf is inBubble with services of the test's own.
func inBubbleOf(t *testing.T, d *door, services []Service, f func(t *testing.T, p *pipes, stop func() error)) {
	synctest.Test(t, func(t *testing.T) {
		cfg := config(d)
		cfg.Services = services
		s, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		p := &pipes{make(chan net.Conn), make(chan struct{})}
		ctx, cancel := context.WithCancel(t.Context())
		served := make(chan error, 1)
		go func() { served <- s.Serve(ctx, p) }()
		f(t, p, func() error { cancel(); return <-served })
	})
}

func answer(t *testing.T, c net.Conn) (*http.Response, string) {
	t.Helper()
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(b)
}

// signedHead returns the head of a call with a body of that length. The signature does
// not match the body.
func signedHead(t *testing.T, length int64, headers ...string) string {
	t.Helper()
	r, err := http.NewRequest("POST", "http://x/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Amz-Target", prefix+".ListTasks")
	sigv4.Signer{AccessKeyID: key, SecretAccessKey: secret, Region: "us-east-1", Service: "ecs"}.Sign(r, []byte("{"))
	var b strings.Builder
	fmt.Fprintf(&b, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n", length)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	if err := r.Header.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String() + "\r\n"
}

// A slow client can't keep a connection for ever.
func TestSlowClients(t *testing.T) {
	d := &door{ecs: &fakeECS{}, id: &fakeIdentity{}, log: newLog()}
	inBubble(t, d, func(t *testing.T, p *pipes, stop func() error) {
		began := time.Now()
		c := p.dial()
		fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: localhost\r\n")
		if b, err := io.ReadAll(c); err != nil && err != io.ErrClosedPipe || strings.Contains(string(b), "200") {
			t.Errorf("%q %v", b, err)
		}
		if took := time.Since(began); took != readHeaderTimeout {
			t.Errorf("a slow header took %v", took)
		}
		began = time.Now()
		c = p.dial()
		fmt.Fprint(c, signedHead(t, 10)+"{")
		res, body := answer(t, c)
		if res.StatusCode != http.StatusRequestTimeout || !strings.Contains(body, "didn't arrive in time") {
			t.Errorf("%d %s", res.StatusCode, body)
		}
		if took := time.Since(began); took != readTimeout {
			t.Errorf("a slow body took %v", took)
		}
		c.Close()
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// A call that doesn't end is cut off at its deadline and at shutdown. Nothing of it
// stays behind.
func TestEndlessCalls(t *testing.T) {
	d := &door{ecs: &fakeECS{}, id: &fakeIdentity{}, log: newLog()}
	entered := make(chan struct{}, 2)
	d.ecs.list = func(ctx context.Context, _ *ecs.ListTasksInput) (*ecs.ListTasksOutput, error) {
		entered <- struct{}{}
		<-ctx.Done()
		return nil, ctx.Err()
	}
	inBubble(t, d, func(t *testing.T, p *pipes, stop func() error) {
		call := func() net.Conn {
			r, err := http.NewRequest("POST", "http://x/", strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("X-Amz-Target", prefix+".ListTasks")
			sigv4.Signer{AccessKeyID: key, SecretAccessKey: secret, Region: "us-east-1", Service: "ecs"}.Sign(r, []byte("{}"))
			c := p.dial()
			if err := r.Write(c); err != nil {
				t.Fatal(err)
			}
			return c
		}
		began := time.Now()
		c := call()
		if res, body := answer(t, c); res.StatusCode != 500 || !strings.Contains(body, "in time") || time.Since(began) != time.Minute {
			t.Errorf("after %v: %d %s", time.Since(began), res.StatusCode, body)
		}
		c.Close()
		<-entered

		c = call()
		<-entered
		began = time.Now()
		if err := stop(); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took != shutdownTimeout {
			t.Errorf("shutdown took %v", took)
		}
		c.Close()
	})
	if !strings.Contains(d.log.String(), "calls were cut off at shutdown") {
		t.Errorf("log: %s", d.log)
	}
}
