package store

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store/etcdtest"
	clientv3 "go.etcd.io/etcd/client/v3"
)

func conformBackup(t *testing.T, client *clientv3.Client, cfg Config) {
	ctx := within(t)
	cfg.Site = fleet.Site{Account: "111122223333", Region: "eu-here-1"}
	s := opened(t, client, cfg)
	putCluster(t, s, "c")
	for i := range 300 {
		putTask(t, s, task("c", fmt.Sprint("t", i), "i", "f"))
	}
	err := s.Update(ctx, func(tx *Tx) error {
		Get(tx, SessionKey("c", "i"))
		return PutLeased(tx, SessionKey("c", "i"), &fleet.InstanceSession{Server: "s"})
	})
	if err != nil {
		t.Fatal(err)
	}
	// The record and the member of a newer server are in the backup, too.
	if _, err := client.Put(ctx, s.root+"future/thing", `{"a":[1, 2.50]}`); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	info, err := s.Backup(ctx, &b)
	if err != nil || info.Records != 302 || info.Installation.ID != s.Installation().ID {
		t.Fatalf("backup: %+v, %v", info, err)
	}

	targets := map[string]*clientv3.Client{
		"external": etcdtest.Start(t, etcdtest.Options{}).Client(t),
		"embedded": embedded(t, t.TempDir()).Client,
	}
	for name, to := range targets {
		t.Run("to "+name, func(t *testing.T) {
			if _, err := Restore(ctx, to, "/restored", bytes.NewReader(b.Bytes())); err != nil {
				t.Fatal(err)
			}
			r := opened(t, to, Config{Prefix: "/restored"})
			got := r.Snapshot()
			if r.Installation().ID != info.Installation.ID || r.Site() != cfg.Site || got.Cluster("c") == nil || got.Counts("c") != s.Snapshot().Counts("c") {
				t.Errorf("restored: %+v, %+v", r.Installation(), got.Counts("c"))
			}
			if in := got.Restored(); in == nil || !in.BackupAt.Equal(info.CreatedAt) || in.Revision != s.Installation().Base+info.Revision {
				t.Errorf("restored, and it says %+v", in)
			}
			if !got.Uncertain("c", "t1") {
				t.Error("a task that nobody has reported is certain not to have run")
			}
			if got.Session("c", "i") != nil {
				t.Error("a session was restored")
			}
			if got.Revision() <= s.Snapshot().Revision() {
				t.Errorf("revisions went back from %d to %d", s.Snapshot().Revision(), got.Revision())
			}
			if r, err := to.Get(ctx, r.root+"future/thing"); err != nil || len(r.Kvs) != 1 || !strings.Contains(string(r.Kvs[0].Value), "2.50") {
				t.Errorf("the unknown record: %v, %v", r, err)
			}
			var again bytes.Buffer
			if _, err := r.Backup(ctx, &again); err != nil {
				t.Fatal(err)
			}
			if storedRecords(again.String()) != storedRecords(b.String()) {
				t.Error("a backup of what was restored differs")
			}
			if _, err := Restore(ctx, to, "/restored", bytes.NewReader(b.Bytes())); !errors.Is(err, ErrNotEmpty) {
				t.Errorf("restored twice: %v", err)
			}
		})
	}
	damaged := map[string]string{
		"cut short":  b.String()[:b.Len()/2],
		"altered":    strings.Replace(b.String(), `"cpu":10`, `"cpu":11`, 1),
		"longer":     b.String() + "x\n",
		"no trailer": b.String()[:strings.LastIndex(strings.TrimSpace(b.String()), "\n")+1],
	}
	for name, text := range damaged {
		if _, err := Restore(ctx, client, "/damaged-"+cfg.Prefix[1:], strings.NewReader(text)); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Restore(ctx, client, "/damaged", strings.NewReader("hello\n")); err == nil || !strings.Contains(err.Error(), "not a backup") {
		t.Errorf("no backup: %v", err)
	}
	if r, err := client.Get(ctx, "/damaged", clientv3.WithPrefix()); err != nil || len(r.Kvs) != 0 {
		t.Errorf("a refused backup left %d records: %v", len(r.Kvs), err)
	}
}

// storedRecords removes the header, the trailer, and the records that the restore
// itself writes.
func storedRecords(backup string) string {
	_, rest, _ := strings.Cut(backup, "\n")
	var out strings.Builder
	for line := range strings.Lines(rest[:strings.LastIndex(strings.TrimSpace(rest), "\n")+1]) {
		if !strings.Contains(line, `/`+restoredPath+`","value"`) {
			out.WriteString(line)
		}
	}
	return out.String()
}
