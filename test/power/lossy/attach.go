package lossy

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// label is the name of the file behind a block device, as `losetup` shows it.
const label = "ashore-power-cut-disk"

// Device is a disk as a block device.
type Device struct {
	Path   string // /dev/loop…
	holder *os.File
	server *fuse.Server
}

// Attach makes a block device of the disk. The device is a loop device on the only file
// of a FUSE file system. It uses direct I/O, so that nothing is cached between them and
// the loop device's flushes arrive as fsync. Nothing of it appears among this machine's
// mounts. dir is an empty folder. The device disappears when it is released and no one
// has it mounted or open, even if this process dies.
func (d *Disk) Attach(dir string) (*Device, error) {
	type result struct {
		dev *Device
		err error
	}
	done := make(chan result)
	ownThread(func() {
		dev, err := d.attach(dir)
		done <- result{dev, err}
	})
	r := <-done
	return r.dev, r.err
}

// ownThread runs f in a thread that ends with it, together with its mount namespace.
// The process's first thread never ends.
func ownThread(f func()) {
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() != os.Getpid() {
			f() // ends without unlocking
			return
		}
		defer runtime.UnlockOSThread()
		ended := make(chan struct{})
		go func() {
			runtime.LockOSThread()
			defer close(ended)
			f()
		}()
		<-ended
	}()
}

func (d *Disk) attach(dir string) (*Device, error) {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return nil, fmt.Errorf("a mount namespace: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return nil, fmt.Errorf("private mounts: %w", err)
	}
	root := &folder{disk: d}
	server, err := fs.Mount(dir, root, &fs.Options{MountOptions: fuse.MountOptions{
		DirectMountStrict: true, AllowOther: true, MaxWrite: 1 << 20, FsName: label, Name: "ashore", DisableXAttrs: true,
	}})
	if err != nil {
		return nil, fmt.Errorf("mount a FUSE file system (it needs /dev/fuse): %w", err)
	}
	file, err := os.OpenFile(filepath.Join(dir, label), os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	path, holder, err := loop(file)
	if err != nil {
		return nil, err
	}
	return &Device{Path: path, holder: holder, server: server}, nil
}

// loop makes a loop device of a file. Its last close clears it.
func loop(file *os.File) (string, *os.File, error) {
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		return "", nil, err
	}
	defer control.Close()
	for {
		n, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
		if err != nil {
			return "", nil, fmt.Errorf("a free loop device: %w", err)
		}
		path := fmt.Sprintf("/dev/loop%d", n)
		device, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			return "", nil, err
		}
		c := &unix.LoopConfig{Fd: uint32(file.Fd()), Size: 512, Info: unix.LoopInfo64{Flags: unix.LO_FLAGS_AUTOCLEAR | unix.LO_FLAGS_DIRECT_IO}}
		copy(c.Info.File_name[:], label)
		err = unix.IoctlLoopConfigure(int(device.Fd()), c)
		if err == nil {
			info, err := unix.IoctlLoopGetStatus64(int(device.Fd()))
			if err == nil && info.Flags&unix.LO_FLAGS_DIRECT_IO == 0 {
				err = errors.New("no direct I/O on it: what is kept in between would never be lost")
			}
			if err != nil {
				return "", nil, errors.Join(fmt.Errorf("%s: %w", path, err), device.Close())
			}
			return path, device, nil
		}
		device.Close()
		if !errors.Is(err, syscall.EBUSY) { // another process was faster
			return "", nil, fmt.Errorf("%s: %w", path, err)
		}
	}
}

// Release releases the device. Those that have it mounted keep it.
func (d *Device) Release() error { return d.holder.Close() }

// AwaitRelease waits until no one has the device.
func (d *Device) AwaitRelease(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		d.server.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s is still in use: %w", d.Path, ctx.Err())
	}
}

// folder is the root of the file system.
type folder struct {
	fs.Inode
	disk *Disk
}

func (f *folder) OnAdd(ctx context.Context) {
	f.AddChild(label, f.NewPersistentInode(ctx, &file{disk: f.disk}, fs.StableAttr{Mode: fuse.S_IFREG}), false)
}

// file is the disk as a file.
type file struct {
	fs.Inode
	disk *Disk
}

func (f *file) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	out.Mode, out.Size = fuse.S_IFREG|0o600, uint64(f.disk.Size)
	return 0
}

func (f *file) Open(context.Context, uint32) (fs.FileHandle, uint32, syscall.Errno) {
	return f, fuse.FOPEN_DIRECT_IO, 0
}

func (f *file) Read(_ context.Context, _ fs.FileHandle, p []byte, at int64) (fuse.ReadResult, syscall.Errno) {
	return fuse.ReadResultData(p[:f.disk.Read(p, at)]), 0
}

func (f *file) Write(_ context.Context, _ fs.FileHandle, p []byte, at int64) (uint32, syscall.Errno) {
	if err := f.disk.Write(p, at); err != nil {
		return 0, syscall.EIO
	}
	return uint32(len(p)), 0
}

func (f *file) Fsync(context.Context, fs.FileHandle, uint32) syscall.Errno {
	f.disk.Flush()
	return 0
}
