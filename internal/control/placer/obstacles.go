package placer

import (
	"fmt"

	"github.com/ashore/ashore/internal/control/placement"
	"github.com/ashore/ashore/internal/ecs/definition"
	"github.com/ashore/ashore/internal/ecs/refuse"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// findObstacles returns everything that keeps tasks of a definition off every host of
// a cluster and that waiting would not change: features that Ashore does not serve,
// and, where the pool has no host, what no host of the cluster offers.
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

// checkServable returns an error that names all obstacles, or nil where there are
// none.
func (w *world) checkServable(cluster string, d *fleet.TaskDefinition, o *types.TaskOverride, p pool) error {
	if lacks := w.findObstacles(cluster, d, o, p); len(lacks) > 0 {
		return refuse.Unsupported("The task needs what it can't get in the cluster %s: %s", cluster, placement.DescribeLacks(lacks))
	}
	return nil
}
