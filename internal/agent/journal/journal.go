// Package journal is the agent's memory across restarts, one bbolt file that
// only its owner may read. Writes are grouped: whatever comes in while a
// transaction is being synced goes into the next one, so a burst of tasks
// costs a few syncs and not one each. A later value for a key replaces one
// that still waits.
//
// Secrets and credentials never enter it; who writes must have removed them.
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
	Tasks      Bucket = "tasks"      // task ARN → the task's whole state, its unsent reports too
	Tombstones Bucket = "tombstones" // task ARN → when it ended
)

var buckets = []Bucket{Meta, Tasks, Tombstones}

// ErrLocked means that another process has the journal open.
var ErrLocked = errors.New("journal is held by another process")

// ErrClosed is what writes after Close get.
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

// Wait returns when the write is durable, or says why it is not. A write that
// failed is tried again with the next one all the same.
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
	next    *Commit        // of everything in pending; nil if nothing is
	closed  bool
	fail    func() error // see FailWrites
}

const (
	lockWait = 2 * time.Second
	retryMin = 100 * time.Millisecond
	retryMax = 5 * time.Second
)

// Open opens or creates the journal at path. A damaged file is put aside under
// another name, and a new one begun: what matters of it can be rebuilt from the
// engine. Where the file can't be opened for another reason, it stays.
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

// checkExisting looks at an existing file while nobody can write to it. Opened to be read
// only, bbolt reads no more of it than the meta pages.
func checkExisting(path string) (err error) {
	db, err := openBolt(path, &bbolt.Options{Timeout: lockWait, ReadOnly: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return checkLayout(path)
}

// openBolt opens the file and tells damage from other errors, which are the
// operating system's.
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

// openJournal opens a file that is whole, or none. It writes only what is missing: on a
// full disk a journal can still be read.
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

// maxDamaged bounds how many damaged files are kept, the newest.
const maxDamaged = 5

// renameDamaged gives a damaged file another name, and returns it.
func renameDamaged(path string) (aside string, err error) {
	prefix := path + ".damaged-"
	entries, err := os.ReadDir(filepath.Dir(path)) // in the order of names
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

// IsNew tells that there was no readable journal before.
func (j *Journal) IsNew() bool { return j.fresh }

// Put writes a value, Delete removes one. Both return at once.
func (j *Journal) Put(b Bucket, k string, value []byte) *Commit {
	if value == nil {
		value = []byte{}
	}
	return j.enqueue(key{b, k}, value)
}

// Delete removes a value.
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

// runWriter is the one goroutine that commits. It ends once closed and empty.
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

// requeue returns a failed batch to the queue; newer values stay.
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

// FailWrites lets tests have writes fail, as on a full disk: fn is asked before
// each, and its error is the write's. nil ends that.
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

// Get reads a committed value; nil if there is none.
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

// Each calls fn for every committed value of a bucket, in the order of keys.
// The value is fn's only until it returns.
func (j *Journal) Each(b Bucket, fn func(k string, value []byte) error) error {
	return j.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte(b)).ForEach(func(k, v []byte) error { return fn(string(k), v) })
	})
}

// Close writes what waits and closes the file.
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
