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

// DefaultReserve is how much room is left on the disk of an embedded etcd's
// folder: below it nothing is written. etcd ends at a write that fails, so it must
// not come to that. It takes 64 MiB for the next segment of its log at once, 16 MiB
// for its file, and others may write to the disk between two looks.
const DefaultReserve = 128 << 20

// fewInodes is how many more files must fit on the disk.
const fewInodes = 32

// ErrDisk says that the disk of the embedded etcd takes no writes.
var ErrDisk = errors.New("the disk takes no writes")

// DiskError is ErrDisk with what is known of the disk.
type DiskError struct {
	Dir   string // etcd's folder
	Mount string // where the disk is mounted
	Free  int64  // bytes
	Need  int64  // bytes that must be free
	Files bool   // it has room, but for no more files
	Cause error  // what a write failed with; nil where none was tried
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

// Unable is what whoever called may know of it.
func (e *DiskError) Public() string { return e.Error() }

func (e *DiskError) Is(target error) bool { return target == ErrDisk }
func (e *DiskError) Unwrap() error        { return e.Cause }

// newDiskError is ErrDisk where nothing is stored yet.
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
	files int64 // -1 where it has no limit
}

// disk watches over the room on the disk of a folder.
type disk struct {
	dir      string                         // constant
	reserve  int64                          // constant
	readRoom func(dir string) (room, error) // constant
	log      *slog.Logger
	short    atomic.Bool // the last look found too little
}

func newDisk(dir string, reserve int64, log *slog.Logger) *disk {
	return &disk{dir: dir, reserve: reserve, readRoom: freeRoom, log: log}
}

// check returns a DiskError where the disk has less room than the reserve and so
// many bytes more. Once it had less than the reserve, it needs a quarter more, so
// that it is not full in one moment and has room in the next. A look costs a system
// call, about a microsecond.
func (d *disk) check(more int64) error {
	r, err := d.readRoom(d.dir)
	if err != nil {
		return nil // not known: the write will tell
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

// writeFailure is the refusal after a write has failed with cause.
func (d *disk) writeFailure(cause error) *DiskError {
	r, err := d.readRoom(d.dir)
	if err != nil {
		r = room{}
	}
	e := d.refusal(r, d.reserve+d.reserve/4, false)
	e.Cause = cause
	return e
}

// probe writes as much as the reserve into a file that it removes again: what is
// counted as free may not be ours (a quota), or not writable at all.
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

// isDisk says whether an error is the disk's, so that the same write may succeed
// later.
func isDisk(err error) bool {
	for _, e := range []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.EIO} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// ballastSize is what a start on a full disk takes: etcd shortens its log and
// extends it again, and writes some pages of its file.
const ballastSize = 16 << 20

func (d *disk) ballastPath() string { return filepath.Join(d.dir, "ballast") }

// writeBallast has a file take some room, to be given back for a start on a full
// disk. It is no more than a help, so that its errors are for the log.
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

// removeBallast gives that room back.
func (d *disk) removeBallast() {
	if err := os.Remove(d.ballastPath()); err != nil && !errors.Is(err, os.ErrNotExist) {
		d.log.Warn("store: no room was given back for a start on a full disk", "err", err)
	}
}
