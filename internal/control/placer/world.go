package placer

import (
	"time"

	"github.com/ashore/ashore/internal/control/placement"
	"github.com/ashore/ashore/internal/ecs/refuse"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
)

// world is what a round reads: one snapshot, at one time. hosts is shared by all
// rounds of the placer.
type world struct {
	site  fleet.Site
	snap  *store.Snapshot
	now   time.Time
	hosts map[string]*candidates // by cluster
}

// checkHosts returns an error if no host belongs to the lane's pool and its tasks
// can't wait for one.
func (w *world) checkHosts(cluster string, l *lane, d *fleet.TaskDefinition) error {
	if len(w.candidates(cluster, false).inPool(w, cluster, l.pool)) > 0 {
		return nil
	}
	hosts := w.candidates(cluster, true)
	if len(hosts.inPool(w, cluster, l.pool)) > 0 {
		return nil
	}
	if err := w.checkServable(cluster, d, nil, l.pool); err != nil {
		return err
	}
	switch {
	case l.waits:
		return nil
	case len(hosts.ids) == 0:
		return refuse.Invalid("No Container Instances were found in your cluster. To run tasks there, move a host into it: on the host, run ashore host move --cluster %s", cluster)
	}
	return refuse.Invalid("No Container Instances were found in your capacity provider. (%s) A container instance belongs to it by the attribute %s=%s.",
		l.provider, fleet.AttributeProvider, l.provider)
}

// newFailure describes a task that found no host, for the answer.
func (w *world) newFailure(cluster string, n placement.Rejection) fleet.Failure {
	f := fleet.Failure{Reason: string(n.Reason), Detail: n.Text()}
	if n.Instance != "" {
		f.ARN = w.site.InstanceARN(cluster, n.Instance)
	}
	return f
}
