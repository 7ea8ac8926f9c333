package storetest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/store"
	"github.com/ashore/ashore/internal/store/etcdtest"
	"github.com/ashore/ashore/internal/store/storetest"
	"github.com/go-json-experiment/json/jsontext"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// A role has an id for its name, and beside that a name and aliases of which no two
// roles have the same.
type role struct {
	Name    string   `json:"name"`
	Aliases []string `json:"aliases,omitempty"`
	Text    string   `json:"text,omitzero"`

	Extra jsontext.Value `json:",embed"`
}

var (
	roles   = store.Register[role]("toy/path/*/role/*")
	byName  = roles.Unique("name", func(r *role) []string { return []string{r.Name} })
	byAlias = roles.Unique("alias", func(r *role) []string { return r.Aliases })
)

// claimsBelow is where the claims of names lie.
const claimsBelow = "toy/~unique/path.role.name/"

func roleKey(id string) store.Key[role] { return roles.Key("/", id) }

// create returns a part of a transaction that creates a role.
func create(id, name string, aliases ...string) func(*store.Tx) error {
	return func(tx *store.Tx) error {
		return store.Create(tx, roleKey(id), &role{Name: name, Aliases: aliases})
	}
}

// write returns a part of a transaction that writes a role, whatever it is.
func write(id, name string) func(*store.Tx) error {
	return func(tx *store.Tx) error {
		store.Get(tx, roleKey(id))
		return store.Put(tx, roleKey(id), &role{Name: name})
	}
}

// rewrite returns a part of a transaction that changes a role.
func rewrite(id, name string, aliases ...string) func(*store.Tx) error {
	return func(tx *store.Tx) error {
		r := *store.Get(tx, roleKey(id))
		r.Name, r.Aliases, r.Text = name, aliases, r.Text+"."
		return store.Put(tx, roleKey(id), &r)
	}
}

func remove(id string) func(*store.Tx) error {
	return func(tx *store.Tx) error {
		store.Get(tx, roleKey(id))
		return store.Delete(tx, roleKey(id))
	}
}

