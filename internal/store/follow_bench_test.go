package store

import (
	"fmt"
	"testing"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// BenchmarkFollow applies the events of etcd's watch while tasks start: revisions of
// 100 tasks each, with their hosts' guards, and of their reports. It makes a snapshot
// after each. 20,000 tasks already run.
func BenchmarkFollow(b *testing.B) {
	for _, hosts := range []int{100, 5000} {
		b.Run(fmt.Sprint("hosts=", hosts), func(b *testing.B) {
			type event struct {
				path string
				data []byte
			}
			const batch = 100
			record := func(v any) []byte {
				data, err := marshal(v)
				if err != nil {
					b.Fatal(err)
				}
				return data
			}
			host := func(i int) string { return fleet.DerivedID("host", fmt.Sprint(i*7919%hosts)) }
			n := 0
			step := func() (placed, reported []event) {
				for range batch {
					id := fleet.DerivedID("task", fmt.Sprint(n))
					path := "cluster/c/task/" + id
					placed = append(placed,
						event{"cluster/c/instance/" + host(n) + "/guard", []byte("{}")},
						event{path, record(&fleet.Task{Cluster: "c", ID: id, Instance: host(n), Family: "web", Revision: 1, LaunchType: types.LaunchTypeExternal,
							CreatedAt: at(1), Group: "family:web", Reserve: fleet.Reservation{CPU: 1, Memory: 1},
							Containers: []fleet.TaskContainer{{Name: "web", ID: "0b69d5c0-d655-4695-98cd-5d2d526d9d5a"}}})})
					reported = append(reported, event{path + "/report", record(&fleet.TaskReport{Status: fleet.TaskRunning, Connectivity: types.ConnectivityConnected, StartedAt: at(3), Version: 1,
						Containers: []fleet.ContainerReport{{Name: "web", Status: fleet.TaskRunning, RuntimeID: id + id}}})})
					n++
				}
				return placed, reported
			}
			now := newTables()
			for i := range hosts {
				path := "cluster/c/instance/" + host(i)
				for suffix, v := range map[string]any{"": &fleet.Instance{Cluster: "c", ID: host(i), Status: fleet.InstanceActive, Registered: fleet.Capacity{CPU: 1 << 20, Memory: 1 << 20}},
					"/guard": &Guard{}, "/session": &fleet.InstanceSession{Connection: "x"}} {
					if _, err := now.apply(path+suffix, record(v), 1); err != nil {
						b.Fatal(err)
					}
				}
			}
			mod := int64(1)
			before := now
			var d momentBuilder
			take := func(events []event) {
				mod++
				d.beginBatch(before, now, 0)
				for _, ev := range events {
					k, names := locate(ev.path)
					if err := now.applyRecord(k, names, ev.path, ev.data, mod); err != nil {
						b.Fatal(err)
					}
					d.noteChange(k, names)
				}
				d.closeRevision(mod)
				before = now.copied()
			}
			for n < 20_000 {
				placed, reported := step()
				take(placed)
				take(reported)
			}
			now.private = false
			before = now.copied()
			var steps [][]event
			for range b.N {
				placed, reported := step()
				steps = append(steps, placed, reported)
			}
			b.ReportAllocs()
			b.ResetTimer()
			for _, events := range steps {
				take(events)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/batch, "ns/task")
		})
	}
}
