package store

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store/etcdtest"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// Each of several writes, one after the other, is synced to the disk before it is
// acknowledged. With etcd's sync turned off none is (seen).
func TestWritesAreSynced(t *testing.T) {
	dir := t.TempDir()
	e := embedded(t, dir)
	s := opened(t, e.Client, Config{Sole: true})
	ctx := within(t)
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(dir, "run", socketName))
	}}
	defer transport.CloseIdleConnections()
	syncs := func() int {
		t.Helper()
		r, err := (&http.Client{Transport: transport}).Get("http://etcd/metrics")
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		for lines := bufio.NewScanner(r.Body); lines.Scan(); {
			if n, ok := strings.CutPrefix(lines.Text(), "etcd_disk_wal_fsync_duration_seconds_count "); ok {
				i, err := strconv.Atoi(n)
				if err != nil {
					t.Fatal(err)
				}
				return i
			}
		}
		t.Fatal("etcd does not say how often it syncs")
		return 0
	}
	const writes = 25
	before := syncs()
	for i := range writes {
		putCluster(t, s, fmt.Sprint("c", i))
	}
	if n := syncs() - before; n < writes {
		t.Errorf("%d writes were synced %d times", writes, n)
	}
	if ctx.Err() != nil {
		t.Fatal(ctx.Err())
	}
}

// rollBack restores an etcd's earlier data.
type rollBack struct {
	etcd *etcdtest.Etcd
	kept string
}

func (r *rollBack) save(t *testing.T) {
	t.Helper()
	r.etcd.Kill()
	r.kept = filepath.Join(t.TempDir(), "kept")
	if err := os.CopyFS(r.kept, os.DirFS(r.data(t))); err != nil {
		t.Fatal(err)
	}
	r.start(t)
}

func (r *rollBack) restore(t *testing.T) {
	t.Helper()
	r.etcd.Kill()
	data := r.data(t)
	if err := os.RemoveAll(data); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(data, os.DirFS(r.kept)); err != nil {
		t.Fatal(err)
	}
	r.start(t)
}

func (r *rollBack) data(t *testing.T) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(r.etcd.Dir(), "*", "member"))
	if err != nil || len(found) != 1 {
		t.Fatalf("etcd's data: %v, %v", found, err)
	}
	return filepath.Dir(found[0])
}

func (r *rollBack) start(t *testing.T) {
	t.Helper()
	if err := r.etcd.Restart(); err != nil {
		t.Fatal(err)
	}
}

// A store ends when its etcd goes back to an earlier state. It neither shows the lost
// records nor decides by them. Without the comparisons of revisions in check and txn it
// goes on (both seen).
func TestWentBack(t *testing.T) {
	for name, use := range map[string]func(context.Context, *Store) error{
		"read": func(ctx context.Context, s *Store) error {
			_, err := s.Fresh(ctx)
			return err
		},
		"write of something new": func(ctx context.Context, s *Store) error {
			return s.Update(ctx, func(tx *Tx) error { return Create(tx, ClusterKey("new"), &fleet.Cluster{Name: "new"}) })
		},
		"write over what is no more": func(ctx context.Context, s *Store) error {
			return s.Update(ctx, func(tx *Tx) error {
				Get(tx, ClusterKey("lost0"))
				return Put(tx, ClusterKey("lost0"), &fleet.Cluster{Name: "lost0"})
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := &rollBack{etcd: etcdtest.Start(t, etcdtest.Options{})}
			s, err := Open(t.Context(), r.etcd.Client(t), Config{LeaseTTL: 2 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			ctx := within(t)
			putCluster(t, s, "kept")
			r.save(t)
			for i := range 10 {
				putCluster(t, s, fmt.Sprint("lost", i))
			}
			r.restore(t)
			// The return of etcd may cut a try off.
			for err = use(ctx, s); s.Err() == nil && ctx.Err() == nil; err = use(ctx, s) {
				if err == nil {
					t.Fatal("it goes on with what etcd no longer has")
				}
			}
			if !errors.Is(s.Err(), ErrWentBack) {
				t.Errorf("it ended with %v (%v)", s.Err(), err)
			}
		})
	}
}

// A caller that stops waiting for a write gets ErrUnknown. Without unknown in commit it
// learns that the write did not take effect (seen).
func TestGivenUpIsUnknown(t *testing.T) {
	etcd := etcdtest.Start(t, etcdtest.Options{})
	s := opened(t, etcd.Client(t), Config{})
	putCluster(t, s, "c")
	if err := syscall.Kill(etcd.PID(), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	err := s.Update(ctx, func(tx *Tx) error { return Create(tx, ClusterKey("d"), &fleet.Cluster{Name: "d"}) })
	if cont := syscall.Kill(etcd.PID(), syscall.SIGCONT); cont != nil {
		t.Fatal(cont)
	}
	if !errors.Is(err, ErrUnknown) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("given up: %v", err)
	}
}

// A restore with a concurrent writer leaves no state that opens. Without the comparison
// of its mark in flush it goes on (seen).
func TestRestoreIsAlone(t *testing.T) {
	client := embedded(t, t.TempDir()).Client
	ctx := within(t)
	w := &restorer{client: client, prefix: "/p", mark: "/p/restoring"}
	if err := w.begin(ctx); err != nil {
		t.Fatal(err)
	}
	if err := (&restorer{client: client, prefix: "/p", mark: "/p/restoring"}).begin(ctx); !errors.Is(err, ErrNotEmpty) {
		t.Errorf("a second restore at once: %v", err)
	}
	if _, err := client.Put(ctx, w.mark, "another's"); err != nil {
		t.Fatal(err)
	}
	if err := w.finish(ctx, &Installation{}, &fleet.Restored{}); err == nil {
		t.Error("it went on")
	}
	if r, err := client.Get(ctx, formatKey("/p"), clientv3.WithKeysOnly()); err != nil || len(r.Kvs) != 0 {
		t.Errorf("%d records open it, %v", len(r.Kvs), err)
	}
}
