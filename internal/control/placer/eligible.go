package placer

import (
	"fmt"
	"sync"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// Eligible returns the ids of the hosts in a cluster that tasks of a service may run
// on. It considers their capacity provider, attributes and the constraints, but not
// what is free on them.
func (p *Placer) Eligible(snap *store.Snapshot, svc *fleet.Service, rev *fleet.ServiceRevision) ([]string, error) {
	d, _ := snap.TaskDefinition(rev.Family, rev.Revision)
	if d == nil {
		return nil, fmt.Errorf("the task definition %s:%d is gone", rev.Family, rev.Revision)
	}
	provider := ""
	switch {
	case len(rev.CapacityProviders) == 1:
		provider = aws.ToString(rev.CapacityProviders[0].CapacityProvider)
	case rev.LaunchType == types.LaunchTypeFargate:
		provider = fleet.ProviderFargate
	}
	r := p.newReader(snap)
	t := &fleet.Task{Cluster: svc.Cluster, Group: fleet.ServiceGroup(svc.Name), Constraints: svc.Constraints}
	req, err := requestOf(t, d, 1)
	if err != nil {
		return nil, err
	}
	req.Constraints.Distinct = false // the service's own tasks don't exclude a host
	find := func() (out []string) {
		for _, id := range r.candidates(svc.Cluster, true).inPool(&r.world, svc.Cluster, poolOf(d.Definition, provider)) {
			if req.Suits(r.host(svc.Cluster, id)) {
				out = append(out, id)
			}
		}
		return out
	}
	if len(req.MemberOf) > 0 { // an expression may depend on what runs there
		return find(), nil
	}
	return p.eligible.getOrFind(snap.InstancesRevision(), eligibleKey{svc.Cluster, rev.Family, rev.Revision, provider}, find), nil
}

// maxEligible is how many definitions' hosts are cached. Without a limit the cache
// would grow with new revisions while no host changes.
const maxEligible = 1024

// eligibleCache caches the hosts that suit definitions. The result depends on the
// hosts' records alone, so it holds until one of these changes.
type eligibleCache struct {
	mu  sync.Mutex
	rev int64 // revision of the hosts' records; guarded by mu
	ids map[eligibleKey][]string
}

// eligibleKey is what the result of a search depends on, beside the hosts.
type eligibleKey struct {
	cluster, family string
	revision        int
	provider        string
}

// getOrFind returns the cached hosts, or calls find and caches its result if rev is
// still current.
func (e *eligibleCache) getOrFind(rev int64, k eligibleKey, find func() []string) []string {
	e.mu.Lock()
	if e.rev != rev || e.ids == nil {
		e.rev, e.ids = rev, map[eligibleKey][]string{}
	}
	ids, known := e.ids[k]
	e.mu.Unlock()
	if known {
		return ids
	}
	ids = find()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.rev == rev {
		if len(e.ids) >= maxEligible {
			clear(e.ids)
		}
		e.ids[k] = ids
	}
	return ids
}
