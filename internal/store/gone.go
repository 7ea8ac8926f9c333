package store

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"
)

// GoneError says that the files of a running etcd were removed. etcd goes on writing
// into them, because the kernel allows it. All of that is lost when etcd ends.
type GoneError struct{ Path string }

func (e *GoneError) Error() string {
	return fmt.Sprintf("%s was removed while the server runs. Nothing can be changed any more, and what is stored is lost when the server ends: save it now by `ashore backup FILE`, stop the server, and bring it back by `ashore restore FILE`.", e.Path)
}

// Public returns the text that callers may read.
func (e *GoneError) Public() string { return e.Error() }

func (e *GoneError) Is(target error) bool { return target == ErrDisk }

// presence checks from time to time whether the files of an etcd still exist.
type presence struct {
	member      string // constant
	log         *slog.Logger
	inspectedAt atomic.Int64 // time of the last check, in nanoseconds
	gone        atomic.Pointer[GoneError]
}

// inspectEvery is the time between two checks. A check costs some ten microseconds.
const inspectEvery = 500 * time.Millisecond

func (p *presence) check() error {
	now, last := time.Now().UnixNano(), p.inspectedAt.Load()
	if now-last >= int64(inspectEvery) && p.inspectedAt.CompareAndSwap(last, now) {
		p.inspect()
	}
	if e := p.gone.Load(); e != nil {
		return e
	}
	return nil
}

// inspect records missing files. They count as missing for ever: files that appear
// later are other files.
func (p *presence) inspect() {
	db, wal := filepath.Join(p.member, "snap", "db"), filepath.Join(p.member, "wal")
	missing := ""
	if _, err := os.Stat(db); errors.Is(err, fs.ErrNotExist) {
		missing = db
	} else if segments, err := walSegments(wal); err == nil && len(segments) == 0 {
		missing = filepath.Join(wal, "*.wal")
	}
	if missing == "" {
		return
	}
	e := &GoneError{missing}
	if p.gone.CompareAndSwap(nil, e) {
		p.log.Error("store: writes are refused", "err", e)
	}
}
