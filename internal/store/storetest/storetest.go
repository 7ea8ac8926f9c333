// Package storetest opens stores for the tests of those who use one.
package storetest

import (
	"errors"
	"testing"

	"github.com/ashore/ashore/internal/store"
)

// Open opens a store on an etcd of its own, until the test ends.
func Open(t testing.TB) *store.Store {
	t.Helper()
	e, err := store.Embed(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), e.Client, store.Config{Sole: true})
	if err != nil {
		t.Fatal(errors.Join(err, e.Close()))
	}
	t.Cleanup(func() {
		if err := errors.Join(s.Close(), e.Close()); err != nil {
			t.Error(err)
		}
	})
	return s
}
