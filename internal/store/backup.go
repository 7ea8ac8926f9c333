package store

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// A backup consists of lines of JSON: the header, one line for each record in the order
// of keys, and the trailer with the checksum of all lines before it. It leaves out
// records under a lease (sessions, leaders), because they end with their server.

// backupFormat is the number of this layout.
const backupFormat = 1

type backupHeader struct {
	Backup       int          `json:"ashoreBackup"`
	Installation Installation `json:"installation"`
	Revision     int64        `json:"revision"`
	CreatedAt    time.Time    `json:"createdAt"`
}

type backupRecord struct {
	Key   string         `json:"key"` // below the prefix
	Value jsontext.Value `json:"value,omitzero"`
	// Raw is the value of a record that is not JSON.
	Raw []byte `json:"raw,omitzero"`
}

type backupTrailer struct {
	Records int    `json:"records"`
	SHA256  string `json:"sha256"`
}

// BackupInfo describes a backup.
type BackupInfo struct {
	Installation Installation
	Revision     int64
	CreatedAt    time.Time
	Records      int
}

// Backup writes every record at one revision to w.
func (s *Store) Backup(ctx context.Context, w io.Writer) (BackupInfo, error) {
	return Backup(ctx, s.client, s.cfg.Prefix, w)
}

// Backup writes every record below the prefix at one revision to w. Servers may write
// meanwhile. If a compaction overtakes the reading, Backup fails with etcd's
// ErrCompacted.
func Backup(ctx context.Context, client *clientv3.Client, prefix string, w io.Writer) (BackupInfo, error) {
	in, _, err := ReadInstallation(ctx, client, prefix)
	if err != nil {
		return BackupInfo{}, err
	}
	if in == nil {
		return BackupInfo{}, fmt.Errorf("there is no installation below %s to back up", prefix)
	}
	if in.MigratingFrom != 0 {
		return BackupInfo{}, errors.New("the state is being brought to a newer format: try again when that is done")
	}
	sum := sha256.New()
	out := bufio.NewWriterSize(io.MultiWriter(w, sum), 1<<16)
	head := strings.TrimPrefix(rootOf(prefix, in.Site())+headKey, prefix+"/")
	info := BackupInfo{Installation: *in, CreatedAt: time.Now().UTC()}
	begun := false
	_, err = list(ctx, client, prefix+"/", func(rev int64, kvs []*mvccpb.KeyValue) error {
		if !begun {
			begun, info.Revision = true, rev
			if err := writeLine(out, backupHeader{backupFormat, *in, rev, info.CreatedAt}); err != nil {
				return err
			}
		}
		for _, kv := range kvs {
			key := strings.TrimPrefix(string(kv.Key), prefix+"/")
			if kv.Lease != 0 || key == head || key == "format" {
				continue
			}
			if err := writeLine(out, backupRecord{Key: key, Value: jsontext.Value(kv.Value)}); err != nil {
				if err := writeLine(out, backupRecord{Key: key, Raw: kv.Value}); err != nil {
					return fmt.Errorf("stored record %s: %w", kv.Key, err)
				}
			}
			info.Records++
		}
		return nil
	})
	if err != nil {
		return BackupInfo{}, err
	}
	if err := out.Flush(); err != nil {
		return BackupInfo{}, err
	}
	end := bufio.NewWriter(w)
	if err := writeLine(end, backupTrailer{info.Records, hex.EncodeToString(sum.Sum(nil))}); err != nil {
		return BackupInfo{}, err
	}
	return info, end.Flush()
}

func writeLine(w *bufio.Writer, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if _, err := w.Write(data); err != nil {
		return err
	}
	return w.WriteByte('\n')
}

// ErrDamaged says that a backup is incomplete or was changed.
var ErrDamaged = errors.New("the backup is damaged")

// readBackup reads a backup line by line, checks it, and calls each for each record.
// each may be nil.
func readBackup(r io.Reader, each func(backupRecord) error) (BackupInfo, error) {
	in := bufio.NewReaderSize(r, 1<<16)
	sum := sha256.New()
	var info BackupInfo
	for n := 0; ; n++ {
		text, err := in.ReadBytes('\n')
		if err != nil {
			return info, fmt.Errorf("%w: it ends after %d lines", ErrDamaged, n)
		}
		switch {
		case n == 0:
			var h backupHeader
			if err := json.Unmarshal(text, &h); err != nil || h.Backup == 0 {
				return info, errors.New("this is not a backup of Ashore's")
			}
			if h.Backup > backupFormat {
				return info, fmt.Errorf("this backup has layout %d, this version of Ashore knows up to %d", h.Backup, backupFormat)
			}
			if h.Installation.Format > Format {
				return info, &FormatError{Stored: h.Installation.Format, Known: Format}
			}
			info = BackupInfo{Installation: h.Installation, Revision: h.Revision, CreatedAt: h.CreatedAt}
		case bytes.HasPrefix(text, []byte(`{"records":`)):
			return info, checkTrailer(in, text, sum, info.Records)
		default:
			var rec backupRecord
			if err := json.Unmarshal(text, &rec); err != nil || rec.Key == "" {
				return info, fmt.Errorf("%w: line %d is no record", ErrDamaged, n+1)
			}
			if rec.Raw != nil {
				rec.Value, rec.Raw = jsontext.Value(rec.Raw), nil
			}
			info.Records++
			if each != nil {
				if err := each(rec); err != nil {
					return info, err
				}
			}
		}
		sum.Write(text)
	}
}

func checkTrailer(in *bufio.Reader, text []byte, sum hash.Hash, records int) error {
	var t backupTrailer
	if err := json.Unmarshal(text, &t); err != nil {
		return fmt.Errorf("%w: its last line can't be read", ErrDamaged)
	}
	if t.SHA256 != hex.EncodeToString(sum.Sum(nil)) || t.Records != records {
		return fmt.Errorf("%w: its checksum is wrong", ErrDamaged)
	}
	if _, err := in.ReadByte(); err != io.EOF {
		return fmt.Errorf("%w: something follows its end", ErrDamaged)
	}
	return nil
}
