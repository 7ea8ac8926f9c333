package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strings"

	bolt "go.etcd.io/bbolt"
	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// database is what the files of an etcd contain while it does not run.
type database struct {
	applied uint64 // index of the last log entry that it contains
	record  []byte // the newest value of one key; nil if it has none
}

// readDatabase reads every page of etcd's database, and the newest value of key. A
// damaged page may cause a panic of bbolt or a fault in the mapped file. readDatabase
// returns both as errors.
func readDatabase(path, key string) (d database, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	db, err := bolt.Open(path, 0o600, &bolt.Options{ReadOnly: true})
	if err != nil {
		return d, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	// A stored message begins with its first member, the key.
	begins := "\x0a" + string(binary.AppendUvarint(nil, uint64(len(key)))) + key
	err = db.View(func(tx *bolt.Tx) error {
		if info, err := os.Stat(path); err != nil || info.Size() < tx.Size() {
			return errors.Join(err, fmt.Errorf("it should have %d bytes", tx.Size()))
		}
		var names []string
		var newest []byte
		if err := tx.ForEach(func(name []byte, b *bolt.Bucket) error {
			names = append(names, string(name))
			return b.ForEach(func(_, v []byte) error {
				if len(v) >= len(begins) && string(v[:len(begins)]) == begins && string(name) == "key" {
					newest = v // the bucket is sorted by revision
				}
				return nil
			})
		}); err != nil {
			return err
		}
		for _, want := range []string{"key", "meta"} {
			if !slices.Contains(names, want) {
				return &bucketError{want}
			}
		}
		if newest != nil {
			kv := new(mvccpb.KeyValue)
			if err := proto.Unmarshal(newest, kv); err != nil {
				return err
			}
			d.record = kv.Value // a deletion has none
		}
		if v := tx.Bucket([]byte("meta")).Get([]byte("consistent_index")); len(v) == 8 {
			d.applied = binary.BigEndian.Uint64(v)
		}
		return nil
	})
	return d, err
}

// readLog applies to the record the log entries that the database does not contain yet.
// A process that is killed leaves its last writes only in the log.
func (d *database) readLog(segments []segment, key string) error {
	for i, s := range segments {
		if i+1 < len(segments) && segments[i+1].index <= d.applied+1 {
			continue // the database contains all of it
		}
		if err := s.each(func(e *raftpb.Entry) error {
			// A message without the key's text does not write it.
			if e.GetIndex() <= d.applied || e.GetType() != raftpb.EntryNormal || !strings.Contains(string(e.Data), key) {
				return nil
			}
			r := new(etcdserverpb.InternalRaftRequest)
			if err := proto.Unmarshal(e.Data, r); err != nil {
				return err
			}
			d.put(r.Put, key)
			d.putBy(r.Txn, key)
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}

func (d *database) put(p *etcdserverpb.PutRequest, key string) {
	if p != nil && string(p.Key) == key {
		d.record = p.Value
	}
}

// putBy applies the puts of a transaction. The log does not say which of its two branches
// ran. Only one branch puts the installation's record.
func (d *database) putBy(t *etcdserverpb.TxnRequest, key string) {
	if t == nil {
		return
	}
	for _, op := range slices.Concat(t.Success, t.Failure) {
		d.put(op.GetRequestPut(), key)
		d.putBy(op.GetRequestTxn(), key)
	}
}
