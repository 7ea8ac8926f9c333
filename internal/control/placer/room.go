package placer

import (
	"errors"
	"slices"

	"github.com/ashore/ashore/internal/control/explain"
	"github.com/ashore/ashore/internal/control/placement"
	"github.com/ashore/ashore/internal/ecs/definition"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/smithy-go"
)

// RoomFor returns what would become of a task that waits for a host, if it were
// placed now.
func (p *Placer) RoomFor(snap *store.Snapshot, d *fleet.TaskDefinition, t *fleet.Task) explain.Placement {
	return p.findRoom(snap, d, t, poolOf(d.Definition, t.CapacityProvider))
}

// RoomForDefinition returns what would become of a task of a definition that is run
// now without further parameters: one placement for each lane.
func (p *Placer) RoomForDefinition(snap *store.Snapshot, c *fleet.Cluster, d *fleet.TaskDefinition) []explain.Placement {
	l := &Launch{count: 1, group: "family:" + d.Family}
	if !slices.Contains(d.Compatibilities, types.CompatibilityEc2) && slices.Contains(d.Compatibilities, types.CompatibilityFargate) {
		l.launchType = types.LaunchTypeFargate
	}
	return p.roomForNext(snap, c, d, l)
}

// RoomForService returns what would become of the next task of a service's revision:
// one placement for each lane.
func (p *Placer) RoomForService(snap *store.Snapshot, c *fleet.Cluster, svc *fleet.Service, rev *fleet.ServiceRevision, d *fleet.TaskDefinition) []explain.Placement {
	l := launchFor(svc, rev, svc.Deployment, &ServiceLaunch{Count: 1})
	l.running = countByProvider(snap, c.Name, l)
	return p.roomForNext(snap, c, d, l)
}

// roomForNext returns what would become of the next task of a launch.
func (p *Placer) roomForNext(snap *store.Snapshot, c *fleet.Cluster, d *fleet.TaskDefinition, l *Launch) []explain.Placement {
	refused := func(err error) []explain.Placement { return []explain.Placement{{Refused: errorText(err)}} }
	r := p.newReader(snap)
	lanes, err := r.resolveLanes(l, c, d)
	if err != nil {
		return refused(err)
	}
	for i := range lanes {
		if lacks := r.findObstacles(c.Name, d, l.overrides, lanes[i].pool); len(lacks) > 0 {
			return []explain.Placement{explain.Obstacles(c.Name, lacks)}
		}
	}
	reserve, err := definition.Reservation(d.Definition, l.overrides)
	if err != nil {
		return refused(err)
	}
	t := &fleet.Task{
		Cluster: c.Name, Family: d.Family, Revision: d.Revision, Group: l.group, Reserve: reserve, Constraints: l.constraints, Strategies: l.strategies,
	}
	var out []explain.Placement
	for i := range lanes {
		out = append(out, p.findRoom(snap, d, t, lanes[i].pool))
	}
	return out
}

// findRoom looks for a host for one more task like t. It also considers DRAINING
// hosts: the state of such a host may be the only obstacle.
func (p *Placer) findRoom(snap *store.Snapshot, d *fleet.TaskDefinition, t *fleet.Task, of pool) explain.Placement {
	r := p.newReader(snap)
	req, err := requestOf(t, d, 1)
	if err != nil {
		return explain.Placement{CapacityProvider: of.provider, Refused: errorText(err)}
	}
	v := placement.View{Host: func(id string) placement.Host { return r.host(t.Cluster, id) }}
	for i := range snap.Instances(t.Cluster, "") {
		if i.Status != fleet.InstanceInactive && of.contains(i) {
			v.IDs = append(v.IDs, i.ID)
		}
	}
	if len(v.IDs) == 0 {
		if err := r.checkHosts(t.Cluster, &lane{pool: of}, d); err != nil {
			return explain.Placement{CapacityProvider: of.provider, Refused: errorText(err)}
		}
	}
	out := explain.Room(v, req, func(id string) string { return p.site.InstanceARN(t.Cluster, id) })
	out.CapacityProvider = of.provider
	return out
}

// errorText returns the text that the caller of the API gets for an error.
func errorText(err error) string {
	if api := smithy.APIError(nil); errors.As(err, &api) {
		return api.ErrorMessage()
	}
	return err.Error()
}
