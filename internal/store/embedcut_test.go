package store

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	bolt "go.etcd.io/bbolt"
	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
)

// TestFirstStartCutShort: after a power cut or a kill during etcd's very first start,
// the next start begins again, because nothing was stored yet. Exists returns false.
func TestFirstStartCutShort(t *testing.T) {
	database := func(buckets ...string) func(member string) error {
		return func(member string) error {
			db, err := bolt.Open(filepath.Join(member, "snap", "db"), 0o600, nil)
			if err != nil {
				return err
			}
			err = db.Update(func(tx *bolt.Tx) error {
				for _, name := range buckets {
					if _, err := tx.CreateBucket([]byte(name)); err != nil {
						return err
					}
				}
				return nil
			})
			return errors.Join(err, db.Close())
		}
	}
	for name, c := range map[string][]func(member string) error{
		"folders":                  nil,
		"an empty database":        {func(m string) error { return os.WriteFile(filepath.Join(m, "snap", "db"), nil, 0o600) }},
		"a database of nothing":    {database()},
		"a database with its head": {database("meta")},
		"a database":               {database("meta", "key")},
		"a log that was not yet moved to its place": {database("meta", "key"), func(m string) error {
			if err := os.Mkdir(filepath.Join(m, "wal.tmp"), 0o700); err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(m, "wal.tmp", "0000000000000000-0000000000000000.wal"), nil, 0o600)
		}},
		"a log without an entry": {database("meta", "key"), emptyLog},
		"an empty log alone":     {emptyLog},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.MkdirAll(filepath.Join(memberDir(dir), "snap"), 0o700); err != nil {
				t.Fatal(err)
			}
			for _, f := range c {
				if err := f(memberDir(dir)); err != nil {
					t.Fatal(err)
				}
			}
			if Exists(dir) {
				t.Error("it says that there is a state")
			}
			for range 2 { // the second start finds the files of the first one
				e, err := Embed(t.Context(), dir)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := e.Client.Put(t.Context(), "a", "b"); err != nil {
					t.Error(err)
				}
				if err := e.Close(); err != nil {
					t.Fatal(err)
				}
				if !Exists(dir) {
					t.Error("it says that there is no state")
				}
			}
		})
	}
}

// emptyLog writes a log as etcd first creates it.
func emptyLog(member string) error {
	id := uint64(0x1234)
	b, err := proto.Marshal(&etcdserverpb.Metadata{NodeID: &id, ClusterID: &id})
	if err != nil {
		return err
	}
	w, err := wal.Create(zap.NewNop(), filepath.Join(member, "wal"), b)
	if err != nil {
		return err
	}
	return w.Close()
}
