package store

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// stoppedMember creates the files of a stopped etcd and returns its directory.
func stoppedMember(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	e, err := Embed(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Client.Put(t.Context(), "a", strings.Repeat("b", 100<<10)); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestCheckMember: files at which etcd would end, or would wait for ever, are found before
// etcd starts. Files that etcd can repair are left to etcd.
func TestCheckMember(t *testing.T) {
	whole := stoppedMember(t)
	segment := "wal/0000000000000000-0000000000000000.wal"
	for name, c := range map[string]struct {
		harm func(member string) error
		want string // empty if etcd can repair it
	}{
		"nothing":     {func(string) error { return nil }, ""},
		"no member":   {os.RemoveAll, ""},
		"no database": {func(m string) error { return os.Remove(m + "/snap/db") }, ""},
		"no database, and the log's beginning is gone": {func(m string) error {
			return errors.Join(os.Remove(m+"/snap/db"), os.Rename(m+"/"+segment, m+"/wal/0000000000000001-0000000000001388.wal"))
		}, "its database "},
		"an empty database": {func(m string) error { return os.Truncate(m+"/snap/db", 0) }, ""},
		"a database that is a folder": {func(m string) error {
			return errors.Join(os.Remove(m+"/snap/db"), os.Mkdir(m+"/snap/db", 0o700))
		}, "is no file"},
		"a short database": {func(m string) error { return os.Truncate(m+"/snap/db", 12<<10) }, "snap/db can't be read"},
		"a database of zeros": {func(m string) error {
			return os.WriteFile(m+"/snap/db", make([]byte, 64<<10), 0o600)
		}, "snap/db can't be read"},
		"zeroed pages": {func(m string) error {
			return overwritePages(m+"/snap/db", func(n int) []byte { return make([]byte, n) })
		}, "snap/db can't be read"},
		"pages of noise":   {func(m string) error { return overwritePages(m+"/snap/db", noise) }, "snap/db can't be read"},
		"no log":           {func(m string) error { return os.Remove(m + "/" + segment) }, "wal is gone, its database is there"},
		"no log's folder":  {func(m string) error { return os.RemoveAll(m + "/wal") }, "wal is gone, its database is there"},
		"an empty log":     {func(m string) error { return os.Truncate(m+"/"+segment, 0) }, "the end of the log is gone"},
		"a short log":      {func(m string) error { return os.Truncate(m+"/"+segment, 1000) }, "the end of the log is gone"},
		"noise in the log": {func(m string) error { return overwrite(m+"/"+segment, 700, noise(64)) }, "wal can't be read"},
		"what is no log":   {func(m string) error { return os.WriteFile(m+"/wal/zzz.wal", nil, 0o600) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(whole)); err != nil {
				t.Fatal(err)
			}
			if err := c.harm(memberDir(dir)); err != nil {
				t.Fatal(err)
			}
			err := checkMember(dir, formatKey(DefaultPrefix))
			var damaged *DamagedError
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && !errors.As(err, &damaged):
				t.Errorf("%v is no DamagedError", err)
			case c.want != "" && (!strings.Contains(err.Error(), c.want) || damaged.Dir != filepath.Join(dir, "etcd")):
				t.Errorf("no %q in %v", c.want, err)
			}
		})
	}
}

// overwritePages overwrites all pages of a database except its two heads. The pages in
// use differ from run to run.
func overwritePages(path string, with func(n int) []byte) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	heads := 2 * os.Getpagesize()
	return overwrite(path, int64(heads), with(int(info.Size())-heads))
}

func overwrite(path string, at int64, with []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(with, at)
	return errors.Join(err, f.Close())
}

// noise returns bytes that are neither a page nor a record.
func noise(n int) []byte {
	b := make([]byte, n)
	for i, x := 0, uint32(1); i < n; i++ {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	return b
}
