package rows

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/aws/protocol/awsjson"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/iam"
	"github.com/ashore/ashore/internal/store"
	"github.com/ashore/ashore/internal/store/storetest"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var site = fleet.Site{Account: "000000000000", Region: "us-east-1"}

var errKeyGone = errors.New("the key is gone")

// open opens some stores on one etcd.
func open(t testing.TB, n int) []*store.Store {
	t.Helper()
	etcd := storetest.Etcd(t)
	var all []*store.Store
	for range n {
		all = append(all, storetest.OpenOn(t, etcd, store.Config{Site: site}))
	}
	return all
}

// tasks are rows of tasks, with little in them.
func tasks() *View {
	return &View{
		Kind: "task",
		Scope: func(where map[string]string) (string, error) {
			if where["cluster"] == "none" {
				return "", errors.New("there is no such cluster")
			}
			return strings.TrimSuffix(where["cluster"]+"/"+where["service"], "/"), nil
		},
		Keys: func(s *store.Snapshot, scope string) iter.Seq[string] {
			cluster, service := split(scope)
			return func(yield func(string) bool) {
				for t := range s.Tasks(cluster, "") {
					if (service == "" || t.Service() == service) && !yield(cluster+"/"+t.ID) {
						return
					}
				}
			}
		},
		Scopes: func(s *store.Snapshot, key string) []string {
			cluster, id := split(key)
			t := s.Task(cluster, id)
			if t == nil {
				return nil
			}
			return []string{cluster, cluster + "/" + t.Service()}
		},
		MayBeIn: func(key, scope string) bool {
			cluster, _ := split(key)
			in, _ := split(scope)
			return cluster == in
		},
		Readable: func(s *store.Snapshot, key string) error { return store.Readable(s, store.TaskKey(split(key))) },
		Describe: func(s *store.Snapshot, key string) (any, error) {
			t := s.Task(split(key))
			return &types.Task{Group: &t.Group, DesiredStatus: aws.String(string(t.Desired())), LastStatus: aws.String(string(t.Status())), Tags: t.CurrentTags()}, nil
		},
		Touches: map[store.ChangeKind]func(prev, next *store.Snapshot, names store.Names, touch func(string)){
			store.TaskChanged: func(_, _ *store.Snapshot, names store.Names, touch func(string)) { touch(names[0] + "/" + names[1]) },
		},
		Action:   "ecs:DescribeTasks",
		Resource: func(key string) string { return site.TaskARN(split(key)) },
	}
}

// split returns the two names in a key.
func split(key string) (cluster, id string) {
	cluster, id, _ = strings.Cut(key, "/")
	return cluster, id
}

// teamOf returns the team of a task, none if there is no such task or if it has no team.
func teamOf(s *store.Snapshot, key string) []string {
	if t := s.Task(split(key)); t != nil {
		for _, tag := range t.CurrentTags() {
			if *tag.Key == "team" {
				return []string{*tag.Value}
			}
		}
	}
	return nil
}

func watchers(st *store.Store, views ...*View) *Watchers {
	return New(Config{Store: st, Views: views, Version: "test", RightsKinds: []store.ChangeKind{store.AccessKeyChanged}})
}

// A guest has a policy and, where it has a name, a key.
type guest struct {
	policy *iam.Policy
	key    string
}

func allowed(t testing.TB, statements ...iam.Statement) *guest {
	t.Helper()
	p, err := iam.New("p", statements...)
	if err != nil {
		t.Fatal(err)
	}
	return &guest{policy: p}
}

var (
	everything = iam.Statement{Effect: iam.Allow, Action: []string{"*"}, Resource: []string{"*"}}
	ofTeamA    = iam.Statement{Effect: iam.Allow, Action: []string{"ecs:DescribeTasks"}, Resource: []string{"*"},
		Condition: map[string]map[string][]string{"StringEquals": {"aws:ResourceTag/team": {"a"}}}}
)

func (g *guest) CheckValid(s *store.Snapshot) error {
	if g.key != "" && s.AccessKey(g.key) == nil {
		return errKeyGone
	}
	return nil
}

