package placer

import (
	"maps"

	"github.com/ashore/ashore/internal/control/placement"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
)

// decision is what a round has reserved so far. Its snapshot does not show that.
type decision struct {
	usage   map[string]*fleet.Usage // of the hosts that this round placed tasks on, by cluster/id
	groups  map[string][]string     // groups of the tasks that this round placed, by cluster/id of the host
	waiting map[string]int          // number of tasks that this round lets wait, by cluster
}

// reserve adds a task's reservation to its host's usage.
func (d *decision) reserve(snap *store.Snapshot, cluster, task, group string, c placement.Choice) {
	key := cluster + "/" + c.Instance
	d.groups[key] = append(d.groups[key], group)
	u, again := d.usage[key]
	if !again {
		u = &fleet.Usage{}
		if old := snap.Usage(cluster, c.Instance); old != nil {
			*u = *old
			u.GPUs = maps.Clone(old.GPUs)
		}
		d.usage[key] = u
	}
	u.CPU += c.Reserve.CPU
	u.Memory += c.Reserve.Memory
	u.Holders, _ = u.Holders.With(c.Reserve.PortSpans(), task)
	if u.GPUs == nil {
		u.GPUs = map[string]string{}
	}
	for _, g := range c.Reserve.GPUs {
		u.GPUs[g] = task
	}
}

// release takes back the reservations of tasks that are refused after all. The round
// must not have reserved anything since.
func (d *decision) release(cluster string, taken []placed) {
	for i := range taken {
		c := &taken[i].on
		if c.Instance == "" {
			continue
		}
		key := cluster + "/" + c.Instance
		d.groups[key] = d.groups[key][:len(d.groups[key])-1] // these tasks reserved last
		u := d.usage[key]
		u.CPU -= c.Reserve.CPU
		u.Memory -= c.Reserve.Memory
		u.Holders = u.Holders.Without(taken[i].task.ID)
		for _, g := range c.Reserve.GPUs {
			delete(u.GPUs, g)
		}
	}
}
