package store

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"go.etcd.io/etcd/client/pkg/v3/fileutil"
	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.etcd.io/etcd/server/v3/storage/wal/walpb"
	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// DamagedError says that the files of the embedded etcd are damaged.
type DamagedError struct {
	Dir  string // the folder of etcd's files
	What string
	Err  error
}

func (e *DamagedError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("the state in %s is damaged: %s", e.Dir, e.What)
	}
	return fmt.Sprintf("the state in %s is damaged: %s: %v", e.Dir, e.What, e.Err)
}

func (e *DamagedError) Unwrap() error { return e.Err }

// checkMember checks the files of a member before etcd reads them. It only reads. An
// error that etcd meets in a goroutine of its own ends the process without a message. An
// etcd whose log ends before its database waits for ever. An etcd that starts writes to
// its files: so checkMember also returns a FormatError if the record at key says that
// the state is in a newer format.
func checkMember(dir, key string) error {
	member := memberDir(dir)
	damaged := func(err error, what string, args ...any) error {
		return &DamagedError{filepath.Join(dir, "etcd"), fmt.Sprintf(what, args...), err}
	}
	segments, err := walSegments(filepath.Join(member, "wal"))
	if err != nil {
		return err
	}
	logged := func(db database) error {
		if err := db.readLog(segments, key); errors.Is(err, os.ErrPermission) {
			return err
		} else if err != nil {
			return damaged(err, "its log in %s can't be read", filepath.Join(member, "wal"))
		}
		return checkFormat(db.record)
	}
	db := filepath.Join(member, "snap", "db")
	info, err := os.Stat(db)
	switch {
	case errors.Is(err, os.ErrNotExist) && len(segments) == 0:
		return nil // this is etcd's first start
	case errors.Is(err, os.ErrNotExist):
		if segments[0].index > 0 {
			return damaged(nil, "its database %s is gone, and its log does not reach back to the beginning", db)
		}
		return logged(database{}) // etcd rebuilds it from its log
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return damaged(nil, "its database %s is no file", db)
	case len(segments) == 0:
		return damaged(nil, "its log in %s is gone, its database is there", filepath.Join(member, "wal"))
	case info.Size() == 0:
		return logged(database{}) // etcd rebuilds it, as if it were missing
	}
	found, err := readDatabase(db, key)
	if errors.Is(err, os.ErrPermission) {
		return err
	}
	if err != nil {
		return damaged(err, "its database %s can't be read", db)
	}
	last := segments[len(segments)-1]
	if found.applied < last.index {
		return logged(found)
	}
	end, err := lastEntry(last)
	if errors.Is(err, os.ErrPermission) {
		return err
	}
	if err != nil {
		return damaged(err, "its log %s can't be read", last.path)
	}
	if found.applied > end {
		return damaged(nil, "its log ends at entry %d, and its database holds up to entry %d: the end of the log is gone", end, found.applied)
	}
	return logged(found)
}

// segment is a file of etcd's write-ahead log.
type segment struct {
	path  string
	index uint64 // index of its first entry; 0 for the very first segment
}

// walSegments lists the log's files, oldest first.
func walSegments(dir string) ([]segment, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	var all []segment
	for _, e := range entries { // sorted by name, and the name begins with the number
		var number, index uint64
		if n, err := fmt.Sscanf(e.Name(), "%016x-%016x.wal", &number, &index); n == 2 && err == nil && strings.HasSuffix(e.Name(), ".wal") {
			all = append(all, segment{filepath.Join(dir, e.Name()), index})
		}
	}
	return all, nil
}

// lastEntry returns the index of the last entry in a segment.
func lastEntry(s segment) (last uint64, err error) {
	if s.index > 0 {
		last = s.index - 1
	}
	err = s.each(func(e *raftpb.Entry) error {
		last = e.GetIndex()
		return nil
	})
	return last, err
}

// each calls fn for every entry in a segment, in their order.
func (s segment) each(fn func(*raftpb.Entry) error) (err error) {
	f, err := os.Open(s.path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	d := wal.NewDecoder(fileutil.NewFileReader(f))
	for rec := new(walpb.Record); ; {
		err := d.Decode(rec)
		// The process ended while it wrote this record. etcd itself cuts such a record
		// off.
		if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch rec.GetType() {
		case wal.CrcType:
			d.UpdateCRC(rec.GetCrc())
		case wal.EntryType:
			e := new(raftpb.Entry)
			if err := proto.Unmarshal(rec.Data, e); err != nil {
				return err
			}
			if err := fn(e); err != nil {
				return err
			}
		}
	}
}
