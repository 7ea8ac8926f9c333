package placer

import (
	"fmt"

	"github.com/ashore/ashore/internal/control/placement"
	"github.com/ashore/ashore/internal/ecs/definition"
	"github.com/ashore/ashore/internal/ecs/refuse"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// obstacles are all that keeps tasks of a definition off every host of a cluster,
// where there is something that a wait for hosts would not end: what Ashore does
// not serve, or what the pool's hosts must offer and no host of the cluster does.
func (w *world) findObstacles(cluster string, d *fleet.TaskDefinition, o *types.TaskOverride, p pool) []placement.Lack {
	out := definition.Gaps(d.Definition, o)
	p.provider, p.zone = "", ""
	if len(out) == 0 && (p == pool{} || len(w.candidates(cluster, false).inPool(w, cluster, p)) > 0 || len(w.candidates(cluster, true).inPool(w, cluster, p)) > 0) {
		return nil
	}
	var hosts []*fleet.Instance
	for _, id := range w.candidates(cluster, true).ids {
		if i := w.snap.Instance(cluster, id); i != nil {
			hosts = append(hosts, i)
		}
	}
	for _, l := range placement.Lacks(definition.HostNeeds(d.Definition), hosts...) {
		l.What += fmt.Sprintf(", which no container instance of the cluster %s offers", cluster)
		out = append(out, l)
	}
	return out
}

// unservable refuses what has obstacles, and names them all.
func (w *world) checkServable(cluster string, d *fleet.TaskDefinition, o *types.TaskOverride, p pool) error {
	if lacks := w.findObstacles(cluster, d, o, p); len(lacks) > 0 {
		return refuse.Unsupported("The task needs what it can't get in the cluster %s: %s", cluster, placement.DescribeLacks(lacks))
	}
	return nil
}
