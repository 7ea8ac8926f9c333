package journal

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
)

// A journal of a newer format is refused by name, and neither changed nor put aside.
func TestNewerFormat(t *testing.T) {
	for stored, refused := range map[string]bool{"": false, "1": false, "2": true, "17": true, "two": true} {
		path := filepath.Join(t.TempDir(), "journal.db")
		j, err := Open(path, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		j.Put(Tasks, "t", []byte("v"))
		if stored != "" {
			j.Put(Meta, formatKey, []byte(stored))
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var newer *FormatError
		if err := CheckFormat(path); errors.As(err, &newer) != refused {
			t.Errorf("format %q, checked: %v", stored, err)
		}
		j, err = Open(path, slog.New(slog.DiscardHandler))
		if errors.As(err, &newer) != refused || refused && (newer.Stored != stored || newer.Path != path || newer.Known != Format) {
			t.Errorf("format %q, opened: %v", stored, err)
		}
		if err == nil {
			if v, err := j.Get(Tasks, "t"); err != nil || string(v) != "v" || j.IsNew() {
				t.Errorf("format %q: it holds %q, %v", stored, v, err)
			}
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
			continue
		}
		after, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(before, after) {
			t.Errorf("format %q: the refusal changed the file, %v", stored, err)
		}
		if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
			t.Errorf("format %q: %v, %v", stored, entries, err)
		}
	}
	if err := CheckFormat(filepath.Join(t.TempDir(), "none")); err != nil {
		t.Errorf("no journal: %v", err)
	}
}
