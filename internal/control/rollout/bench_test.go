package rollout

import (
	"fmt"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// BenchmarkStep measures a step over a service of 5,000 tasks on 500 hosts.
func BenchmarkStep(b *testing.B) {
	const tasks, hosts = 5000, 500
	world := func(strategy types.SchedulingStrategy, hosts int) *Input {
		now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		in := &Input{Now: now, Service: Service{Name: "web", Status: Active, Strategy: strategy, Desired: tasks,
			MinimumPercent: 100, MaximumPercent: 200, HealthyAfter: 40 * time.Second}}
		if strategy == types.SchedulingStrategyDaemon {
			in.Service.MinimumPercent, in.Service.MaximumPercent = 0, 100
		}
		d := Deployment{ID: "1000000000000000001", Revision: "r1"}
		d.Rollout, d.SteadySince = types.DeploymentRolloutStateCompleted, now
		in.Deployments = []Deployment{d}
		for i := range hosts {
			in.Hosts = append(in.Hosts, Host{Instance: fmt.Sprintf("%032d", i)})
		}
		for i := range tasks {
			in.Tasks = append(in.Tasks, Task{ID: fmt.Sprintf("%032d", i), Deployment: fmt.Sprint(d.ID), Serial: int64(i + 1), Status: fleet.TaskRunning,
				CreatedAt: now.Add(-time.Hour), StartedAt: now.Add(-time.Hour), Instance: fmt.Sprintf("%032d", i%hosts), Zone: fmt.Sprint("zone-", i%3)})
		}
		return in
	}
	for _, c := range []struct {
		name string
		in   *Input
		do   func(in *Input)
	}{
		{"steady", world(types.SchedulingStrategyReplica, hosts), func(*Input) {}},
		{"rolling", world(types.SchedulingStrategyReplica, hosts), func(in *Input) { // 2,500 of the new ones are healthy
			d := in.Deployments[0]
			d.ID = "1000000000000000002"
			d.Rollout = types.DeploymentRolloutStateInProgress
			in.Deployments = append([]Deployment{d}, in.Deployments...)
			for i := range in.Tasks[:tasks/2] {
				in.Tasks[i].Deployment = d.ID
			}
		}},
		{"scale-in-by-100", world(types.SchedulingStrategyReplica, hosts), func(in *Input) { in.Service.Desired -= 100 }},
		{"daemon", world(types.SchedulingStrategyDaemon, tasks), func(*Input) {}},
	} {
		c.do(c.in)
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Step(c.in)
			}
		})
	}
}
