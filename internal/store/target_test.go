package store

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ashore/ashore/internal/store/etcdtest"
)

func TestBackupFile(t *testing.T) {
	ctx := within(t)
	from := filepath.Join(t.TempDir(), strings.Repeat("d", 120)) // too long for a socket's path
	files := t.TempDir()
	e, err := Embed(ctx, from)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(ctx, e.Client, Config{Sole: true})
	if err != nil {
		t.Fatal(err)
	}
	putCluster(t, s, "c")

	running, stopped := filepath.Join(files, "running"), filepath.Join(files, "stopped")
	if _, err := BackupFile(ctx, Target{Dir: from}, running); err != nil {
		t.Fatalf("while the server runs: %v", err)
	}
	if err := errors.Join(s.Close(), e.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := BackupFile(ctx, Target{Dir: from}, stopped); err != nil {
		t.Fatalf("while no server runs: %v", err)
	}
	if _, err := BackupFile(ctx, Target{Dir: from}, stopped); err == nil || !strings.Contains(err.Error(), "exists") {
		t.Errorf("over another file: %v", err)
	}
	if _, err := BackupFile(ctx, Target{Dir: t.TempDir()}, filepath.Join(files, "none")); err == nil || !strings.Contains(err.Error(), "no state") {
		t.Errorf("of an empty directory: %v", err)
	}
	var texts []string
	for _, f := range []string{running, stopped} {
		fi, err := os.Stat(f)
		if err != nil || fi.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", f, fi.Mode(), err)
		}
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, storedRecords(string(text)))
	}
	if texts[0] != texts[1] {
		t.Errorf("running: %s\nstopped: %s", texts[0], texts[1])
	}

	to := filepath.Join(t.TempDir(), "new")
	// A killed restore leaves this.
	if err := os.MkdirAll(filepath.Join(to, "restoring", "etcd", "member"), 0o700); err != nil {
		t.Fatal(err)
	}
	info, err := RestoreFile(ctx, Target{Dir: to}, running)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := RestoreFile(ctx, Target{Dir: to}, running); !errors.Is(err, ErrNotEmpty) {
		t.Errorf("over what is there: %v", err)
	}
	r := opened(t, embedded(t, to).Client, Config{Sole: true})
	if r.Installation().ID != info.Installation.ID || r.Snapshot().Cluster("c") == nil {
		t.Errorf("restored %+v", r.Installation())
	}
	if _, err := RestoreFile(ctx, Target{Dir: to}, running); err == nil {
		t.Error("restored below a running server")
	}
	if err := os.WriteFile(filepath.Join(files, "bad"), []byte("{}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	bad := t.TempDir()
	if _, err := RestoreFile(ctx, Target{Dir: bad}, filepath.Join(files, "bad")); err == nil {
		t.Error("restored a file that is no backup")
	} else if _, err := os.Stat(memberDir(bad)); err == nil {
		t.Error("a refused restore left state behind")
	}

	external := Target{Connect: &ConnectConfig{Endpoints: []string{etcdtest.Start(t, etcdtest.Options{}).Endpoint()}}, Prefix: "/moved"}
	if _, err := RestoreFile(ctx, external, running); err != nil {
		t.Fatal(err)
	}
	back := filepath.Join(files, "back")
	if _, err := BackupFile(ctx, external, back); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(back); err != nil || storedRecords(string(text)) != texts[0] {
		t.Errorf("there and back: %v, %s", err, text)
	}
}
