package storetest_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/store"
	"github.com/ashore/ashore/internal/store/storetest"
	"github.com/go-json-experiment/json/jsontext"
	clientv3 "go.etcd.io/etcd/client/v3"
)

var update = flag.Bool("update", false, "write the stored records that are missing in testdata")

// This is a toy room outside of the store: a noun with slashes in its names and an
// index, and a second noun that belongs to it. It declares nothing else.
type group struct {
	Name string   `json:"name"`
	Days int      `json:"days,omitzero"`
	Tags []string `json:"tags,omitempty"`

	Extra jsontext.Value `json:",embed"`
}

type stream struct {
	Last time.Time `json:"last,omitzero"`

	Extra jsontext.Value `json:",embed"`
}

var (
	groups  = store.Register[group]("toy/group/*")
	byTag   = groups.Index(func(g *group) []string { return g.Tags })
	streams = store.Register[stream]("toy/group/*/stream/*").PartOf(groups.Changed())
)

// TestFormats: the check of stored formats includes the toy's records.
func TestFormats(t *testing.T) { storetest.Formats(t, *update) }

// toyNames sort byte by byte, which is not the order of their keys.
var toyNames = []string{"", "%2F", "/aws/a", "/aws/a-b", "/aws/a/b", "/aws/b", "a\x00b", "a b", "web", "é"}