func (g *guest) CheckRow(s *store.Snapshot, v *View, key string) (Permission, error) {
	asked := false
	d := iam.Decide([]*iam.Policy{g.policy}, iam.Request{Action: v.Action, Resource: v.Resource(key), Context: func(name string) []string {
		if name != "aws:resourcetag/team" {
			return nil
		}
		asked = true
		return teamOf(s, key)
	}})
	return Permission{d.Allowed, !asked}, nil
}

func (g *guest) DependOn(c store.Change) bool { return c.Names[0] == g.key }

// A follower is a reader that keeps what it is told, as one should.
type follower struct {
	t      testing.TB
	rights Rights
	sel    []Select
	gate   chan struct{} // lets one line through; closed: all

	mu       sync.Mutex
	rows     map[string]string // by key; guarded by mu, as is what follows
	ever     map[string]bool   // keys that it was ever told a value of
	whole    map[string]string // the state that is being told, nil where none is
	part     []Row
	after    *int64
	history  string
	synced   int // times
	resets   int
	beats    int
	changes  int           // lines with changes
	progress chan struct{} // closed at each line

	tell  func(Row)     // looks at each row that is told
	ended chan struct{} // closed when the stream has ended
	stop  func() error
}

func newFollower(t testing.TB, rights Rights, sel ...Select) *follower {
	open := make(chan struct{})
	close(open)
	return &follower{t: t, rights: rights, sel: sel, gate: open, rows: map[string]string{}, ever: map[string]bool{}, progress: make(chan struct{}), tell: func(Row) {}}
}

// begin follows by a server from where it is. The stream's end is awaited by stop,
// which returns its error.
func (f *follower) begin(w *Watchers, principal string) {
	ctx, cancel := context.WithCancel(context.Background())
	f.mu.Lock()
	req := Request{Principal: principal, Rights: f.rights, Select: f.sel, After: f.after, History: f.history}
	f.whole, f.part = nil, nil
	if req.After == nil {
		f.whole = map[string]string{}
	}
	f.mu.Unlock()
	done, ended := make(chan error, 1), make(chan struct{})
	go func() {
		done <- w.Stream(ctx, req, func(line []byte) error { return f.line(ctx, line) })
		close(ended)
	}()
	f.ended, f.stop = ended, sync.OnceValue(func() error { cancel(); return <-done })
}

// end follows by a server from the beginning, and awaits the stream's own end.
func (f *follower) end(w *Watchers, principal string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	f.whole = map[string]string{}
	req := Request{Principal: principal, Rights: f.rights, Select: f.sel}
	return w.Stream(ctx, req, func(line []byte) error { return f.line(ctx, line) })
}

func (f *follower) line(ctx context.Context, line []byte) error {
	select {
	case <-f.gate:
	case <-ctx.Done():
		return ctx.Err()
	}
	var l Line
	if err := json.Unmarshal(line, &l); err != nil {
		f.t.Errorf("%s: %v", line, err)
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(l.Rows)+len(l.Changes) > 1 && len(line) > maxLine+64 {
		f.t.Errorf("a line of %d rows has %d bytes", len(l.Rows)+len(l.Changes), len(line))
	}
	if l.Reset {
		f.whole, f.part = map[string]string{}, nil
		f.resets++
	}
	for _, r := range append(l.Rows, l.Changes...) {
		f.tell(r)
		if string(r.Value) != "null" {
			f.ever[r.Key] = true
		}
	}
	for _, r := range l.Rows {
		f.whole[r.Key] = string(r.Value)
	}
	f.part = append(f.part, l.Changes...)
	if len(l.Changes) > 0 {
		f.changes++
	}
	if l.Revision != 0 {
		if f.after != nil && l.Revision < *f.after && !(l.Synced && f.whole != nil) {
			f.t.Errorf("revision %d after %d", l.Revision, *f.after)
		}
		if l.Synced {
			f.synced++
			f.history = l.History
			if f.whole != nil {
				f.rows, f.whole = f.whole, nil
			}
		} else if len(l.Changes) == 0 {
			f.beats++
		}
		for _, r := range f.part {
			if string(r.Value) == "null" {
				delete(f.rows, r.Key)
			} else {
				f.rows[r.Key] = string(r.Value)
			}
		}
		f.part, f.after = nil, &l.Revision
	}
	close(f.progress)
	f.progress = make(chan struct{})
	return nil
}

// state says how far the follower is.
func (f *follower) state() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return fmt.Sprintf("%d rows, %d synced, %d resets, %d beats, %d lines of changes, at %d", len(f.rows), f.synced, f.resets, f.beats, f.changes, *cmp.Or(f.after, new(int64)))
}

