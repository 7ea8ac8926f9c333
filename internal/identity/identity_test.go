package identity

import (
	"cmp"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/seal"
	"github.com/ashore/ashore/internal/store"
	"github.com/ashore/ashore/internal/store/storetest"
)

var site = fleet.Site{Account: "000000000000", Region: "us-east-1"}

func open(t testing.TB) (*store.Store, *seal.Sealer) {
	t.Helper()
	return storetest.OpenOn(t, storetest.Etcd(t), store.Config{Site: site, Sole: true}), sealer(t)
}

func sealer(t testing.TB) *seal.Sealer {
	t.Helper()
	s, err := seal.Open(filepath.Join(t.TempDir(), "seal.key"), false)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// put writes a record, whether or not it exists.
func put[V any](t testing.TB, st *store.Store, k store.Key[V], v *V) {
	t.Helper()
	err := st.Update(t.Context(), func(tx *store.Tx) error {
		store.Get(tx, k)
		return store.Put(tx, k, v)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestKeys(t *testing.T) {
	st, sealer := open(t)
	ctx := t.Context()
	if HasSealed(st.Snapshot()) {
		t.Fatal("an empty store holds sealed data")
	}
	admin, err := EnsureAdmin(ctx, st, sealer)
	if err != nil {
		t.Fatal(err)
	}
	again, err := EnsureAdmin(ctx, st, sealer)
	if err != nil || again != admin {
		t.Fatalf("second start: %v, %v; want the same key", again, err)
	}
	if !HasSealed(st.Snapshot()) {
		t.Fatal("the store does not know that it holds sealed data")
	}
	if strings.Contains(admin.String(), admin.SecretAccessKey) {
		t.Fatal("credentials print their secret")
	}
	if rec := st.Snapshot().AccessKey(admin.AccessKeyID); strings.Contains(string(rec.SealedSecret), admin.SecretAccessKey) {
		t.Fatal("the secret lies in the clear")
	}

	keys := NewKeys(st, sealer)
	for range 2 { // the second comes from memory
		secret, p, err := keys.Key(ctx, admin.AccessKeyID, "")
		if err != nil || secret != admin.SecretAccessKey || p.Kind != Admin || p.Name != "administrator" {
			t.Fatalf("Key = %v, %v", p, err)
		}
	}
	if _, _, err := keys.Key(ctx, "AKIANOBODY", ""); !errors.Is(err, ErrUnknownKey) {
		t.Fatalf("unknown key: %v", err)
	}
	if _, _, err := keys.Key(ctx, admin.AccessKeyID, "a session's"); !errors.Is(err, ErrUnknownKey) {
		t.Fatalf("a token that nobody issued: %v", err)
	}

	// A key that another seal key has sealed, or that was moved to another id, is
	// invalid.
	rec := *st.Snapshot().AccessKey(admin.AccessKeyID)
	rec.ID = "AKIAMOVED"
	put(t, st, store.AccessKeyKey(rec.ID), &rec)
	if _, _, err := keys.Key(ctx, rec.ID, ""); err == nil {
		t.Fatal("a sealed secret opens under another access key id")
	}
}

func TestHostKeys(t *testing.T) {
	st, sealer := open(t)
	ctx := t.Context()
	keys := NewKeys(st, sealer)
	first, err := CreateHost(ctx, st, sealer, "web-1")
	if err != nil {
		t.Fatal(err)
	}
	_, p, err := keys.Key(ctx, first.AccessKeyID, "")
	if err != nil || p != (Principal{Kind: Host, Name: "web-1", ARN: HostARN(site, "web-1")}) {
		t.Fatalf("Key = %+v, %v", p, err)
	}
	put(t, st, store.HostKey("web-1"), &fleet.Host{Name: "web-1", Principal: p.ARN, Cluster: "c", Instance: "i"})
	if _, p, _ := keys.Key(ctx, first.AccessKeyID, ""); p.InstanceARN != site.InstanceARN("c", "i") {
		t.Fatalf("principal of a registered host: %+v", p)
	}

	second, err := CreateHost(ctx, st, sealer, "web-1")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := keys.Key(ctx, first.AccessKeyID, ""); !errors.Is(err, ErrUnknownKey) {
		t.Fatalf("the replaced key still works: %v", err)
	}
	if _, p, err := keys.Key(ctx, second.AccessKeyID, ""); err != nil || p.InstanceARN == "" {
		t.Fatalf("the new key: %+v, %v", p, err)
	}

	put(t, st, store.SessionKey("c", "i"), &fleet.InstanceSession{Server: "s"})
	if _, err := CreateHost(ctx, st, sealer, "web-1"); !errors.Is(err, ErrHostConnected) {
		t.Fatalf("credentials of a connected host were replaced: %v", err)
	}
}

// ask returns nil if a allows the request. It asks for a cluster by its name alone.
func ask(t *testing.T, a *Authorizer, p Principal, action string, resources []string, context ...string) error {
	t.Helper()
	context = append([]string{KeyNameOnly, "true"}, context...)
	d, err := a.Authorize(t.Context(), Request{Caller: p, Action: action, Resources: resources, Context: func(key string) []string {
		for i := len(context) - 2; i >= 0; i -= 2 {
			if context[i] == key {
				return []string{context[i+1]}
			}
		}
		return nil
	}})
	return cmp.Or(err, d.Err())
}

func TestAuthorize(t *testing.T) {
	st, _ := open(t)
	mine := Principal{Kind: Host, Name: "a", ARN: HostARN(site, "a")}
	put(t, st, store.HostKey("a"), &fleet.Host{Name: "a", Principal: mine.ARN, Cluster: "c", Instance: "mine"}) // as in older versions
	put(t, st, store.InstanceKey("c", "mine"), &fleet.Instance{Cluster: "c", ID: "mine", Principal: mine.ARN})
	put(t, st, store.InstanceKey("c", "other"), &fleet.Instance{Cluster: "c", ID: "other", Principal: HostARN(site, "b")})
	put(t, st, store.TaskKey("c", "t-mine"), &fleet.Task{Cluster: "c", ID: "t-mine", Instance: "mine"})
	put(t, st, store.TaskKey("c", "t-other"), &fleet.Task{Cluster: "c", ID: "t-other", Instance: "other"})

	put(t, st, store.WaitingTaskKey("c", "t-waits"), &fleet.Task{Cluster: "c", ID: "t-waits"})

	instance, task, cluster := site.InstanceARN, site.TaskARN, site.ClusterARN
	tests := []struct {
		action    string
		resources []string
		ok        bool
	}{
		{"ecs:Poll", []string{instance("c", "mine")}, true},
		{"ecs:Poll", []string{instance("c", "other")}, false},
		{"ecs:Poll", []string{instance("c", "nobody")}, false},
		{"ecs:Poll", []string{task("c", "t-mine")}, false},
		{"ecs:StartTelemetrySession", []string{instance("c", "mine")}, true},
		{"ecs:StartTelemetrySession", []string{instance("c", "other")}, false},
		{"ecs:DiscoverPollEndpoint", []string{instance("c", "mine")}, true},
		{"ecs:DiscoverPollEndpoint", []string{instance("c", "other")}, false},
		{"ecs:RegisterContainerInstance", []string{cluster("c")}, true},
		{"ecs:RegisterContainerInstance", []string{cluster("c"), instance("c", "mine")}, true},
		{"ecs:RegisterContainerInstance", []string{cluster("c"), instance("c", "nobody")}, true},
		{"ecs:RegisterContainerInstance", []string{cluster("c"), instance("c", "other")}, false},
		{"ecs:RegisterContainerInstance", []string{cluster("prod")}, false},
		{"ecs:ListTagsForResource", []string{cluster("c")}, true},
		{"ecs:ListTagsForResource", []string{cluster("prod")}, false},
		{"ecs:Poll", []string{cluster("prod"), instance("c", "mine")}, false},
		{"ecs:SubmitTaskStateChange", []string{task("c", "t-mine")}, true},
		{"ecs:SubmitTaskStateChange", []string{task("c", "t-forgotten")}, true},
		{"ecs:SubmitTaskStateChange", []string{task("c", "t-other")}, false},
		{"ecs:SubmitTaskStateChange", []string{task("c", "t-mine"), task("c", "t-other")}, false},
		{"ecs:SubmitTaskStateChange", []string{"arn:aws:ecs:eu-west-1:000000000000:task/c/t-mine"}, false},
		{"ecs:SubmitTaskStateChange", []string{task("c", "t-waits")}, false},
		{"ecs:SubmitContainerStateChange", []string{task("c", "t-other")}, false},
		{"ecs:ListTagsForResource", []string{task("c", "t-mine")}, true},
		{"ecs:ListTagsForResource", []string{instance("c", "other")}, false},
		{"ecs:UpdateContainerInstancesState", []string{instance("c", "other")}, false},
		{"ecs:CreateCluster", []string{cluster("default")}, false}, // it is not the host's cluster
		{"ecs:CreateCluster", []string{cluster("c")}, false},
		{"ecs:CreateCluster", []string{"*"}, false},
		{"ecs:DeleteCluster", []string{cluster("c")}, false},
		{"ecs:RunTask", []string{cluster("c")}, false},
		{"ecs:StopTask", []string{task("c", "t-mine")}, false},
		{"ecs:DeregisterContainerInstance", []string{instance("c", "mine")}, false},
		{"ashore:CreateHostCredentials", nil, false},
	}
	a := NewAuthorizer(st)
	for _, tt := range tests {
		err := ask(t, a, mine, tt.action, tt.resources)
		if (err == nil) != tt.ok {
			t.Errorf("host: %s on %v: %v; want allowed %v", tt.action, tt.resources, err, tt.ok)
		}
		var denied *Denied
		if err != nil && (!errors.As(err, &denied) || !strings.Contains(denied.Message, mine.ARN)) {
			t.Errorf("%q is no denial that names the caller", err)
		}
		if err := ask(t, a, Principal{Kind: Admin}, tt.action, tt.resources); err != nil {
			t.Errorf("administrator: %s on %v: %v", tt.action, tt.resources, err)
		}
		if err := ask(t, a, Principal{}, tt.action, tt.resources); err == nil {
			t.Errorf("nobody may %s", tt.action)
		}
	}
}

// A host may use its assigned cluster, and the cluster in which it is until it has
// moved.
func TestAuthorizeClusters(t *testing.T) {
	st, _ := open(t)
	may := func(action, cluster string, h fleet.Host) error {
		t.Helper()
		h.Name, h.Principal = "h", HostARN(site, "h")
		put(t, st, store.HostKey("h"), &h)
		return ask(t, NewAuthorizer(st), Principal{Kind: Host, Name: "h", ARN: h.Principal}, action, []string{site.ClusterARN(cluster)})
	}
	in := func(cluster string) fleet.HostTerms { return fleet.HostTerms{Assigned: cluster} }
	for _, tt := range []struct {
		action, cluster string
		host            fleet.Host
		ok              bool
	}{
		{"ecs:RegisterContainerInstance", "a", fleet.Host{HostTerms: in("a")}, true},
		{"ecs:RegisterContainerInstance", "b", fleet.Host{HostTerms: in("a")}, false},
		{"ecs:RegisterContainerInstance", "b", fleet.Host{HostTerms: in("b"), Cluster: "a", Instance: "i"}, true},
		{"ecs:RegisterContainerInstance", "a", fleet.Host{HostTerms: in("b"), Cluster: "a", Instance: "i"}, true},
		{"ecs:RegisterContainerInstance", "c", fleet.Host{HostTerms: in("b"), Cluster: "a", Instance: "i"}, false},
		{"ecs:RegisterContainerInstance", "any", fleet.Host{}, true}, // as in older versions, and never registered
		{"ecs:CreateCluster", "default", fleet.Host{HostTerms: in("default")}, true},
		{"ecs:CreateCluster", "default", fleet.Host{HostTerms: in("a")}, false},
		{"ecs:CreateCluster", "a", fleet.Host{HostTerms: in("a")}, false},
		{"ecs:ListTagsForResource", "a", fleet.Host{HostTerms: in("a")}, true},
		{"ecs:ListTagsForResource", "b", fleet.Host{HostTerms: in("a")}, false},
	} {
		err := may(tt.action, tt.cluster, tt.host)
		if (err == nil) != tt.ok {
			t.Errorf("%s on %s by %+v: %v", tt.action, tt.cluster, tt.host, err)
		}
	}
	const want = "on resource: arn:aws:ecs:us-east-1:000000000000:cluster/b because the host h belongs to the cluster a. An administrator moves it by `ashore host assign h --cluster b`."
	if err := may("ecs:RegisterContainerInstance", "b", fleet.Host{HostTerms: in("a")}); err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("%v", err)
	}
}

func BenchmarkKey(b *testing.B) {
	ctx := b.Context()
	st, sealer := open(b)
	admin, err := EnsureAdmin(ctx, st, sealer)
	if err != nil {
		b.Fatal(err)
	}
	keys := NewKeys(st, sealer)
	for b.Loop() {
		if _, _, err := keys.Key(ctx, admin.AccessKeyID, ""); err != nil {
			b.Fatal(err)
		}
	}
}
