package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"

	bolt "go.etcd.io/bbolt"
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

// checkMember checks the files of a member before etcd reads them. An error that etcd
// meets in a goroutine of its own ends the process without a message. An etcd whose log
// ends before its database waits for ever.
func checkMember(dir string) error {
	member := memberDir(dir)
	damaged := func(err error, what string, args ...any) error {
		return &DamagedError{filepath.Join(dir, "etcd"), fmt.Sprintf(what, args...), err}
	}
	segments, err := walSegments(filepath.Join(member, "wal"))
	if err != nil {
		return err
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
		return nil // etcd rebuilds it from its log
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return damaged(nil, "its database %s is no file", db)
	case len(segments) == 0:
		return damaged(nil, "its log in %s is gone, its database is there", filepath.Join(member, "wal"))
	case info.Size() == 0:
		return nil // etcd rebuilds it, as if it were missing
	}
	applied, err := readDatabase(db)
	if errors.Is(err, os.ErrPermission) {
		return err
	}
	if err != nil {
		return damaged(err, "its database %s can't be read", db)
	}
	last := segments[len(segments)-1]
	if applied < last.index {
		return nil
	}
	logged, err := lastEntry(last)
	if errors.Is(err, os.ErrPermission) {
		return err
	}
	if err != nil {
		return damaged(err, "its log %s can't be read", last.path)
	}
	if applied > logged {
		return damaged(nil, "its log ends at entry %d, and its database holds up to entry %d: the end of the log is gone", logged, applied)
	}
	return nil
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
	f, err := os.Open(s.path)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if s.index > 0 {
		last = s.index - 1
	}
	d := wal.NewDecoder(fileutil.NewFileReader(f))
	for rec := new(walpb.Record); ; {
		err := d.Decode(rec)
		// The process ended while it wrote this record. etcd itself cuts such a record
		// off.
		if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
			return last, nil
		}
		if err != nil {
			return last, err
		}
		switch rec.GetType() {
		case wal.CrcType:
			d.UpdateCRC(rec.GetCrc())
		case wal.EntryType:
			var e raftpb.Entry
			if err := proto.Unmarshal(rec.Data, &e); err != nil {
				return last, err
			}
			last = e.GetIndex()
		}
	}
}

// readDatabase reads every page of etcd's database. It returns the index of the last
// log entry that the database contains. A damaged page may cause a panic of bbolt or a
// fault in the mapped file. readDatabase returns both as errors.
func readDatabase(path string) (applied uint64, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	db, err := bolt.Open(path, 0o600, &bolt.Options{ReadOnly: true})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	err = db.View(func(tx *bolt.Tx) error {
		if info, err := os.Stat(path); err != nil || info.Size() < tx.Size() {
			return errors.Join(err, fmt.Errorf("it should have %d bytes", tx.Size()))
		}
		var names []string
		if err := tx.ForEach(func(name []byte, b *bolt.Bucket) error {
			names = append(names, string(name))
			return b.ForEach(func(_, _ []byte) error { return nil })
		}); err != nil {
			return err
		}
		for _, want := range []string{"key", "meta"} {
			if !slices.Contains(names, want) {
				return &bucketError{want}
			}
		}
		if v := tx.Bucket([]byte("meta")).Get([]byte("consistent_index")); len(v) == 8 {
			applied = binary.BigEndian.Uint64(v)
		}
		return nil
	})
	return applied, err
}
