package placer

import (
	"fmt"
	"sync"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// Eligible are the hosts of a cluster that tasks of a service may run on by what
// they are: their capacity provider, attributes and the constraints, but not what
// is free on them.
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
	req.Constraints.Distinct = false // of its own tasks
	find := func() (out []string) {
		for _, id := range r.candidates(svc.Cluster, true).inPool(&r.world, svc.Cluster, poolOf(d.Definition, provider)) {
			if req.Suits(r.host(svc.Cluster, id)) {
				out = append(out, id)
			}
		}
		return out
	}
	if len(req.MemberOf) > 0 { // it may ask what runs there
		return find(), nil
	}
	return p.eligible.getOrFind(snap.InstancesRevision(), eligibleKey{svc.Cluster, rev.Family, rev.Revision, provider}, find), nil
}

// maxEligible is how many definitions' hosts are remembered: revisions come and go
// while no host changes.
const maxEligible = 1024

// eligible remembers the hosts that suit definitions by what the hosts' records
// say alone, until one of these changes.
type eligibleCache struct {
	mu  sync.Mutex
	rev int64 // of the hosts; guarded by mu
	ids map[eligibleKey][]string
}

type eligibleKey struct {
	cluster, family string
	revision        int
	provider        string
}

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