// do carries out parts in one transaction.
func do(t *testing.T, s *store.Store, parts ...func(*store.Tx) error) error {
	t.Helper()
	return s.Update(t.Context(), func(tx *store.Tx) error {
		for _, part := range parts {
			if err := part(tx); err != nil {
				return err
			}
		}
		return nil
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// taken checks that an error says that a role has the value.
func taken(t *testing.T, err error, unique, value, holder string) {
	t.Helper()
	e, ok := errors.AsType[*store.TakenError](err)
	if !ok || e.Kind != roles.Changed() || e.Unique != unique || e.Value != value || e.Holder != (store.Names{"/", holder}) ||
		!strings.Contains(e.Error(), fmt.Sprintf("%q is taken by the stored record %s", value, roleKey(holder))) {
		t.Errorf("got %v (%+v), want that %s %q is role %s's", err, e, unique, value, holder)
	}
}

// has checks which role has each name; "" is none.
func has(t *testing.T, s *store.Store, want map[string]string) {
	t.Helper()
	for name, id := range want {
		names, r := byName.Get(s.Snapshot(), name)
		if names[1] != id || (r != nil) != (id != "") || r != nil && r.Name != name {
			t.Errorf("%q is the name of %q (%+v), want %q", name, names[1], r, id)
		}
	}
}

// claims are those of names as etcd has them: value=holder.
func claims(t *testing.T, etcd *clientv3.Client, s *store.Store) string {
	t.Helper()
	root := fmt.Sprintf("%s/v1/%s/%s/", store.DefaultPrefix, s.Site().Account, s.Site().Region)
	r, err := etcd.Get(t.Context(), root+claimsBelow, clientv3.WithPrefix())
	must(t, err)
	var all []string
	for _, kv := range r.Kvs {
		all = append(all, strings.TrimPrefix(string(kv.Key), root+claimsBelow)+"="+string(kv.Value))
	}
	text := strings.NewReplacer(`{"holder":"toy/path/%2F/role/`, "", `"}`, "").Replace(strings.Join(all, " "))
	return text
}

func TestUnique(t *testing.T) {
	s, etcd := storetest.OpenEtcd(t)
	wantClaims := func(want string) {
		t.Helper()
		if got := claims(t, etcd, s); got != want {
			t.Errorf("claims are %s, want %s", got, want)
		}
	}
	must(t, do(t, s, create("1", "a"), create("2", "/b é", "x", "y", "x")))
	has(t, s, map[string]string{"a": "1", "/b é": "2", "b": "", "": ""})
	wantClaims("%2Fb%20%C3%A9=2 a=1")

	// Another role gets none of them, and nothing of it is written.
	taken(t, do(t, s, create("3", "a")), "name", "a", "1")
	taken(t, do(t, s, create("3", "c", "z", "y")), "alias", "y", "2")
	taken(t, do(t, s, create("3", "d"), create("4", "d")), "name", "d", "3")
	taken(t, do(t, s, rewrite("1", "/b é")), "name", "/b é", "2")
	wantClaims("%2Fb%20%C3%A9=2 a=1")
	must(t, do(t, s, func(tx *store.Tx) error { // one that goes on without it
		taken(t, create("3", "c", "y")(tx), "alias", "y", "2")
		fits, err := tx.Try(func() error { return errors.Join(create("3", "c", "z")(tx), errors.New("not this")) })
		if fits || err == nil {
			t.Errorf("%v, %v", fits, err)
		}
		return create("5", "e")(tx)
	}))
	wantClaims("%2Fb%20%C3%A9=2 a=1 e=5")

	// A put without a change leaves the claim, one with a change moves it.
	must(t, do(t, s, rewrite("1", "a"), rewrite("5", "f", "g")))
	must(t, do(t, s, create("6", "e")))
	must(t, do(t, s, rewrite("5", "f")))
	must(t, do(t, s, rewrite("6", "e", "g")))
	has(t, s, map[string]string{"a": "1", "e": "6", "f": "5"})
	wantClaims("%2Fb%20%C3%A9=2 a=1 e=6 f=5")
	if names, r := byAlias.Get(s.Snapshot(), "g"); r == nil || names[1] != "6" {
		t.Errorf("the alias is %v's", names)
	}

	// Deleted, it frees them. Within a transaction what is freed can be claimed.
	must(t, do(t, s, remove("5")))
	must(t, do(t, s, remove("1"), create("7", "a"), write("7", "tmp"), rewrite("6", "a"), create("8", "e"), remove("8"), create("9", "e")))
	has(t, s, map[string]string{"a": "6", "e": "9", "f": "", "tmp": "7"})
	wantClaims("%2Fb%20%C3%A9=2 a=6 e=9 tmp=7")

	// They are of no unknown kind, and survive a restart and a restore.
	if n := len(s.Warnings()); n != 0 {
		t.Errorf("warnings %v", s.Warnings())
	}
	other := open(t, etcd, store.Config{})
	taken(t, do(t, other, create("10", "a")), "name", "a", "6")
	var backup bytes.Buffer
	_, err := s.Backup(t.Context(), &backup)
	must(t, err)
	_, err = store.Restore(t.Context(), etcd, "/restored", bytes.NewReader(backup.Bytes()))
	must(t, err)
	restored := open(t, etcd, store.Config{Prefix: "/restored"})
	has(t, restored, map[string]string{"a": "6", "e": "9", "/b é": "2", "tmp": "7"})
	taken(t, do(t, restored, create("10", "tmp")), "name", "tmp", "7")
	must(t, do(t, restored, rewrite("7", "b"), create("10", "tmp")))

	// They end with their record, so they have no lease.
	err = do(t, s, func(tx *store.Tx) error {
		store.Get(tx, roleKey("11"))
		return store.PutLeased(tx, roleKey("11"), &role{})
	})
	if err == nil || !strings.Contains(err.Error(), "can't be leased") {
		t.Errorf("leased: %v", err)
	}
}

// What a transaction finds by a unique value holds until it commits, also that there is
// nothing.
func TestUniqueFind(t *testing.T) {
	s := storetest.Open(t)
	must(t, do(t, s, create("1", "a")))
	for i, c := range []struct {
		name   string
		change func(*store.Tx) error
		want   string
	}{
		{"a", rewrite("1", "b"), ""},
		{"c", create("2", "c"), "2"},
		{"c", remove("2"), ""},
		{"b", rewrite("1", "b", "x"), "1"},
	} {
		runs, found := 0, store.Names{}
		err := s.Update(t.Context(), func(tx *store.Tx) error {
			runs++
			found, _ = byName.Find(tx, c.name)
			if runs == 1 {
				must(t, do(t, s, c.change))
			}
			return store.Create(tx, groups.Key(fmt.Sprint("decided ", i)), &group{})
		})
		if err != nil || runs != 2 || found[1] != c.want {
			t.Errorf("%s: %v after %d runs, found %q, want %q", c.name, err, runs, found, c.want)
		}
	}
}

// A value whose record can't be read is not answered as free. Without the look at the
// claim's holder, the transaction commits (seen).
func TestUniqueUnreadable(t *testing.T) {
	s, etcd := storetest.OpenEtcd(t)
	must(t, do(t, s, create("1", "a")))
	mend := storetest.Spoil(t, etcd, s, roleKey("1").String())
	find := func(tx *store.Tx) error {
		if _, r := byName.Find(tx, "a"); r != nil {
			t.Errorf("found %v", r)
		}
		return store.Create(tx, groups.Key("decided"), &group{})
	}
	if err := do(t, s, find); !errors.Is(err, store.ErrUnreadable) {
		t.Errorf("decided over a record that can't be read: %v", err)
	}
	must(t, do(t, s, func(tx *store.Tx) error { // another value has nothing to do with it
		byName.Find(tx, "b")
		return store.Create(tx, groups.Key("decided"), &group{})
	}))
	mend()
	must(t, do(t, s, func(tx *store.Tx) error {
		if names, _ := byName.Find(tx, "a"); names[1] != "1" {
			t.Errorf("found %q", names)
		}
		return nil
	}))
}

// Records of a time before the Unique have no claims: an earlier version's server has
// written them, or deleted what had some.
func TestUniqueOld(t *testing.T) {
	s, etcd := storetest.OpenEtcd(t)
	root := fmt.Sprintf("%s/v1/%s/%s/", store.DefaultPrefix, s.Site().Account, s.Site().Region)
	var last int64
	raw := func(key, value string) { // as that version does, which writes no claims
		t.Helper()
		r, err := etcd.Put(t.Context(), root+key, value)
		must(t, err)
		last = r.Header.Revision
	}
	seen := func() {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start, feed := s.Follow()
		for at := start; at.Revision() < last; {
			a, err := feed.Next(ctx)
			must(t, err)
			at = a.Next
		}
	}
	for _, id := range []string{"1", "2"} {
		raw(roleKey(id).String(), `{"name":"old"}`)
	}
	raw(roleKey("3").String(), `{"name":"alone"}`)
	seen()

	// Nobody else gets such a name.
	has(t, s, map[string]string{"old": "1", "alone": "3"})
	taken(t, do(t, s, create("4", "old")), "name", "old", "1")
	taken(t, do(t, s, create("4", "alone")), "name", "alone", "3")
	taken(t, do(t, s, write("1", "old"), remove("2"), create("4", "old")), "name", "old", "1")
	// Both can be written, and the last one that has it claims it.
	must(t, do(t, s, rewrite("1", "old"), rewrite("2", "old"), rewrite("3", "alone")))
	if got := claims(t, etcd, s); got != "alone=3" {
		t.Errorf("claims are %s", got)
	}
	taken(t, do(t, s, rewrite("3", "old")), "name", "old", "1")
	must(t, do(t, s, rewrite("1", "new")))
	taken(t, do(t, s, create("4", "old")), "name", "old", "2")
	must(t, do(t, s, rewrite("2", "old")))
	if got := claims(t, etcd, s); got != "alone=3 new=1 old=2" {
		t.Errorf("claims are %s", got)
	}
	must(t, do(t, s, remove("2"), write("2", "old")))

	// Claims whose records have gone, or have another value, count for nothing.
	raw(roleKey("2").String(), `{"name":"moved"}`)
	r, err := etcd.Delete(t.Context(), root+roleKey("3").String())
	must(t, err)
	last = r.Header.Revision
	seen()
	must(t, do(t, s, create("5", "old"), create("6", "alone")))
	taken(t, do(t, s, create("7", "moved")), "name", "moved", "2")
	must(t, do(t, s, rewrite("2", "moved")))
	if got := claims(t, etcd, s); got != "alone=6 moved=2 new=1 old=5" {
		t.Errorf("claims are %s", got)
	}

	// What can't be read is not given away: neither a record nor a claim.
	mend := storetest.Spoil(t, etcd, s, roleKey("1").String())
	taken(t, do(t, s, create("8", "new")), "name", "new", "1")
	mend()
	mend = storetest.Spoil(t, etcd, s, claimsBelow+"new")
	for what, part := range map[string]func(*store.Tx) error{
		"claimed": create("8", "new"), "left": rewrite("1", "newer"), "deleted": remove("1"),
	} {
		if err := do(t, s, part); !errors.Is(err, store.ErrUnreadable) {
			t.Errorf("%s, while the claim can't be read: %v", what, err)
		}
	}
	has(t, s, map[string]string{"new": "1"})
	mend()
	must(t, do(t, s, rewrite("1", "newer")))
	must(t, do(t, s, create("8", "new")))
}

// Of creations with one name exactly one succeeds, whichever server carries it out, and
// creations with different names do not know of each other.
func TestUniqueAtOnce(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	e := etcdtest.Start(t, etcdtest.Options{})
	var servers []*store.Store
	for range 2 {
		client, err := store.Connect(ctx, store.ConnectConfig{Endpoints: []string{e.Endpoint()}})
		must(t, err)
		t.Cleanup(func() {
			if err := client.Close(); err != nil && !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
		servers = append(servers, open(t, client, store.Config{}))
	}
	const n = 200
	atOnce := func(each func(i int, s *store.Store)) {
		var all sync.WaitGroup
		begin := make(chan struct{})
		for i := range n {
			all.Go(func() {
				<-begin
				each(i, servers[i%len(servers)])
			})
		}
		close(begin)
		all.Wait()
	}

	var runs atomic.Int64
	atOnce(func(i int, s *store.Store) {
		err := s.Update(ctx, func(tx *store.Tx) error {
			runs.Add(1)
			return create(fmt.Sprint("different ", i), fmt.Sprint("name ", i))(tx)
		})
		if err != nil {
			t.Error(err)
		}
	})
	if runs.Load() != n {
		t.Errorf("%d creations of different names took %d runs: they have conflicted", n, runs.Load())
	}

	var created []string
	var refused atomic.Int64
	var mu sync.Mutex
	atOnce(func(i int, s *store.Store) {
		id := fmt.Sprint("same ", i)
		err := s.Update(ctx, create(id, "same"))
		switch {
		case err == nil:
			mu.Lock()
			created = append(created, id)
			mu.Unlock()
		case errors.As(err, new(*store.TakenError)):
			refused.Add(1)
		default:
			t.Error(err)
		}
	})
	if len(created) != 1 || refused.Load() != n-1 {
		t.Errorf("%d creations of one name: %d succeeded and %d were refused", n, len(created), refused.Load())
	}
	for _, s := range servers {
		snap, err := s.Fresh(ctx)
		must(t, err)
		if names, _ := byName.Get(snap, "same"); !slices.Contains(created, names[1]) {
			t.Errorf("the name is %q's, created were %q", names, created)
		}
	}
}
