package local

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func openTestLog(t *testing.T) (path string, out *os.File) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "server.log")
	out, err := openLog(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { out.Close() })
	return path, out
}

func sizes(t *testing.T, path string) (total int64, files int) {
	t.Helper()
	all, err := filepath.Glob(path + "*")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		info, err := os.Stat(f)
		if err != nil {
			t.Fatal(err)
		}
		total += info.Size()
	}
	return total, len(all)
}

// A log is rotated while its process runs, even if others write to it. It never exceeds
// its share of the disk.
func TestLogIsMovedAside(t *testing.T) {
	path, out := openTestLog(t)
	const limit = 1000
	w := logWriter(path, out, limit)
	line := func(i int) string { return fmt.Sprintf("%099d\n", i) }
	for i := range 200 {
		if n, err := w.Write([]byte(line(i))); n != 100 || err != nil {
			t.Fatal(n, err)
		}
		if i%7 == 0 { // a line of a library, or of a panic
			if _, err := out.WriteString("*"); err != nil {
				t.Fatal(err)
			}
		}
		if total, files := sizes(t, path); total > (logsKept+1)*(limit+100) || files > logsKept+1 {
			t.Fatalf("%d bytes in %d files", total, files)
		}
	}
	data, err := os.ReadFile(path)
	if err != nil || !strings.HasSuffix(strings.ReplaceAll(string(data), "*", ""), line(199)) {
		t.Errorf("%q, %v", data, err)
	}
	before, err := os.ReadFile(path + ".1")
	if err != nil {
		t.Fatal(err)
	}
	// No line is lost between the two files.
	all := strings.ReplaceAll(string(before)+string(data), "*", "")
	for i, l := range strings.SplitAfter(strings.TrimSuffix(all, "\n"), "\n") {
		if want := line(200 - len(all)/100 + i); strings.TrimSpace(l) != strings.TrimSpace(want) {
			t.Errorf("line %d is %q", i, l)
		}
	}
}

// A log that another program has moved away begins again. A log that can't be moved is
// emptied. A file that is not our log is left alone.
func TestLogInTheWay(t *testing.T) {
	path, out := openTestLog(t)
	w := logWriter(path, out, 100)
	write := func() {
		t.Helper()
		if _, err := w.Write(bytes.Repeat([]byte("x"), 60)); err != nil {
			t.Fatal(err)
		}
	}
	write()
	if err := os.Rename(path, path+".mine"); err != nil {
		t.Fatal(err)
	}
	write()
	if info, err := os.Stat(path); err != nil || info.Size() != 60 {
		t.Errorf("%v, %v", info, err)
	}
	if err := os.MkdirAll(filepath.Join(path+".1", "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		write()
	}
	if data, err := os.ReadFile(path); err != nil || len(data) > 500 || !strings.Contains(string(data), "can't be moved aside and begins anew") {
		t.Errorf("%q, %v", data, err)
	}
	other, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if w := logWriter(path, other, 100); w != other {
		t.Errorf("another file is taken for the log: %T", w)
	}
}

// The last lines of a process are found in its log, even if the log was rotated since
// the process started.
func TestTailAfterAMove(t *testing.T) {
	path, out := openTestLog(t)
	if _, err := out.WriteString("last words\n"); err != nil {
		t.Fatal(err)
	}
	for _, from := range []int64{0, 5, 1 << 30} {
		if said := tail(path, from); !strings.HasSuffix(said, "words") {
			t.Errorf("from %d: %q", from, said)
		}
	}
}
