package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// Target says where an installation's state lies: in a data directory, as given to
// Embed, or on an external etcd.
type Target struct {
	Dir     string
	Connect *ConnectConfig // used instead of Dir
	Prefix  string         // "/ashore" unless set
}

// DefaultPrefix is the default prefix of every key.
const DefaultPrefix = "/ashore"

// BackupFile writes a backup of a target into a new file that only its owner can read.
// The target may be in use. BackupFile asks the etcd of a running server over its
// socket. It starts the etcd of a stopped server and stops it afterwards.
func BackupFile(ctx context.Context, t Target, path string) (info BackupInfo, err error) {
	if _, err := os.Lstat(path); err == nil {
		return info, fmt.Errorf("%s exists already", path)
	}
	client, done, err := t.open(ctx)
	if err != nil {
		return info, err
	}
	defer func() { err = errors.Join(err, done()) }()
	f, err := os.CreateTemp(filepath.Dir(path), ".ashore-backup-*") // mode 0600
	if err != nil {
		return info, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	for try := 0; ; try++ {
		info, err = Backup(ctx, client, orDefault(t.Prefix, DefaultPrefix), f)
		if !errors.Is(err, rpctypes.ErrCompacted) || try == 3 {
			break
		}
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return info, errors.Join(err, f.Close())
		}
		if err := f.Truncate(0); err != nil {
			return info, errors.Join(err, f.Close())
		}
	}
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return info, err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return info, err
	}
	return info, syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// open returns a client of the target's etcd, and a function that closes it.
func (t Target) open(ctx context.Context) (*clientv3.Client, func() error, error) {
	if t.Connect != nil {
		c, err := Connect(ctx, *t.Connect)
		if err != nil {
			return nil, nil, err
		}
		return c, func() error { return ignoreCanceled(c.Close()) }, nil
	}
	held := new(HeldError)
	if _, err := os.Stat(memberDir(t.Dir)); err != nil {
		// A server may run on files that were removed.
		if lock, locked := lockDir(t.Dir); errors.As(locked, &held) {
			return t.connect(ctx)
		} else if locked == nil {
			err = errors.Join(err, lock.Close())
		}
		return nil, nil, fmt.Errorf("there is no state in %s: %w", t.Dir, err)
	}
	e, err := Embed(ctx, t.Dir, WithPrefix(t.Prefix))
	if errors.As(err, &held) {
		return t.connect(ctx)
	}
	if err != nil {
		return nil, nil, err
	}
	return e.Client, e.Close, nil
}

// connect connects to the embedded etcd of another process over its socket.
func (t Target) connect(ctx context.Context) (*clientv3.Client, func() error, error) {
	run, f := shortPath(filepath.Join(t.Dir, "run"))
	done := func() error {
		if f == nil {
			return nil
		}
		return f.Close()
	}
	url := unixURL(filepath.Join(run, socketName))
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{url.String()}, Logger: zap.NewNop(), Context: ctx})
	if err != nil {
		return nil, nil, errors.Join(err, done())
	}
	return c, func() error { return errors.Join(ignoreCanceled(c.Close()), done()) }, nil
}

// Exists says whether a data directory has a state, complete or damaged. A first start
// that did not finish leaves no state.
func Exists(dir string) bool {
	_, err := os.Stat(memberDir(dir))
	return !errors.Is(err, os.ErrNotExist) && !isUnbegun(memberDir(dir))
}

func memberDir(dir string) string { return filepath.Join(dir, "etcd", "member") }

// RestoreFile restores a backup into an empty target. A data directory has all of the
// state afterwards, or none of it.
func RestoreFile(ctx context.Context, t Target, path string) (info BackupInfo, err error) {
	f, err := os.Open(path)
	if err != nil {
		return info, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	prefix := orDefault(t.Prefix, DefaultPrefix)
	if t.Connect != nil {
		client, done, err := t.open(ctx)
		if err != nil {
			return info, err
		}
		info, err = Restore(ctx, client, prefix, f)
		return info, errors.Join(err, done())
	}
	if err := os.MkdirAll(t.Dir, 0o700); err != nil {
		return info, err
	}
	lock, err := lockDir(t.Dir)
	if err != nil {
		return info, err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	if _, err := os.Stat(memberDir(t.Dir)); err == nil {
		return info, fmt.Errorf("data directory %s: %w", t.Dir, ErrNotEmpty)
	}
	// The restored part becomes the directory's state when it is complete.
	part := filepath.Join(t.Dir, "restoring")
	if err := os.RemoveAll(part); err != nil { // left by an interrupted restore
		return info, err
	}
	e, err := Embed(ctx, part)
	if err != nil {
		return info, err
	}
	writing, stop := e.untilFailure(ctx)
	defer stop()
	info, err = restoreChecked(writing, e.Client, prefix, f, e.Room)
	if cause := context.Cause(writing); err != nil && cause != nil {
		err = cause
	}
	if err := errors.Join(err, e.Close()); err != nil {
		return info, errors.Join(err, os.RemoveAll(part))
	}
	if err := os.Remove(filepath.Join(t.Dir, "etcd")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return info, err
	}
	if err := os.Rename(filepath.Join(part, "etcd"), filepath.Join(t.Dir, "etcd")); err != nil {
		return info, err
	}
	return info, errors.Join(os.RemoveAll(part), syncDir(t.Dir))
}
