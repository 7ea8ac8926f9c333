// Package storetest opens stores for tests.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/store"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// Etcd starts an etcd of its own. It ends with the test.
func Etcd(t testing.TB) *clientv3.Client {
	t.Helper()
	dir, err := os.MkdirTemp("", "etcd") // short: a socket's path has a limit
	if err != nil {
		t.Fatal(err)
	}
	e, err := store.Embed(t.Context(), dir)
	if err != nil {
		t.Fatal(errors.Join(err, os.RemoveAll(dir)))
	}
	t.Cleanup(func() {
		if err := errors.Join(e.Close(), os.RemoveAll(dir)); err != nil {
			t.Error(err)
		}
	})
	return e.Client
}

// OpenOn opens a store, as one of the servers on an etcd. It closes the store at the end
// of the test.
func OpenOn(t testing.TB, etcd *clientv3.Client, cfg store.Config) *store.Store {
	t.Helper()
	s, err := store.Open(context.WithoutCancel(t.Context()), etcd, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// OpenEtcd opens the only store on an etcd of its own.
func OpenEtcd(t testing.TB) (*store.Store, *clientv3.Client) {
	t.Helper()
	etcd := Etcd(t)
	return OpenOn(t, etcd, store.Config{Sole: true}), etcd
}

// Open is OpenEtcd without the etcd's client.
func Open(t testing.TB) *store.Store {
	t.Helper()
	st, _ := OpenEtcd(t)
	return st
}

// Spoil overwrites a record below the default prefix with data that can't be read. mend
// restores the record's old value, or deletes the record if it had none. Both return
// when the store has seen the change.
func Spoil(t testing.TB, etcd *clientv3.Client, st *store.Store, key string) (mend func()) {
	t.Helper()
	path := fmt.Sprintf("%s/v1/%s/%s/%s", store.DefaultPrefix, st.Site().Account, st.Site().Region, key)
	was, err := etcd.Get(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	seen := func(unreadable bool) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		for snap, feed := st.Follow(); (snap.AllReadable(key) != nil) != unreadable; {
			a, err := feed.Next(ctx)
			if err != nil {
				t.Fatal(err)
			}
			snap = a.Next
		}
	}
	if _, err := etcd.Put(t.Context(), path, "spoilt"); err != nil {
		t.Fatal(err)
	}
	seen(true)
	return func() {
		t.Helper()
		if len(was.Kvs) == 0 {
			_, err = etcd.Delete(t.Context(), path)
		} else {
			_, err = etcd.Put(t.Context(), path, string(was.Kvs[0].Value))
		}
		if err != nil {
			t.Fatal(err)
		}
		seen(false)
	}
}