// await waits until the follower is as ok wants it.
func (f *follower) await(what string, ok func() bool) {
	f.t.Helper()
	late := time.After(time.Minute)
	for {
		f.mu.Lock()
		is, progress := ok(), f.progress
		f.mu.Unlock()
		if is {
			return
		}
		select {
		case <-progress:
		case <-f.ended:
			f.t.Fatalf("not %s when the stream ended: %v; %s", what, f.stop(), f.state())
		case <-late:
			f.t.Fatalf("not %s after a minute: %s", what, f.state())
		}
	}
}

// has waits until the follower has what is to be seen of a snapshot.
func (f *follower) has(v *View, s *store.Snapshot) {
	f.t.Helper()
	want := f.visible(v, s)
	f.await(fmt.Sprintf("as the state of revision %d with %d rows", s.Revision(), len(want)), func() bool { return maps.Equal(f.rows, want) })
}

// visible is what the follower is to have of a snapshot.
func (f *follower) visible(v *View, s *store.Snapshot) map[string]string {
	f.t.Helper()
	want := map[string]string{}
	for _, sel := range f.sel {
		scope, err := v.Scope(sel.Where)
		if err != nil {
			f.t.Fatal(err)
		}
		for key := range v.Keys(s, scope) {
			if p, err := f.rights.CheckRow(s, v, key); err != nil {
				f.t.Fatal(err)
			} else if !p.Allowed {
				continue
			}
			is, err := v.Describe(s, key)
			if err != nil {
				f.t.Fatal(err)
			}
			b, err := awsjson.Marshal(is)
			if err != nil {
				f.t.Fatal(err)
			}
			want[key] = string(b)
		}
	}
	return want
}

func of(cluster, service string) Select {
	where := map[string]string{"cluster": cluster}
	if service != "" {
		where["service"] = service
	}
	return Select{Kind: "task", Where: where}
}

// put writes records in one transaction.
func put(t testing.TB, st *store.Store, do func(tx *store.Tx) error) {
	t.Helper()
	if err := st.Update(context.Background(), do); err != nil {
		t.Fatal(err)
	}
}

// newTask writes a task of a service with a team's tag.
func newTask(tx *store.Tx, cluster, id, service, team string) error {
	return store.Create(tx, store.TaskKey(cluster, id), &fleet.Task{
		Cluster: cluster, ID: id, Family: "f", Revision: 1, Group: fleet.ServiceGroup(service), Instance: "i", Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String(team)}},
	})
}

func retag(tx *store.Tx, cluster, id, team string) error {
	k := store.TaskAmendmentKey(cluster, id)
	store.Get(tx, k)
	return store.Put(tx, k, &fleet.TaskAmendment{Tagged: true, Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String(team)}}})
}

func forget(tx *store.Tx, cluster, id string) error {
	var errs []error
	store.Get(tx, store.TaskKey(cluster, id))
	errs = append(errs, store.Delete(tx, store.TaskKey(cluster, id)))
	for _, k := range []store.Key[fleet.TaskAmendment]{store.TaskAmendmentKey(cluster, id)} {
		if store.Get(tx, k) != nil {
			errs = append(errs, store.Delete(tx, k))
		}
	}
	if store.Get(tx, store.TaskReportKey(cluster, id)) != nil {
		errs = append(errs, store.Delete(tx, store.TaskReportKey(cluster, id)))
	}
	return errors.Join(errs...)
}

func report(tx *store.Tx, cluster, id string, status fleet.TaskStatus) error {
	k := store.TaskReportKey(cluster, id)
	store.Get(tx, k)
	return store.Put(tx, k, &fleet.TaskReport{Status: status})
}

// ids are the tasks of a cluster, in order.
func ids(s *store.Snapshot, cluster string) []string {
	var out []string
	for t := range s.Tasks(cluster, "") {
		out = append(out, t.ID)
	}
	return slices.Sorted(slices.Values(out))
}
