package disk

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// volume is a file system of its own that a test may fill.
type volume struct {
	t   *testing.T
	dir string // where it is mounted
}

// volumes are the kinds that are tried: on a tmpfs what is allocated is there, an
// ext4 keeps some blocks for itself and gives freed ones back late.
var volumes = map[string]func(t *testing.T, size int64) *volume{"tmpfs": newTmpfs, "ext4": newExt4}

// needRoot says what is missing: without a disk of its own to fill, these tests
// would show nothing.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("a disk that a test can fill needs root to mount it: run it again by sudo, or inside a container with --privileged")
	}
}

func newTmpfs(t *testing.T, size int64) *volume {
	t.Helper()
	needRoot(t)
	v := &volume{t, t.TempDir()}
	if err := syscall.Mount("ashore-test", v.dir, "tmpfs", 0, "size="+itoa(size)); err != nil {
		t.Fatalf("mount a tmpfs: %v: a container needs --privileged", err)
	}
	t.Cleanup(v.unmount)
	return v
}

func newExt4(t *testing.T, size int64) *volume {
	t.Helper()
	needRoot(t)
	v := &volume{t, t.TempDir()}
	image := filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(image, size); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"mkfs.ext4", "-q", image}, {"mount", "-o", "loop", image, v.dir}} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s\nit needs e2fsprogs, and a container --privileged", args, err, out)
		}
	}
	t.Cleanup(v.unmount)
	return v
}

func (v *volume) unmount() {
	if err := syscall.Unmount(v.dir, 0); err != nil {
		v.t.Errorf("unmount %s: %v", v.dir, err)
	}
}

func (v *volume) filler() string { return filepath.Join(v.dir, "filler") }

// fill takes all that is left, by large and then by small pieces.
func (v *volume) fill() {
	v.t.Helper()
	f, err := os.OpenFile(v.filler(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		v.t.Fatal(err)
	}
	defer f.Close()
	for _, piece := range []int{1 << 20, 4096, 512} {
		for {
			n, err := f.Write(make([]byte, piece))
			if errors.Is(err, syscall.ENOSPC) || errors.Is(err, io.ErrShortWrite) {
				break
			}
			if err != nil {
				v.t.Fatal(n, err)
			}
		}
		if err := f.Sync(); err != nil && !errors.Is(err, syscall.ENOSPC) {
			v.t.Fatal(err)
		}
	}
}

// free gives back what fill has taken.
func (v *volume) free() {
	v.t.Helper()
	if err := os.Remove(v.filler()); err != nil {
		v.t.Fatal(err)
	}
}
