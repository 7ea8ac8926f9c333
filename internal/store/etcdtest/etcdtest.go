// Package etcdtest runs an etcd in a process of its own for tests. The process can be
// killed and restarted on the same data.
//
// The process is the test binary, started again. A package that uses etcdtest calls
// Serve first in its TestMain.
//
//	func TestMain(m *testing.M) {
//		etcdtest.Serve()
//		os.Exit(m.Run())
//	}
package etcdtest

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// Options are the options of a test's etcd.
type Options struct {
	// TCP listens on a loopback port instead of a unix socket. A restarted
	// process listens on the same port.
	TCP bool
	// CertFile, KeyFile and CAFile make etcd use TLS and ask clients for a certificate
	// of that CA. They imply TCP.
	CertFile, KeyFile, CAFile string
	QuotaBytes                int64 // 0 is etcd's default
}

// Etcd is an etcd in a process of its own.
type Etcd struct {
	opts     Options
	dir      string
	endpoint string
	process  Process
}

// Start runs an etcd on an empty directory and waits until it serves. The end of the
// test kills it.
func Start(t testing.TB, opts Options) *Etcd {
	t.Helper()
	dir, err := os.MkdirTemp("", "etcd") // short: a socket's path has 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	e := &Etcd{opts: opts, dir: dir, process: Process{Env: specEnv, Log: filepath.Join(dir, "log")}}
	t.Cleanup(func() {
		e.Kill()
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := e.Restart(); err != nil {
		t.Fatal(err)
	}
	return e
}

// Endpoint returns the address for clients.
func (e *Etcd) Endpoint() string { return e.endpoint }

// Dir returns the directory of its data.
func (e *Etcd) Dir() string { return e.dir }

// PID returns the id of its process.
func (e *Etcd) PID() int { return e.process.PID() }

// Kill kills the process with SIGKILL and waits for its end.
func (e *Etcd) Kill() { e.process.Kill() }

// Restart starts the process, on the earlier data if it ran before, and waits until it
// serves.
func (e *Etcd) Restart() error {
	spec, err := json.Marshal(spec{Options: e.opts, Dir: e.dir, Endpoint: e.endpoint})
	if err != nil {
		return err
	}
	e.process.Value = string(spec)
	e.endpoint, err = e.process.Start()
	return err
}

// Client returns a client. It is closed at the end of the test.
func (e *Etcd) Client(t testing.TB) *clientv3.Client {
	t.Helper()
	cfg := clientv3.Config{Endpoints: []string{e.endpoint}, DialTimeout: 5 * time.Second, Logger: zap.NewNop()}
	if e.opts.CAFile != "" {
		tls, err := transport.TLSInfo{CertFile: e.opts.CertFile, KeyFile: e.opts.KeyFile, TrustedCAFile: e.opts.CAFile}.ClientConfig()
		if err != nil {
			t.Fatal(err)
		}
		cfg.TLS = tls
	}
	c, err := clientv3.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() }) // the error only says that its context has ended
	return c
}

// Compact discards the history before the present revision.
func (e *Etcd) Compact(ctx context.Context, t testing.TB) {
	t.Helper()
	c := e.Client(t)
	r, err := c.Get(ctx, "x")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Compact(ctx, r.Header.Revision); err != nil {
		t.Fatal(err)
	}
}
