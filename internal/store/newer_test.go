package store

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/ashore/ashore/internal/ashoretest"
	"github.com/ashore/ashore/internal/fleet"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// TestEmbedNewerFormat: a state in a newer format is refused before etcd starts, which
// would write to its files. The record is found in the database, and where a kill has
// left it in the log alone, there.
func TestEmbedNewerFormat(t *testing.T) {
	const prefix = "/here"
	made := func(t *testing.T, dir string, change func(*clientv3.Client) error) {
		t.Helper()
		e, err := Embed(t.Context(), dir, WithPrefix(prefix))
		if err == nil {
			err = errors.Join(change(e.Client), e.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	install := func(prefix string, format int) func(*clientv3.Client) error {
		return func(c *clientv3.Client) error {
			steps := map[int]migration{Format: func(context.Context, *clientv3.Client, string) error { return nil }}
			_, _, err := install(t.Context(), c, prefix, fleet.Site{}, format, steps)
			return err
		}
	}
	refused := func(t *testing.T, dir string, want bool) {
		t.Helper()
		before := ashoretest.Checksums(t, dir)
		e, err := Embed(t.Context(), dir, WithPrefix(prefix))
		var newer *FormatError
		if errors.As(err, &newer) != want || want && (newer.Stored != Format+1 || newer.Known != Format) {
			t.Errorf("started on it: %v", err)
		}
		if err == nil {
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if after := ashoretest.Checksums(t, dir); want && !maps.Equal(before, after) {
			t.Error("the refusal changed files")
		}
	}
	t.Run("in the database", func(t *testing.T) {
		dir := t.TempDir()
		made(t, dir, install(prefix, Format+1))
		refused(t, dir, true)
	})
	t.Run("in the log", func(t *testing.T) {
		dir := t.TempDir()
		db := filepath.Join(memberDir(dir), "snap", "db")
		made(t, dir, install(prefix, Format))
		old, err := os.ReadFile(db)
		if err != nil {
			t.Fatal(err)
		}
		made(t, dir, install(prefix, Format+1))
		if err := os.WriteFile(db, old, 0o600); err != nil {
			t.Fatal(err)
		}
		refused(t, dir, true)
		if err := os.Remove(db); err != nil {
			t.Fatal(err)
		}
		refused(t, dir, true)
	})
	t.Run("brought back", func(t *testing.T) { // by hand: the newest value counts
		dir := t.TempDir()
		made(t, dir, install(prefix, Format+1))
		e, err := embedUnchecked(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		_, err = e.Client.Put(t.Context(), formatKey(prefix), `{"format":1,"installation":"i","account":"000000000000","region":"r","createdAt":"2026-11-28T00:00:00Z"}`)
		if err := errors.Join(err, e.Close()); err != nil {
			t.Fatal(err)
		}
		refused(t, dir, false)
	})
	t.Run("below another prefix", func(t *testing.T) {
		dir := t.TempDir()
		made(t, dir, install(prefix, Format))
		made(t, dir, install(prefix+"/there", Format+1))
		refused(t, dir, false)
	})
}

// embedUnchecked starts etcd whatever format the state is in: it looks below a prefix
// that has none.
func embedUnchecked(ctx context.Context, dir string) (*Embedded, error) {
	return Embed(ctx, dir, WithPrefix("/nothing"))
}
