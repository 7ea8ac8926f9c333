// Package journal is the agent's storage across restarts: one bbolt file that only its
// owner may read. Writes are grouped. Writes that arrive while a transaction is being
// synced go into the next one, so a burst of tasks costs a few syncs and not one for each.
// A newer value for a key replaces an older one that still waits.
//
// Secrets and credentials never enter it. The caller must remove them.
package journal

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// Bucket is a part of the journal.
type Bucket string

// The buckets.
const (
	Meta       Bucket = "meta"       // single values: instance ARN, sequence number
	Tasks      Bucket = "tasks"      // task ARN → the task's whole state, with its unsent reports
	Tombstones Bucket = "tombstones" // task ARN → when it ended
)

var buckets = []Bucket{Meta, Tasks, Tombstones}

// ErrLocked means that another process has the journal open.
var ErrLocked = errors.New("journal is held by another process")

// ErrClosed is the error of writes after Close.
var ErrClosed = errors.New("journal is closed")

type key struct {
	bucket Bucket
	key    string
}

// Commit is a write that may not be durable yet.
type Commit struct {
	done chan struct{}
	err  error
}

// Wait returns when the write is durable, or returns why it failed. A failed write is
// tried again with the next one.
func (c *Commit) Wait() error {
	<-c.done
	return c.err
}

// Journal is an open journal.
type Journal struct {
	db      *bbolt.DB
	log     *slog.Logger
	fresh   bool
	wake    chan struct{}
	stopped chan struct{}

	mu      sync.Mutex
	pending map[key][]byte // nil: delete
	next    *Commit        // commit of everything in pending; nil if nothing is pending
	closed  bool
	fail    func() error // see FailWrites
}

const (
	lockWait = 2 * time.Second
	retryMin = 100 * time.Millisecond
	retryMax = 5 * time.Second
)

// Open opens or creates the journal at path. It renames a damaged file and creates a new
// one: the engine can rebuild what matters. If the file can't be opened for another
// reason, Open changes nothing and returns the error: a FormatError says that a newer
// version wrote the file.
func Open(path string, log *slog.Logger) (*Journal, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	fresh := false
	switch st, err := os.Stat(path); {
	case errors.Is(err, os.ErrNotExist):
		fresh = true
	case err != nil:
		return nil, fmt.Errorf("journal: %w", err)
	case st.Size() == 0:
		log.Warn("journal is empty, beginning a new one", "path", path)
		fresh = true
	}
	var damage error
	if !fresh {
		err := checkExisting(path)
		if damage = err; err != nil && !errors.Is(err, errDamaged) {
			return nil, fmt.Errorf("journal: %w", err)
		}
	}
	if damage != nil {
		aside, err := renameDamaged(path)
		if err != nil {
			return nil, fmt.Errorf("journal: %w", errors.Join(damage, err))
		}
		log.Error("journal is damaged and put aside, beginning a new one; tasks are rebuilt from the container engine", "path", path, "aside", aside, "err", damage)
		fresh = true
	}
	db, err := openJournal(path)
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	j := &Journal{
		db: db, log: log, fresh: fresh,
		wake: make(chan struct{}, 1), stopped: make(chan struct{}), pending: map[key][]byte{},
	}
	go j.runWriter()
	return j, nil
}

// checkExisting checks an existing file while no process can write to it. Opened
// read-only, bbolt itself reads only the meta pages, until checkLayout has checked all
// others.
func checkExisting(path string) (err error) {
	db, err := openBolt(path, &bbolt.Options{Timeout: lockWait, ReadOnly: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := checkLayout(path); err != nil {
		return err
	}
	return checkFormat(db)
}

// openBolt opens the file. It distinguishes damage from errors of the operating system.
func openBolt(path string, o *bbolt.Options) (db *bbolt.DB, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = damagef("%v", p)
		}
	}()
	db, err = bbolt.Open(path, 0o600, o)
	var system syscall.Errno
	switch {
	case err == nil:
		return db, nil
	case errors.Is(err, berrors.ErrTimeout):
		return nil, fmt.Errorf("%w: %s", ErrLocked, path)
	case errors.As(err, &system):
		return nil, err
	default:
		return nil, damagef("%v", err)
	}
}

