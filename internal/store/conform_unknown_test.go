package store

import (
	"log/slog"
	"strings"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// A record of an unknown kind is kept and reported while it exists, in a running store
// and in a store that is opened later. So is a record that resembles a known kind, but
// has none of its keys.
func conformUnknown(t *testing.T, client *clientv3.Client, cfg Config) {
	ctx := within(t)
	log := &lines{}
	cfg.Log = slog.New(slog.NewTextHandler(log, nil))
	s := opened(t, client, cfg)
	putCluster(t, s, "c")
	text := func(s *Store) string {
		for _, w := range s.Warnings() {
			if w.Name == "records-unknown" {
				return w.Text
			}
		}
		return ""
	}
	if text(s) != "" {
		t.Errorf("without any: %s", text(s))
	}
	var last int64
	put := func(key string) {
		t.Helper()
		r, err := client.Put(ctx, s.root+key, "x")
		if err != nil {
			t.Fatal(err)
		}
		last = r.Header.Revision
	}
	seen := func(s *Store) { t.Helper(); until(t, s, func(s *Snapshot) bool { return s.rev >= last }) }
	for _, key := range []string{"future/x", "future/y", "future/x", "cluster/c/future/z", "cluster/%63", "cluster/a b", "later/group/x", "later/group/y"} {
		put(key)
	}
	seen(s)
	cfg.Sole = false
	again := opened(t, client, cfg)
	for _, s := range []*Store{s, again} {
		w := text(s)
		for _, want := range []string{"7 stored records", "2 like " + s.root + "future/*;", "1 like " + s.root + "cluster/*/*/*;", "2 like " + s.root + "cluster/*;", "2 like " + s.root + "later/*/*"} {
			if !strings.Contains(w, want) {
				t.Errorf("the warning lacks %q: %s", want, w)
			}
		}
		if n := len(unreadableKeys(s.Snapshot(), "")); n != 0 || s.Snapshot().Cluster("c") == nil || s.Snapshot().Cluster("a b") != nil {
			t.Errorf("%d records are set aside, or the wrong ones are shown", n)
		}
	}
	if n := strings.Count(log.String(), "kept and not shown"); n != 8 {
		t.Errorf("%d lines tell of four kinds in two stores:\n%s", n, log)
	}
	for _, key := range []string{"future/x", "future/y", "cluster/c/future/z", "cluster/%63", "cluster/a b", "later/group/x", "later/group/y"} {
		r, err := client.Delete(ctx, s.root+key)
		if err != nil {
			t.Fatal(err)
		}
		last = r.Header.Revision
	}
	for _, s := range []*Store{s, again} {
		if seen(s); text(s) != "" {
			t.Errorf("they are gone: %s", text(s))
		}
	}
}
