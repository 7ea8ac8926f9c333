// Package volume mounts small file systems that tests can fill.
package volume

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// Volume is a small file system.
type Volume struct {
	t   *testing.T
	Dir string // where it is mounted
}

// Kinds are the kinds to test. A tmpfs allocates at once. An ext4 reserves some blocks
// and frees blocks late.
var Kinds = map[string]func(t *testing.T, dir string, size int64) *Volume{"tmpfs": Tmpfs, "ext4": Ext4}

// ReadOnly mounts the volume read-only, as the kernel does when a disk fails, or
// writable again.
func (v *Volume) ReadOnly(on bool) {
	v.t.Helper()
	flags := uintptr(syscall.MS_REMOUNT)
	if on {
		flags |= syscall.MS_RDONLY
	}
	if err := syscall.Mount("", v.Dir, "", flags, ""); err != nil {
		v.t.Fatal(err)
	}
}

// needRoot skips the test with the reason if it lacks root: without a disk to fill,
// these tests would show nothing.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("a disk that a test can fill needs root to mount it: run it again by sudo, or inside a container with --privileged")
	}
}

// Tmpfs mounts a tmpfs of size bytes on a folder.
func Tmpfs(t *testing.T, dir string, size int64) *Volume {
	t.Helper()
	needRoot(t)
	v := &Volume{t, dir}
	if err := syscall.Mount("ashore-test", v.Dir, "tmpfs", 0, "size="+strconv.FormatInt(size, 10)); err != nil {
		t.Fatalf("mount a tmpfs: %v: a container needs --privileged", err)
	}
	t.Cleanup(v.unmount)
	return v
}

// Ext4 mounts an ext4 of size bytes, in a file, on a folder.
func Ext4(t *testing.T, dir string, size int64) *Volume {
	t.Helper()
	needRoot(t)
	v := &Volume{t, dir}
	image := filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(image, size); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"mkfs.ext4", "-q", image}, {"mount", "-o", "loop", image, v.Dir}} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s\nit needs e2fsprogs, and a container --privileged", args, err, out)
		}
	}
	t.Cleanup(v.unmount)
	return v
}

func (v *Volume) unmount() {
	if err := syscall.Unmount(v.Dir, 0); err != nil {
		v.t.Errorf("unmount %s: %v", v.Dir, err)
	}
}

func (v *Volume) filler() string { return filepath.Join(v.Dir, "filler") }

// Fill uses all free space, by large and then by small pieces.
func (v *Volume) Fill() {
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

// Free frees the space that Fill has used.
func (v *Volume) Free() {
	v.t.Helper()
	if err := os.Remove(v.filler()); err != nil {
		v.t.Fatal(err)
	}
}
