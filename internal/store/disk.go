package store

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
)

// DefaultReserve is how many bytes must stay free on the disk of an embedded etcd. With
// less the store writes nothing, because etcd ends at a write that fails. etcd
// allocates 64 MiB at once for the next segment of its log, and 16 MiB for its file.
// Other programs may write to the disk between two checks.
const DefaultReserve = 128 << 20

// fewInodes is how many more files must fit on the disk.
const fewInodes = 32

// ErrDisk says that the disk of the embedded etcd accepts no writes.
var ErrDisk = errors.New("the disk takes no writes")

// DiskError is an ErrDisk with the known facts about the disk.
type DiskError struct {
	Dir   string // etcd's folder
	Mount string // where the disk is mounted
	Free  int64  // bytes
	Need  int64  // bytes that must be free
	Files bool   // the disk has space, but no room for more files
	Cause error  // the error of a write; nil if no write was tried
}

func (e *DiskError) Error() string {
	disk := fmt.Sprintf("the disk of the data folder %s", e.Dir)
	if e.Mount != "" {
		disk = fmt.Sprintf("the disk of the data folder %s (mounted at %s)", e.Dir, e.Mount)
	}
	why := fmt.Sprintf("is full: %s are free, and %s are needed", mebibytes(e.Free), mebibytes(e.Need))
	switch {
	case e.Cause != nil && e.Free >= e.Need:
		why = fmt.Sprintf("can't be written: %v", e.Cause)
	case e.Files:
		why = fmt.Sprintf("is full: there is room for no more files (inodes), and for %d are needed", fewInodes)
	}
	return fmt.Sprintf("%s %s. Nothing can be changed until that is mended; what is stored stays, and can be read. Free some room on it: changes are then taken again by themselves.", disk, why)
}

// Public returns the text that callers may read.
func (e *DiskError) Public() string { return e.Error() }

func (e *DiskError) Is(target error) bool { return target == ErrDisk }
func (e *DiskError) Unwrap() error        { return e.Cause }

// newDiskError is the ErrDisk of a new installation.
type newDiskError struct {
	dir, mount string
	free, need int64
}

func (e *newDiskError) Error() string {
	return fmt.Sprintf("a new installation in %s needs %s of free room on its disk (mounted at %s), and there are %s", e.dir, mebibytes(e.need), e.mount, mebibytes(e.free))
}

func (e *newDiskError) Is(target error) bool { return target == ErrDisk }

func mebibytes(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

// room is how much a file system can still take.
type room struct {
	bytes int64
	files int64 // -1 if there is no limit
}

// disk watches the free space on the disk of a folder.
type disk struct {
	dir      string                         // constant
	reserve  int64                          // constant
	readRoom func(dir string) (room, error) // constant
	log      *slog.Logger
	short    atomic.Bool // the last check found too little space
}

func newDisk(dir string, reserve int64, log *slog.Logger) *disk {
	return &disk{dir: dir, reserve: reserve, readRoom: freeRoom, log: log}
}

// check returns a DiskError if the disk has less free space than the reserve and `more`
// bytes. After the space was below the reserve, a quarter of the reserve more must be
// free, so that the disk does not change between full and free all the time. A check
// costs a system call, about a microsecond.
func (d *disk) check(more int64) error {
	r, err := d.readRoom(d.dir)
	if err != nil {
		return nil // the space is unknown; the write will show
	}
	need, files := d.reserve, int64(fewInodes)
	if d.short.Load() {
		need, files = need+need/4, files*2
	}
	few := r.files >= 0 && r.files < files
	if r.bytes < need || few {
		refusal := d.refusal(r, need, few)
		if !d.short.Swap(true) {
			d.log.Error("store: writes are refused", "err", refusal)
		}
		return refusal
	}
	if d.short.Swap(false) {
		d.log.Warn("store: the disk has room again, writes are taken", "dir", d.dir, "free_bytes", r.bytes)
	}
	if r.bytes < need+more {
		return d.refusal(r, need+more, false)
	}
	return nil
}

func (d *disk) refusal(r room, need int64, few bool) *DiskError {
	return &DiskError{Dir: d.dir, Mount: mountOf(d.dir), Free: r.bytes, Need: need, Files: few && r.bytes >= need}
}

// writeFailure returns the refusal after a write has failed with cause.
func (d *disk) writeFailure(cause error) *DiskError {
	r, err := d.readRoom(d.dir)
	if err != nil {
		r = room{}
	}
	e := d.refusal(r, d.reserve+d.reserve/4, false)
	e.Cause = cause
	return e
}

// probe writes as many bytes as the reserve into a file and removes the file. Space
// that counts as free may not be available to us (a quota), or may not be writable at
// all.
func (d *disk) probe() (err error) {
	if err := d.check(0); err != nil {
		return err
	}
	f, err := os.CreateTemp(d.dir, ".probe-")
	if err != nil {
		return d.writeFailure(err)
	}
	defer func() {
		if e := errors.Join(f.Close(), os.Remove(f.Name())); err == nil && e != nil {
			err = d.writeFailure(e)
		}
	}()
	if err := allocate(f, max(d.reserve, ballastSize)); err != nil {
		return d.writeFailure(err)
	}
	if _, err := f.WriteAt([]byte("room"), 0); err != nil {
		return d.writeFailure(err)
	}
	if err := f.Sync(); err != nil {
		return d.writeFailure(err)
	}
	return nil
}

// isDisk says whether the disk causes an error. The same write may then succeed later.
func isDisk(err error) bool {
	for _, e := range []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.EIO} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// ballastSize is the space that a start on a full disk needs: etcd shortens its log,
// extends it again, and writes some pages of its file.
const ballastSize = 16 << 20

func (d *disk) ballastPath() string { return filepath.Join(d.dir, "ballast") }

// writeBallast writes a file whose removal frees space for a start on a full disk. It
// only helps, so it logs its errors and returns none.
func (d *disk) writeBallast() {
	if info, err := os.Stat(d.ballastPath()); err == nil && info.Size() == ballastSize || d.check(ballastSize) != nil {
		return
	}
	f, err := os.OpenFile(d.ballastPath(), os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		err = errors.Join(allocate(f, ballastSize), f.Close())
	}
	if err != nil {
		d.log.Warn("store: no room is kept for a start on a full disk", "err", err)
	}
}

// removeBallast removes that file.
func (d *disk) removeBallast() {
	if err := os.Remove(d.ballastPath()); err != nil && !errors.Is(err, os.ErrNotExist) {
		d.log.Warn("store: no room was given back for a start on a full disk", "err", err)
	}
}
