package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/go-json-experiment/json"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// ErrNotEmpty says that a restore would overwrite a state.
var ErrNotEmpty = errors.New("there is state already, and a backup is only restored where there is none")

// Restore writes a backup below an empty prefix. It checks the whole backup before it
// writes anything. It writes the installation's record last, because nothing opens a
// state without that record.
func Restore(ctx context.Context, client *clientv3.Client, prefix string, r io.ReadSeeker) (BackupInfo, error) {
	return restoreChecked(ctx, client, prefix, r, func(int64) error { return nil })
}

// restoreChecked is Restore with a check of the free space before each write.
func restoreChecked(ctx context.Context, client *clientv3.Client, prefix string, r io.ReadSeeker, room func(int64) error) (BackupInfo, error) {
	info, err := readBackup(r, nil)
	if err != nil {
		return info, err
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return info, err
	}
	w := &restorer{client: client, prefix: prefix, mark: prefix + "/restoring", room: room}
	if err := w.begin(ctx); err != nil {
		return info, err
	}
	if _, err := readBackup(r, func(rec backupRecord) error { return w.put(ctx, rec) }); err != nil {
		return info, err
	}
	if err := w.flush(ctx); err != nil {
		return info, err
	}
	in := info.Installation
	in.Base += info.Revision
	return info, w.finish(ctx, &in, &fleet.Restored{At: time.Now().UTC(), BackupAt: info.CreatedAt, Revision: info.Installation.Base + info.Revision})
}

type restorer struct {
	client       *clientv3.Client
	prefix, mark string
	marked       int64 // revision of the mark, which proves that no one else restores here
	ops          []clientv3.Op
	bytes        int
	room         func(int64) error // nil: there is enough space
}

func (w *restorer) begin(ctx context.Context) error {
	r, err := w.client.Txn(ctx).
		If(clientv3.Compare(clientv3.CreateRevision(w.prefix+"/"), "=", 0).WithPrefix()).
		Then(clientv3.OpPut(w.mark, "{}")).Commit()
	if err != nil {
		return fmt.Errorf("etcd: %w", err)
	}
	if !r.Succeeded {
		return fmt.Errorf("etcd below %s: %w", w.prefix, ErrNotEmpty)
	}
	w.marked = r.Header.Revision
	return nil
}

func (w *restorer) put(ctx context.Context, rec backupRecord) error {
	if len(w.ops) == maxOps-1 || w.bytes+len(rec.Value) > batchBytes {
		if err := w.flush(ctx); err != nil {
			return err
		}
	}
	w.ops = append(w.ops, clientv3.OpPut(w.prefix+"/"+rec.Key, string(rec.Value)))
	w.bytes += len(rec.Value) + len(rec.Key)
	return nil
}

func (w *restorer) flush(ctx context.Context) error {
	if len(w.ops) == 0 {
		return nil
	}
	if w.room != nil {
		if err := w.room(int64(w.bytes)); err != nil {
			return err
		}
	}
	r, err := w.client.Txn(ctx).If(clientv3.Compare(clientv3.ModRevision(w.mark), "=", w.marked)).Then(w.ops...).Commit()
	if err != nil {
		return fmt.Errorf("etcd: %w", err)
	}
	if !r.Succeeded {
		return fmt.Errorf("etcd below %s was changed by another during the restore", w.prefix)
	}
	w.ops, w.bytes = nil, 0
	return nil
}

// finish writes the record of the restore and the installation's record. Their revision
// is later than the revisions of all restored records.
func (w *restorer) finish(ctx context.Context, in *Installation, of *fleet.Restored) error {
	restored, err := json.Marshal(of)
	if err != nil {
		return err
	}
	data, err := json.Marshal(in)
	if err != nil {
		return err
	}
	w.ops = []clientv3.Op{
		clientv3.OpPut(rootOf(w.prefix, in.Site())+restoredPath, string(restored)),
		clientv3.OpPut(formatKey(w.prefix), string(data)), clientv3.OpDelete(w.mark),
	}
	return w.flush(ctx)
}
