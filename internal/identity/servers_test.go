package identity

import (
	"cmp"
	"fmt"
	"sync"
	"testing"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/seal"
	"github.com/ashore/ashore/internal/store"
	"github.com/ashore/ashore/internal/store/storetest"
)

// servers returns the stores of n servers on one etcd.
func servers(t *testing.T, n int) ([]*store.Store, *seal.Sealer) {
	t.Helper()
	etcd := storetest.Etcd(t)
	var all []*store.Store
	for range n {
		all = append(all, storetest.OpenOn(t, etcd, store.Config{Site: site}))
	}
	return all, sealer(t)
}

// Servers that start at the same time on an empty etcd create one administrator.
// Without Unchanged in EnsureAdmin they create several (seen).
func TestServersShareOneAdmin(t *testing.T) {
	all, sealer := servers(t, 4)
	keys := make([]Credentials, len(all))
	var wg sync.WaitGroup
	begin := make(chan struct{})
	for i, st := range all {
		wg.Go(func() {
			<-begin
			var err error
			if keys[i], err = EnsureAdmin(t.Context(), st, sealer); err != nil {
				t.Error(err)
			}
		})
	}
	close(begin)
	wg.Wait()
	for _, k := range keys {
		if k != keys[0] {
			t.Errorf("%v and %v", k, keys[0])
		}
	}
}

// A server knows at once what another server has created: a host's key, and its
// instance. Without the fresh reads in Key and Authorize it mostly refuses them (seen).
func TestAnotherServersHost(t *testing.T) {
	all, sealer := servers(t, 2)
	ctx := t.Context()
	keys, auth := NewKeys(all[1], sealer), NewAuthorizer(all[1])
	for n := range 30 {
		name := fmt.Sprint("h", n)
		c, err := CreateHost(ctx, all[0], sealer, name)
		if err != nil {
			t.Fatal(err)
		}
		_, p, err := keys.Key(ctx, c.AccessKeyID, "")
		if err != nil || p.Name != name {
			t.Fatalf("%s: %v, %v", name, p, err)
		}
		put(t, all[0], store.InstanceKey("c", name), &fleet.Instance{Cluster: "c", ID: name, Principal: p.ARN})
		d, err := auth.Authorize(ctx, Request{Caller: p, Action: "ecs:Poll", Resources: []string{site.InstanceARN("c", name)}})
		if err := cmp.Or(err, d.Err()); err != nil {
			t.Fatal(err)
		}
	}
}
