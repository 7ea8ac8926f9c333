package disk

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ashore/ashore/internal/ashoretest"
)

// overwrite overwrites a part of a file with noise or zeros.
func overwrite(path string, at int64, n int, noise bool) error {
	b := make([]byte, n)
	for i, x := 0, uint32(1); noise && i < n; i++ {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(b, at)
	return errors.Join(err, f.Close())
}

// TestDamage: a server whose files are gone, truncated or overwritten says what is
// wrong and what helps, and ends. It never prints only a stack, and never hangs.
func TestDamage(t *testing.T) {
	whole := newControl(t, t.TempDir())
	whole.serve()
	l := &clusters{c: whole}
	for range 5 {
		if err := l.make(); err != nil {
			t.Fatal(err)
		}
	}
	if code := whole.terminate(); code != 0 {
		t.Fatal(code)
	}
	const wal = "/wal/0000000000000000-0000000000000000.wal"
	page := int64(os.Getpagesize())
	for name, c := range map[string]struct {
		harm func(member string) error
		want []string
	}{
		"database overwritten by zeros": {func(m string) error { return overwrite(m+"/snap/db", 0, int(4*page), false) }, []string{"member/snap/db can't be read"}},
		"database overwritten by noise": {func(m string) error { return overwrite(m+"/snap/db", 0, 1<<20, true) }, []string{"member/snap/db can't be read"}},
		"noise in the database":         {func(m string) error { return overwrite(m+"/snap/db", 2*page, 1<<20, true) }, []string{"member/snap/db can't be read"}},
		"database cut off":              {func(m string) error { return os.Truncate(m+"/snap/db", 2*page) }, []string{"member/snap/db can't be read"}},
		"database a folder": {func(m string) error {
			return errors.Join(os.Remove(m+"/snap/db"), os.Mkdir(m+"/snap/db", 0o700))
		}, []string{"member/snap/db is no file"}},
		"database and the log's beginning gone": {func(m string) error {
			return errors.Join(os.Remove(m+"/snap/db"), os.Rename(m+wal, m+"/wal/0000000000000001-0000000000001388.wal"))
		}, []string{"member/snap/db is gone"}},
		"log gone":             {func(m string) error { return os.Remove(m + wal) }, []string{"its log in ", "is gone, its database is there"}},
		"log's folder gone":    {func(m string) error { return os.RemoveAll(m + "/wal") }, []string{"its log in ", "is gone, its database is there"}},
		"log empty":            {func(m string) error { return os.Truncate(m+wal, 0) }, []string{"the end of the log is gone"}},
		"log cut off":          {func(m string) error { return os.Truncate(m+wal, 1000) }, []string{"the end of the log is gone"}},
		"log begins with zero": {func(m string) error { return overwrite(m+wal, 0, 64, false) }, []string{"the end of the log is gone"}},
		"noise in the log":     {func(m string) error { return overwrite(m+wal, 1200, 64, true) }, []string{"can't be read"}},
		"a second log before it": {func(m string) error {
			return os.WriteFile(m+"/wal/0000000000000000-0000000000000001.wal", nil, 0o600)
		}, []string{"its log ends at entry"}},
		"all gone": {func(m string) error { return os.RemoveAll(m) }, []string{"is gone", "admin.json"}},
	} {
		t.Run(name, func(t *testing.T) {
			d := newControl(t, t.TempDir())
			d.sealKey = whole.sealKey
			if err := os.CopyFS(d.layout.Data, os.DirFS(whole.layout.Data)); err != nil {
				t.Fatal(err)
			}
			if err := c.harm(filepath.Join(d.layout.Server(), "etcd", "member")); err != nil {
				t.Fatal(err)
			}
			d.start()
			code := d.awaitExit()
			out := d.out.String()
			if code != 1 {
				t.Errorf("it ended with %d", code)
			}
			for _, w := range append(c.want, "error: ", "\nhint: ", "ashore restore", d.layout.Server()) {
				if !strings.Contains(out, w) {
					t.Errorf("no %q", w)
				}
			}
			if strings.Contains(out, "goroutine ") || strings.Count(out, "\n") > 4 {
				t.Error("it says more than what is wrong and what helps")
			}
		})
	}
}

// TestFewFiles: with too few file descriptors the server says so and ends. It raises a
// limit that is only soft.
func TestFewFiles(t *testing.T) {
	for name, c := range map[string]struct {
		shell string
		serve bool
	}{
		"20": {"ulimit -n 20", false}, "40": {"ulimit -n 40", false}, "60": {"ulimit -n 60", false}, "150": {"ulimit -n 150", false}, "255": {"ulimit -n 255", false},
		"256": {"ulimit -n 256", true}, "a soft limit of 40": {"ulimit -S -n 40", true},
	} {
		t.Run(name, func(t *testing.T) {
			d := newControl(t, t.TempDir())
			d.shell = c.shell
			if c.serve {
				d.serve()
				if err := (&clusters{c: d}).make(); err != nil {
					t.Error(err)
				}
				return
			}
			d.start()
			code := d.awaitExit()
			for _, w := range []string{"error: this process may have " + name + " files open at once", "\nhint: raise the limit", "ulimit -n", "LimitNOFILE="} {
				if !strings.Contains(d.out.String(), w) {
					t.Errorf("no %q", w)
				}
			}
			if code != 1 {
				t.Errorf("it ended with %d", code)
			}
		})
	}
}

// TestRemovedWhileItRuns: a server whose files are removed accepts no changes, because
// they would be lost. The stored state can be read and saved until the server ends.
func TestRemovedWhileItRuns(t *testing.T) {
	for what, path := range map[string]string{"database": "etcd/member/snap/db", "log": "etcd/member/wal", "state": "etcd"} {
		t.Run(what, func(t *testing.T) {
			c := newControl(t, t.TempDir())
			c.serve()
			l := &clusters{c: c}
			if err := l.make(); err != nil {
				t.Fatal(err)
			}
			if err := os.RemoveAll(filepath.Join(c.layout.Server(), path)); err != nil {
				t.Fatal(err)
			}
			made := len(l.made)
			c.await("changes are refused", func() error {
				if l.make() == nil {
					return errors.New("one was taken")
				}
				return nil
			})
			l.checkRefused("gone", l.make(), "was removed while the server runs", "ashore backup FILE")
			l.made = l.made[:made]
			l.check("gone")
			backup := filepath.Join(t.TempDir(), "backup")
			if out, err := exec.CommandContext(within(t), ashoretest.Binary(t), "backup", backup, "--data-dir", c.layout.Data).CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if code := c.terminate(); code != 0 {
				t.Errorf("it ended with %d", code)
			}
			if err := os.RemoveAll(filepath.Join(c.layout.Server(), "etcd")); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.CommandContext(within(t), ashoretest.Binary(t), "restore", backup, "--data-dir", c.layout.Data).CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			c.serve()
			l.check("restored")
		})
	}
}