// openJournal opens a file that was checked, or creates one. It writes only what is
// missing, so a journal can be read on a full disk.
func openJournal(path string) (*bbolt.DB, error) {
	db, err := openBolt(path, &bbolt.Options{Timeout: lockWait, NoFreelistSync: true, FreelistType: bbolt.FreelistMapType})
	if err != nil {
		return nil, err
	}
	complete := true
	err = db.View(func(tx *bbolt.Tx) error {
		for _, b := range buckets {
			complete = complete && tx.Bucket([]byte(b)) != nil
		}
		return nil
	})
	if err == nil && !complete {
		err = db.Update(func(tx *bbolt.Tx) error {
			for _, b := range buckets {
				if _, err := tx.CreateBucketIfNotExists([]byte(b)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err == nil {
		err = os.Chmod(path, 0o600)
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// maxDamaged bounds how many damaged files stay, the newest ones.
const maxDamaged = 5

// renameDamaged renames a damaged file and returns the new name.
func renameDamaged(path string) (aside string, err error) {
	prefix := path + ".damaged-"
	entries, err := os.ReadDir(filepath.Dir(path)) // sorted by name
	if err != nil {
		return "", err
	}
	var before []string
	for _, e := range entries {
		if name := filepath.Join(filepath.Dir(path), e.Name()); strings.HasPrefix(name, prefix) {
			before = append(before, name)
		}
	}
	for ; len(before) >= maxDamaged; before = before[1:] {
		if err := os.Remove(before[0]); err != nil {
			return "", err
		}
	}
	aside = prefix + time.Now().UTC().Format("20060102T150405.000000000")
	return aside, os.Rename(path, aside)
}

// IsNew reports whether there was no readable journal before.
func (j *Journal) IsNew() bool { return j.fresh }

// Put writes a value. It returns at once.
func (j *Journal) Put(b Bucket, k string, value []byte) *Commit {
	if value == nil {
		value = []byte{}
	}
	return j.enqueue(key{b, k}, value)
}

// Delete removes a value. It returns at once.
func (j *Journal) Delete(b Bucket, k string) *Commit { return j.enqueue(key{b, k}, nil) }

func (j *Journal) enqueue(k key, value []byte) *Commit {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		c := &Commit{done: make(chan struct{}), err: ErrClosed}
		close(c.done)
		return c
	}
	j.pending[k] = value
	if j.next == nil {
		j.next = &Commit{done: make(chan struct{})}
	}
	select {
	case j.wake <- struct{}{}:
	default:
	}
	return j.next
}

// runWriter is the one goroutine that commits. It ends when the journal is closed and
// nothing is pending.
func (j *Journal) runWriter() {
	defer close(j.stopped)
	delay := retryMin
	for range j.wake {
		j.mu.Lock()
		batch, commit, closed := j.pending, j.next, j.closed
		j.pending, j.next = map[key][]byte{}, nil
		j.mu.Unlock()
		if commit != nil {
			commit.err = j.commitBatch(batch)
			close(commit.done)
			if commit.err != nil && !closed {
				j.log.Error("journal write failed, will be tried again", "err", commit.err, "values", len(batch))
				j.requeue(batch)
				time.AfterFunc(delay, j.wakeWriter)
				delay = min(delay*2, retryMax)
				continue
			}
			delay = retryMin
		}
		if closed {
			return
		}
	}
}

// requeue adds a failed batch to the pending writes again, except values that were
// replaced.
func (j *Journal) requeue(batch map[key][]byte) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for k, v := range batch {
		if _, newer := j.pending[k]; !newer {
			j.pending[k] = v
		}
	}
	if j.next == nil {
		j.next = &Commit{done: make(chan struct{})}
	}
}

func (j *Journal) wakeWriter() {
	select {
	case j.wake <- struct{}{}:
	default:
	}
}

// FailWrites makes writes fail in tests, as on a full disk. fn is called before each
// write, and its error is the write's. nil ends that.
func (j *Journal) FailWrites(fn func() error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.fail = fn
}

func (j *Journal) commitBatch(batch map[key][]byte) error {
	j.mu.Lock()
	fail := j.fail
	j.mu.Unlock()
	if fail != nil {
		if err := fail(); err != nil {
			return err
		}
	}
	return j.db.Update(func(tx *bbolt.Tx) error {
		for k, v := range batch {
			b := tx.Bucket([]byte(k.bucket))
			var err error
			if v == nil {
				err = b.Delete([]byte(k.key))
			} else {
				err = b.Put([]byte(k.key), v)
			}
			if err != nil {
				return fmt.Errorf("%s/%s: %w", k.bucket, k.key, err)
			}
		}
		return nil
	})
}

// Get reads a committed value. It returns nil if there is none.
func (j *Journal) Get(b Bucket, k string) ([]byte, error) {
	var out []byte
	err := j.db.View(func(tx *bbolt.Tx) error {
		if v := tx.Bucket([]byte(b)).Get([]byte(k)); v != nil {
			out = append([]byte{}, v...)
		}
		return nil
	})
	return out, err
}

// Each calls fn for every committed value of a bucket, in the order of keys. The value is
// valid only until fn returns.
func (j *Journal) Each(b Bucket, fn func(k string, value []byte) error) error {
	return j.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte(b)).ForEach(func(k, v []byte) error { return fn(string(k), v) })
	})
}

// Close writes what is pending and closes the file.
func (j *Journal) Close() error {
	j.mu.Lock()
	if j.closed {
		j.mu.Unlock()
		return ErrClosed
	}
	j.closed = true
	j.mu.Unlock()
	j.wakeWriter()
	<-j.stopped
	return j.db.Close()
}