// A kind that a room registers behaves like ECS's own kinds in everything.
func TestRoom(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	e, err := store.Embed(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	s := open(t, e.Client, store.Config{Sole: true})
	start, feed := s.Follow()
	put(t, s, toyNames...)
	err = s.Update(ctx, func(tx *store.Tx) error {
		for _, name := range []string{"x/1", "x/2"} {
			if err := store.Create(tx, streams.Key("/aws/a", name), &stream{Last: time.Unix(7, 0).UTC()}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	shows(t, "written", s)
	if n := len(s.Warnings()); n != 0 {
		t.Errorf("warnings %v", s.Warnings())
	}

	// The feed names the kind and the names.
	seen := map[store.Change]int{}
	for at := start; at.Revision() < s.Snapshot().Revision(); {
		a, err := feed.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range a.Changes {
			seen[c]++
		}
		at = a.Next
	}
	want := map[store.Change]int{
		{Kind: groups.Changed(), Names: store.Names{"/aws/a", "x/1"}}: 1,
		{Kind: groups.Changed(), Names: store.Names{"/aws/a", "x/2"}}: 1,
	}
	for _, name := range toyNames {
		want[store.Change{Kind: groups.Changed(), Names: store.Names{name}}] = 1
	}
	if fmt.Sprint(seen) != fmt.Sprint(want) || groups.Changed().String() != "toy/group/*" {
		t.Errorf("the feed says %v, want %v", seen, want)
	}

	// Another server on the same state, and a restart, show the same.
	shows(t, "opened by another", open(t, e.Client, store.Config{}))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, e.Client, store.Config{Sole: true})
	shows(t, "restarted", s)

	// Backup and restore keep the records.
	var backup bytes.Buffer
	if _, err := s.Backup(ctx, &backup); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Restore(ctx, e.Client, "/restored", bytes.NewReader(backup.Bytes())); err != nil {
		t.Fatal(err)
	}
	r := open(t, e.Client, store.Config{Prefix: "/restored"})
	shows(t, "restored", r)
	if groups.Written(r.Snapshot(), "web") <= groups.Written(s.Snapshot(), "web") || groups.Written(r.Snapshot(), "none") != 0 {
		t.Errorf("restored it was written at %d, before at %d", groups.Written(r.Snapshot(), "web"), groups.Written(s.Snapshot(), "web"))
	}

	// An unreadable record is set aside under its key.
	mend := storetest.Spoil(t, e.Client, s, groups.Key("/aws/a").String())
	if groups.Get(s.Snapshot(), "/aws/a") != nil || tagged(s, "t") != `"/aws/a/b"` || s.Snapshot().AllReadable(groups.Prefix()) == nil {
		t.Errorf("it shows what can't be read: %v", tagged(s, "t"))
	}
	err = s.Update(ctx, func(tx *store.Tx) error { return store.Create(tx, groups.Key("/aws/a"), &group{}) })
	if !errors.Is(err, store.ErrUnreadable) {
		t.Errorf("it was written over: %v", err)
	}
	mend()
	shows(t, "mended", s)

	// A changed and then deleted record leaves the index. Snapshots stay.
	before := s.Snapshot()
	err = s.Update(ctx, func(tx *store.Tx) error {
		g := *store.Get(tx, groups.Key("/aws/a"))
		g.Tags = []string{"u"}
		store.Get(tx, groups.Key("/aws/a/b"))
		return errors.Join(store.Put(tx, groups.Key("/aws/a"), &g), store.Delete(tx, groups.Key("/aws/a/b")))
	})
	if err != nil || tagged(s, "t") != "" || tagged(s, "u") != `"/aws/a"` {
		t.Errorf("%v: under t are %v, under u %v", err, tagged(s, "t"), tagged(s, "u"))
	}
	if n := len(slices.Collect(keys(byTag.Of(before, "t")))); n != 2 {
		t.Errorf("a snapshot has changed: %d", n)
	}
	// The guard of a decision over all of them works.
	runs := 0
	err = s.Update(ctx, func(tx *store.Tx) error {
		runs++
		tx.Unchanged(groups.Prefix())
		if runs == 1 {
			put(t, s, "in between/")
		}
		return store.Create(tx, groups.Key("decided"), &group{Name: "decided"})
	})
	if err != nil || runs < 2 {
		t.Errorf("%d runs, %v", runs, err)
	}
}

// shows checks that a store has the toy's records.
func shows(t *testing.T, when string, s *store.Store) {
	t.Helper()
	snap := s.Snapshot()
	for _, name := range toyNames {
		if g := groups.Get(snap, name); g == nil || g.Name != name {
			t.Errorf("%s: %q is %+v", when, name, g)
		}
	}
	for _, c := range []struct {
		in   store.Range
		want []string
	}{
		{store.Range{}, toyNames},
		{store.Range{Prefix: "/aws/a"}, toyNames[2:5]},
		{store.Range{After: []string{"/aws/a"}}, toyNames[3:]},
		{store.Range{Prefix: "/aws/", After: []string{"/aws/a-b"}}, toyNames[4:6]},
		{store.Range{After: []string{"/aws/aa"}, Prefix: "/aws/"}, toyNames[5:6]},
		{store.Range{Prefix: "none"}, nil},
	} {
		if got := slices.Collect(keys(groups.List(snap, c.in))); !slices.Equal(got, c.want) {
			t.Errorf("%s: %+v lists %q, want %q", when, c.in, got, c.want)
		}
	}
	var below []string
	for names, v := range streams.ListWithin(snap, "/aws/a") {
		if v.Last.Unix() == 7 {
			below = append(below, names[1])
		}
	}
	if fmt.Sprintf("%q", below) != `["x/1" "x/2"]` {
		t.Errorf("%s: below the group are %q", when, below)
	}
	for range streams.ListWithin(snap, "/aws/") {
		t.Errorf("%s: there is a stream of another group", when)
	}
	if got := tagged(s, "t"); got != `"/aws/a" "/aws/a/b"` || slices.Collect(keys(byTag.Of(snap, "t", "/aws/a")))[0] != "/aws/a/b" || tagged(s, "none") != "" {
		t.Errorf("%s: the index has %s", when, got)
	}
}

func tagged(s *store.Store, tag string) string {
	text := fmt.Sprintf("%q", slices.Collect(keys(byTag.Of(s.Snapshot(), tag))))
	return text[1 : len(text)-1]
}

func keys(seq func(yield func(store.Names, *group) bool)) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for names := range seq {
			if !yield(names[0]) {
				return
			}
		}
	}
}

// put creates groups; two of them are tagged.
func put(t *testing.T, s *store.Store, names ...string) {
	t.Helper()
	err := s.Update(t.Context(), func(tx *store.Tx) error {
		for _, name := range names {
			g := &group{Name: name}
			if name == "/aws/a" || name == "/aws/a/b" {
				g.Tags = []string{"t", "t"}
			}
			if err := store.Create(tx, groups.Key(name), g); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, etcd *clientv3.Client, cfg store.Config) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), etcd, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}
