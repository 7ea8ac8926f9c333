package docker

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/ashore/ashore/internal/agent/runtime"
)

// Stats takes one sample.
func (d *Docker) Stats(ctx context.Context, id string) (runtime.Stats, error) {
	res, err := d.api.ContainerStats(ctx, id, client.ContainerStatsOptions{})
	if err != nil {
		return runtime.Stats{}, convertError(err)
	}
	defer res.Body.Close()
	var in container.StatsResponse
	if err := json.NewDecoder(res.Body).Decode(&in); err != nil {
		return runtime.Stats{}, convertError(fmt.Errorf("docker: stats: %w", err))
	}
	out := runtime.Stats{
		At:   in.Read,
		CPU:  time.Duration(in.CPUStats.CPUUsage.TotalUsage),
		CPUs: int(in.CPUStats.OnlineCPUs),
	}
	cache := in.MemoryStats.Stats["total_inactive_file"] // cgroup v1
	if v, ok := in.MemoryStats.Stats["inactive_file"]; ok && cache == 0 {
		cache = v // cgroup v2
	}
	if in.MemoryStats.Usage > cache {
		out.Memory = int64(in.MemoryStats.Usage - cache)
	}
	for _, n := range in.Networks {
		out.HasNetwork = true
		out.RxBytes += int64(n.RxBytes)
		out.TxBytes += int64(n.TxBytes)
		out.RxPackets += int64(n.RxPackets)
		out.TxPackets += int64(n.TxPackets)
		out.RxErrors += int64(n.RxErrors)
		out.TxErrors += int64(n.TxErrors)
		out.RxDropped += int64(n.RxDropped)
		out.TxDropped += int64(n.TxDropped)
	}
	for _, e := range in.BlkioStats.IoServiceBytesRecursive {
		switch strings.ToLower(e.Op) {
		case "read":
			out.ReadBytes += int64(e.Value)
		case "write":
			out.WriteBytes += int64(e.Value)
		}
	}
	return out, nil
}
