package store

import (
	"bytes"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/google/go-cmp/cmp"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// lines records the log.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func unreadableKeys(s *Snapshot, prefix string) (keys []string) {
	for u := range s.Unreadable(prefix) {
		keys = append(keys, u.Key)
	}
	return keys
}

// A record that can't be read is set aside, in a running store and in a store that is
// opened later. All else goes on, nothing overwrites the record, and it comes back when
// it can be read.
func conformUnreadable(t *testing.T, client *clientv3.Client, cfg Config) {
	ctx := within(t)
	log := &lines{}
	cfg.Log = slog.New(slog.NewTextHandler(log, nil))
	s := opened(t, client, cfg)
	putCluster(t, s, "c")
	putCluster(t, s, "other")
	putTask(t, s, task("c", "t", "i", "f"))
	whole := map[string]string{}
	broken := []string{"cluster/c/task/t", "cluster/c/task/new", "cluster/c/instance/i", "cluster/c/waiting/w", "cluster/c/service/s", "family/f/revision/00000001", "accesskey/AKIA"}
	junk := map[string]string{
		"cluster/c/task/t": "not JSON", "cluster/c/task/new": "", "cluster/c/instance/i": `{"status":17}`, "cluster/c/waiting/w": "\xff\xfe",
		"cluster/c/service/s": `[`, "family/f/revision/00000001": `{"definition":{"containerDefinitions":{}}}`, "accesskey/AKIA": `"text"`,
	}
	slices.Sort(broken)
	_, feed := s.Follow()
	var last int64
	for key, text := range junk {
		if r, err := client.Get(ctx, s.root+key); err != nil {
			t.Fatal(err)
		} else if len(r.Kvs) > 0 {
			whole[key] = string(r.Kvs[0].Value)
		}
		r, err := client.Put(ctx, s.root+key, text)
		if err != nil {
			t.Fatal(err)
		}
		last = r.Header.Revision
	}
	until(t, s, func(s *Snapshot) bool { return s.rev >= last })

	check := func(s *Store) {
		t.Helper()
		snap := s.Snapshot()
		if got := unreadableKeys(snap, ""); !slices.Equal(got, broken) {
			t.Errorf("set aside are %v", got)
		}
		if got := unreadableKeys(snap, "cluster/c/task/"); len(got) != 2 || snap.AllReadable("cluster/c/service/") == nil || snap.AllReadable("cluster/other/") != nil {
			t.Errorf("below a prefix: %v", got)
		}
		if snap.Task("c", "t") != nil || snap.Usage("c", "i") != nil || snap.Counts("c") != (ClusterCounts{}) || snap.Cluster("c") == nil {
			t.Errorf("it shows %+v of what can't be read", snap.Counts("c"))
		}
		if d := cmp.Diff(recompute(tab(snap)), viewOf(tab(snap))); d != "" {
			t.Errorf("recomputed (-) and kept (+) differ:\n%s", d)
		}
		w := s.Warnings()
		if len(w) != 1 || w[0].Name != "records-unreadable" || !strings.Contains(w[0].Text, s.root+broken[0]) {
			t.Errorf("warnings %v", w)
		}
		for name, fn := range map[string]func(*Tx) error{
			"created":        func(tx *Tx) error { return Create(tx, TaskKey("c", "t"), task("c", "t", "i", "f")) },
			"deleted":        func(tx *Tx) error { Get(tx, TaskKey("c", "t")); return Delete(tx, TaskKey("c", "t")) },
			"only looked at": func(tx *Tx) error { Get(tx, InstanceKey("c", "i")); return nil },
			"missed":         func(tx *Tx) error { Get(tx, InstanceKey("c", "i")); return errors.New("there is no such instance") },
			"beside another one": func(tx *Tx) error {
				Get(tx, TaskKey("c", "new"))
				Get(tx, ClusterKey("other"))
				return Delete(tx, ClusterKey("other"))
			},
		} {
			refused := (*UnreadableError)(nil)
			if err := s.Update(ctx, fn); !errors.As(err, &refused) || !errors.Is(err, ErrUnreadable) || !strings.Contains(err.Error(), refused.Key) || !slices.Contains(broken, refused.Key) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	check(s)
	if n := strings.Count(log.String(), "set aside"); n < len(broken) {
		t.Errorf("%d lines tell of it:\n%s", n, log)
	}
	seen := map[Change]bool{}
	for a, err := feed.Next(ctx); ; a, err = feed.Next(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range a.Changes {
			seen[c] = true
		}
		if a.Next.rev >= last {
			break
		}
	}
	if !seen[Change{TaskChanged, Names{"c", "t"}}] || !seen[Change{ServiceChanged, Names{"c", "s"}}] || !seen[Change{AccessKeyChanged, Names{"AKIA"}}] {
		t.Errorf("the feed says %v", seen)
	}
	cfg.Sole = false
	again := opened(t, client, cfg)
	check(again)
	if d := diff(tab(s.Snapshot()), tab(again.Snapshot())); len(d) != 0 {
		t.Errorf("opened again it differs in %v", d)
	}
	putCluster(t, again, "after")
	for key, text := range junk {
		if r, err := client.Get(ctx, s.root+key); err != nil || len(r.Kvs) != 1 || string(r.Kvs[0].Value) != text {
			t.Errorf("%s is %v, %v", key, r.Kvs, err)
		}
	}
	conformUnreadableBackup(t, s)

	// A record that is repaired or deleted comes back.
	for key := range junk {
		var err error
		if value, was := whole[key]; was {
			_, err = client.Put(ctx, s.root+key, value)
		} else {
			_, err = client.Delete(ctx, s.root+key)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range []*Store{s, again} {
		until(t, s, func(s *Snapshot) bool { return len(unreadableKeys(s, "")) == 0 })
		snap := s.Snapshot()
		if snap.Task("c", "t") == nil || snap.Usage("c", "i") == nil || snap.Counts("c").Pending != 1 || len(s.Warnings()) != 0 {
			t.Errorf("it did not come back: %+v, %v", snap.Counts("c"), s.Warnings())
		}
	}
	putTask(t, s, task("c", "new", "i", "f"))
}

// A backup keeps such a record unchanged.
func conformUnreadableBackup(t *testing.T, s *Store) {
	ctx := within(t)
	var b bytes.Buffer
	if _, err := s.Backup(ctx, &b); err != nil {
		t.Fatal(err)
	}
	prefix := s.cfg.Prefix + "-restored"
	if _, err := Restore(ctx, s.client, prefix, bytes.NewReader(b.Bytes())); err != nil {
		t.Fatal(err)
	}
	r := opened(t, s.client, Config{Prefix: prefix})
	if was, is := unreadableKeys(s.Snapshot(), ""), unreadableKeys(r.Snapshot(), ""); !slices.Equal(was, is) {
		t.Errorf("restored are %v of %v", is, was)
	}
	for _, key := range unreadableKeys(s.Snapshot(), "") {
		was, err := s.client.Get(ctx, s.root+key)
		if err != nil {
			t.Fatal(err)
		}
		is, err := s.client.Get(ctx, r.root+key)
		if err != nil || len(is.Kvs) != 1 || !bytes.Equal(was.Kvs[0].Value, is.Kvs[0].Value) {
			t.Errorf("%s was restored as %v, %v", key, is, err)
		}
	}
}

// A record whose application panics is set aside, too: the tables are read again
// without it.
func conformTorn(t *testing.T, client *clientv3.Client, cfg Config) {
	ctx := within(t)
	log := &lines{}
	cfg.Log = slog.New(slog.NewTextHandler(log, nil))
	h := holderOf(taskReports.k)
	apply := h.apply
	t.Cleanup(func() { h.apply = apply })
	h.apply = func(t *tables, key string, data []byte, mod int64) error {
		err := apply(t, key, data, mod)
		if bytes.Contains(data, []byte(`"poison"`)) {
			panic("poisoned") // halfway: for example, the indexes have changed
		}
		return err
	}
	s := opened(t, client, cfg)
	putCluster(t, s, "c")
	putTask(t, s, task("c", "t", "i", "f"))
	putTask(t, s, task("c", "u", "i", "f"))
	report := func(id, reason string) {
		t.Helper()
		err := s.Update(ctx, func(tx *Tx) error {
			Get(tx, TaskReportKey("c", id))
			return Put(tx, TaskReportKey("c", id), &fleet.TaskReport{Status: fleet.TaskRunning, Reason: reason, Containers: []fleet.ContainerReport{{Name: "x"}}})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	report("u", "fine")
	report("t", "poison")
	report("u", "fine still")
	cfg.Sole = false
	for _, s := range []*Store{s, opened(t, client, cfg)} {
		snap := s.Snapshot()
		if got := unreadableKeys(snap, ""); len(got) != 1 || got[0] != "cluster/c/task/t/report" {
			t.Errorf("set aside are %v", got)
		}
		if c := snap.Counts("c"); c.Running != 1 || c.Pending != 1 || snap.Task("c", "u").Report.Reason != "fine still" {
			t.Errorf("it shows %+v", c)
		}
		if d := cmp.Diff(recompute(tab(snap)), viewOf(tab(snap))); d != "" {
			t.Errorf("recomputed (-) and kept (+) differ:\n%s", d)
		}
	}
	if text := log.String(); !strings.Contains(text, "poisoned") || !strings.Contains(text, "stack=") || !strings.Contains(text, "cluster/c/task/t/report") {
		t.Errorf("it logs %s", text)
	}
	if _, err := client.Delete(ctx, s.root+"cluster/c/task/t/report"); err != nil {
		t.Fatal(err)
	}
	until(t, s, func(s *Snapshot) bool { return len(unreadableKeys(s, "")) == 0 })
	report("t", "fine")
	if len(s.torn) != 1 {
		t.Errorf("%d records are noted", len(s.torn))
	}
}
