package test

import (
	"bytes"
	"errors"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/ashore/ashore/internal/agent"
	"github.com/ashore/ashore/internal/agent/journal"
	"github.com/ashore/ashore/internal/ashoretest"
	"github.com/ashore/ashore/internal/store"
)

// TestUpRefusesNewerFormats: `ashore up` names a format that it does not know, of the
// agent's journal or of the server's state, and changes neither. It goes on once they are
// as before.
func TestUpRefusesNewerFormats(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	i.up("--no-sample")
	i.run("down")
	state := i.Layout.Server()
	for _, tt := range []struct {
		name string
		set  func(newer bool)
		says string
	}{
		{"journal", func(newer bool) { i.setJournalFormat(newer) }, agent.JournalFile + " is in format " + strconv.Itoa(journal.Format+1)},
		{"state", func(newer bool) { i.setStateFormat(state, newer) }, "this state is in format " + strconv.Itoa(store.Format+1)},
	} {
		tt.set(true)
		before := ashoretest.Checksums(t, i.Layout.Agent(), filepath.Join(state, "etcd"))
		out, err := i.try("up", "--detach", "--no-sample", "--listen", i.Address)
		if err == nil || !strings.Contains(out, tt.says) || !strings.Contains(out, "use the version that wrote it, or a newer one") {
			t.Errorf("%s: %v\n%s", tt.name, err, out)
		}
		if i.runs("server") || i.runs("agent") {
			t.Errorf("%s: something runs", tt.name)
		}
		after := ashoretest.Checksums(t, i.Layout.Agent(), filepath.Join(state, "etcd"))
		for path, sum := range after {
			if before[path] != sum {
				t.Errorf("%s: the refusal has changed %s", tt.name, path)
			}
		}
		if len(after) != len(before) {
			t.Errorf("%s: %d files before the refusal, %d after it", tt.name, len(before), len(after))
		}
		tt.set(false)
	}
	i.up("--no-sample")
}

// setJournalFormat gives the agent's journal a newer format, or takes it away again.
func (i *installation) setJournalFormat(newer bool) {
	i.Helper()
	db, err := bbolt.Open(filepath.Join(i.Layout.Agent(), agent.JournalFile), 0o600, &bbolt.Options{Timeout: time.Minute})
	if err != nil {
		i.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		meta, err := tx.CreateBucketIfNotExists([]byte(journal.Meta))
		if err != nil || !newer {
			return errors.Join(err, meta.Delete([]byte("format")))
		}
		return meta.Put([]byte("format"), []byte(strconv.Itoa(journal.Format+1)))
	})
	if err := errors.Join(err, db.Close()); err != nil {
		i.Fatal(err)
	}
}

// setStateFormat gives the server's state a newer format, or takes it away again.
func (i *installation) setStateFormat(dir string, newer bool) {
	i.Helper()
	e, err := store.Embed(i.Context(), dir, store.WithPrefix("/none")) // the check is for the prefix only
	if err != nil {
		i.Fatal(err)
	}
	const key = store.DefaultPrefix + "/format"
	format := func(n int) []byte { return []byte(`"format":` + strconv.Itoa(n)) }
	from, to := format(store.Format), format(store.Format+1)
	if !newer {
		from, to = to, from
	}
	got, err := e.Client.Get(i.Context(), key)
	if err == nil && len(got.Kvs) != 1 {
		i.Errorf("%d records at %s", len(got.Kvs), key)
	} else if err == nil {
		_, err = e.Client.Put(i.Context(), key, string(bytes.Replace(got.Kvs[0].Value, from, to, 1)))
	}
	if err := errors.Join(err, e.Close()); err != nil {
		i.Fatal(err)
	}
}
