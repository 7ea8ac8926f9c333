package placer

import (
	"fmt"
	"testing"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/ashore/ashore/internal/store/storetest"
)

// What the placer and the scheduler's questions remember of hosts does not grow by
// clusters and revisions that are no more.
func TestHostsAreForgotten(t *testing.T) {
	st := storetest.Open(t)
	p := New(Config{Store: st})
	put := func(name string, status fleet.ClusterStatus) {
		if err := st.Update(t.Context(), func(tx *store.Tx) error {
			store.Get(tx, store.ClusterKey(name))
			return store.Put(tx, store.ClusterKey(name), &fleet.Cluster{Name: name, Status: status})
		}); err != nil {
			t.Fatal(err)
		}
	}
	look := func(name string) {
		r := &round{world: world{snap: st.Snapshot(), now: p.now(), hosts: p.hosts}}
		r.candidates(name, true)
	}
	put("stays", fleet.ClusterActive)
	look("stays")
	for i := range 5 {
		name := fmt.Sprint("c", i)
		put(name, fleet.ClusterActive)
		look(name)
		put(name, fleet.ClusterInactive)
	}
	put("last", fleet.ClusterActive)
	look("last")
	if n := len(p.hosts); n != 2 || p.hosts["stays"] == nil {
		t.Errorf("%d clusters are remembered", n)
	}
	for i := range 2*maxEligible + 1 {
		p.eligible.getOrFind(7, eligibleKey{"c", "f", i, ""}, func() []string { return []string{"h"} })
	}
	if n := len(p.eligible.ids); n > maxEligible {
		t.Errorf("the hosts of %d revisions are remembered", n)
	}
}
