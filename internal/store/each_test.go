package store

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/ashore/ashore/internal/contain"
	"github.com/ashore/ashore/internal/fleet"
)

// Of several items in one transaction, UpdateEach leaves out those that panic or need
// an unreadable record, with everything that they wrote. It applies the others.
func TestUpdateEach(t *testing.T) {
	e := embedded(t, t.TempDir())
	s := opened(t, e.Client, Config{Sole: true})
	ctx := within(t)
	if _, err := e.Client.Put(ctx, s.root+"cluster/broken", "x"); err != nil {
		t.Fatal(err)
	}
	until(t, s, func(s *Snapshot) bool { return s.AllReadable("cluster/") != nil })
	begun := 0
	each := func(tx *Tx, name string) error {
		if err := Create(tx, ClusterKey("first-of-"+name), &fleet.Cluster{}); err != nil {
			return err
		}
		if name == "panics" || name == "panics too" {
			panic(name)
		}
		return Create(tx, ClusterKey(name), &fleet.Cluster{})
	}
	out, err := UpdateEach(ctx, s, []string{"a", "panics", "b", "broken", "panics too", "c"}, func(*Tx) error { begun++; return nil }, each)
	var names []string
	for _, o := range out {
		names = append(names, o.Item)
		if !IsItemError(o.Err) || errors.Is(o.Err, ErrUnreadable) != (o.Item == "broken") || errors.As(o.Err, new(*contain.Panic)) == (o.Item == "broken") {
			t.Errorf("%s: %v", o.Item, o.Err)
		}
	}
	if err != nil || !slices.Equal(names, []string{"panics", "broken", "panics too"}) || begun != 4 {
		t.Errorf("left out are %v after %d runs, %v", names, begun, err)
	}
	var made []string
	for name := range s.Snapshot().Clusters("") {
		made = append(made, name)
	}
	if fmt.Sprint(made) != "[a b c first-of-a first-of-b first-of-c]" {
		t.Errorf("made are %v", made)
	}
	mine := errors.New("mine")
	if out, err := UpdateEach(ctx, s, []string{"d", "e"}, nil, func(tx *Tx, name string) error { _ = each(tx, name); return mine }); !errors.Is(err, mine) || out != nil || s.Snapshot().Cluster("d") != nil {
		t.Errorf("an error of an item's: %v, %v", out, err)
	}
	if out, err := UpdateEach(ctx, s, []string{"panics"}, nil, each); err != nil || len(out) != 1 {
		t.Errorf("nothing but a panic: %v, %v", out, err)
	}
	refuse := func(tx *Tx) error { Get(tx, ClusterKey("broken")); return nil }
	if out, err := UpdateEach(ctx, s, []string{"f"}, refuse, each); !errors.Is(err, ErrUnreadable) || out != nil {
		t.Errorf("what all need: %v, %v", out, err)
	}
}
