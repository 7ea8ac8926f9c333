package journal

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestWhatIsCommittedIsThereAfterReopening(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sub", "journal.db")
	j, err := Open(path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if !j.IsNew() {
		t.Error("a new journal does not say so")
	}
	if _, err := Open(path, slog.New(slog.DiscardHandler)); !errors.Is(err, ErrLocked) {
		t.Errorf("second opening: %v", err)
	}
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			if err := j.Put(Tasks, fmt.Sprint(i), []byte("old")).Wait(); err != nil {
				t.Error(err)
			}
			j.Put(Tasks, fmt.Sprint(i), []byte("new")) // durable after Close at the latest
		})
	}
	wg.Wait()
	if err := j.Delete(Tasks, "7").Wait(); err != nil {
		t.Fatal(err)
	}
	st := j.db.Stats()
	if writes := st.TxStats.GetWrite(); writes > 300*4 {
		t.Errorf("%d page writes: not grouped", writes)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if err := j.Put(Meta, "x", nil).Wait(); !errors.Is(err, ErrClosed) {
		t.Errorf("write after close: %v", err)
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", st.Mode(), err)
	}
	j, err = Open(path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if j.IsNew() {
		t.Error("a reopened journal says it is fresh")
	}
	n := 0
	if err := j.Each(Tasks, func(k string, v []byte) error {
		n++
		if string(v) != "new" {
			t.Errorf("%s is %q", k, v)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if n != 199 {
		t.Errorf("%d values", n)
	}
	if v, err := j.Get(Tasks, "7"); v != nil || err != nil {
		t.Errorf("deleted: %q %v", v, err)
	}
}

func TestDamagedFileIsPutAside(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "journal.db")
	if err := os.WriteFile(path, []byte("this is no database, and long enough to be looked at"), 0o600); err != nil {
		t.Fatal(err)
	}
	j, err := Open(path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if !j.IsNew() {
		t.Error("not fresh")
	}
	if m, _ := filepath.Glob(path + ".damaged-*"); len(m) != 1 {
		t.Errorf("set aside: %v", m)
	}
}

// When Wait returns nil, the write has been synced. bbolt syncs unless it is configured
// not to.
func TestCommitsAreSynced(t *testing.T) {
	j, err := Open(filepath.Join(t.TempDir(), "j.db"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if j.db.NoSync || j.db.NoGrowSync {
		t.Error("the journal's file is not synced")
	}
}
