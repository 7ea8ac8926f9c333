package placer

import (
	"maps"

	"github.com/ashore/ashore/internal/control/placement"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
)

// decision is what a round has given away so far, and its snapshot doesn't show.
type decision struct {
	usage   map[string]*fleet.Usage // hosts that this round placed on, by cluster/id
	groups  map[string][]string     // of the tasks that this round placed, by cluster/id of the host
	waiting map[string]int          // tasks that this round has let wait, by cluster
}

// reserve adds a task to what its host has given away.
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

// release takes back what tasks have taken that are refused after all. Nobody has
// taken anything since.
func (d *decision) release(cluster string, taken []placed) {
	for i := range taken {
		c := &taken[i].on
		if c.Instance == "" {
			continue
		}
		key := cluster + "/" + c.Instance
		d.groups[key] = d.groups[key][:len(d.groups[key])-1] // these were the last to take
		u := d.usage[key]
		u.CPU -= c.Reserve.CPU
		u.Memory -= c.Reserve.Memory
		u.Holders = u.Holders.Without(taken[i].task.ID)
		for _, g := range c.Reserve.GPUs {
			delete(u.GPUs, g)
		}
	}
}
