package store

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

func TestEmbedDirectory(t *testing.T) {
	dir := t.TempDir()
	run := filepath.Join(dir, "run")
	// A kill -9 leaves this.
	if err := os.MkdirAll(run, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, stale := range []string{filepath.Join(run, socketName), filepath.Join(dir, "lock")} {
		if err := os.WriteFile(stale, []byte("999999\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	e := embedded(t, dir)
	if fi, err := os.Stat(run); err != nil || fi.Mode().Perm() != 0o700 {
		t.Errorf("the sockets' folder: %v, %v", fi.Mode(), err)
	}
	_, err := Embed(t.Context(), dir)
	if held := new(HeldError); !errors.As(err, &held) || held.PID != strconv.Itoa(os.Getpid()) || !strings.Contains(err.Error(), dir) {
		t.Errorf("a second process: %v", err)
	}
	if _, err := e.Client.Put(t.Context(), "still", "serving"); err != nil {
		t.Error(err)
	}
	if _, err := e.Client.Defragment(t.Context(), ""); err != nil {
		t.Error(err)
	}
}

func TestEmbedLongPath(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("deep/", 20), strings.Repeat("n", 100))
	e := embedded(t, dir)
	if _, err := os.Stat(filepath.Join(dir, "run", socketName)); err != nil {
		t.Error(err)
	}
	// Another process finds the socket in the same way.
	run, f := shortPath(filepath.Join(dir, "run"))
	defer f.Close()
	sock := unixURL(filepath.Join(run, socketName))
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{sock.String()}, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := e.Client.Put(t.Context(), "a", "b"); err != nil {
		t.Fatal(err)
	}
	if r, err := c.Get(t.Context(), "a"); err != nil || len(r.Kvs) != 1 {
		t.Errorf("over the socket: %v, %v", r, err)
	}
}
