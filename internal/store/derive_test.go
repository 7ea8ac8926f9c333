package store

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// view has all derived values in a comparable form.
type view struct {
	Usage  map[string]fleet.Usage // except Holders
	Ports  map[string]map[fleet.Port]string
	Counts map[string]ClusterCounts
	Index  map[string][]string
	// Providers counts tasks by cluster and capacity provider.
	Providers map[string]int
	// Services counts tasks by service and by deployment.
	Services map[string]ServiceCounts
	// Refs counts the tasks that have not stopped, by revision.
	Refs map[string]int
}

func viewOf(t *tables) view {
	v := view{map[string]fleet.Usage{}, map[string]map[fleet.Port]string{}, map[string]ClusterCounts{}, map[string][]string{}, map[string]int{}, map[string]ServiceCounts{}, map[string]int{}}
	t.serviceTasks.Scan(func(k string, c ServiceCounts) bool { v.Services[k] = c; return true })
	t.providerTasks.Scan(func(k string, n int) bool { v.Providers[k] = n; return true })
	for k, r := range t.hosts.all() {
		if r.usage != nil {
			u := *r.usage
			for _, h := range u.Holders {
				if v.Ports[k.String()] == nil {
					v.Ports[k.String()] = map[fleet.Port]string{}
				}
				for n := int(h.First); n <= int(h.Last); n++ {
					v.Ports[k.String()][fleet.Port{Number: uint16(n), Protocol: h.Protocol}] = h.Task
				}
			}
			u.Holders = nil
			v.Usage[k.String()] = u
		}
	}
	t.counts.Scan(func(k string, c ClusterCounts) bool { v.Counts[k] = c; return true })
	t.references.Scan(func(k string, n int) bool { v.Refs[k] = n; return true })
	for name, index := range map[string]*set{"instance": &t.tasksByInstance, "listed": &t.tasksListed, "failed": &t.tasksFailed, "ending": &t.tasksEnding,
		"revisions": &t.definitionsByStatus, "families": &t.familiesByStatus} {
		for _, value := range index.Keys() {
			v.Index[name+" "+value] = slices.Collect(index.of(value, ""))
		}
	}
	return v
}

// recompute derives the same values from the records alone, in the simplest way.
func recompute(t *tables) view {
	v := view{map[string]fleet.Usage{}, map[string]map[fleet.Port]string{}, map[string]ClusterCounts{}, map[string][]string{}, map[string]int{}, map[string]ServiceCounts{}, map[string]int{}}
	serve := func(cluster string, task *fleet.Task, add ServiceCounts) {
		if !strings.HasPrefix(task.Group, "service:") {
			return
		}
		keys := []string{cluster + "/" + task.Group, cluster + "/" + task.StartedBy}
		if task.CapacityProvider != "" {
			keys = append(keys, cluster+"/"+task.StartedBy+"/"+task.CapacityProvider)
		}
		for _, key := range keys {
			c := v.Services[key]
			v.Services[key] = ServiceCounts{c.Pending + add.Pending, c.Running + add.Running, c.Stopping + add.Stopping, c.EndedEarly + add.EndedEarly}
		}
	}
	// held adds a task that has not stopped to the counts of its launch type and
	// provider.
	held := func(cluster string, task *fleet.Task, c *ClusterCounts, running bool) {
		of := &LaunchCounts{}
		for i, l := range []types.LaunchType{types.LaunchTypeEc2, types.LaunchTypeFargate, types.LaunchTypeExternal, types.LaunchTypeManagedInstances} {
			if l == task.LaunchType {
				of = &c.ByLaunchType[i]
			}
		}
		if running {
			c.Running++
			of.Running++
		} else {
			c.Pending++
			of.Pending++
		}
		if task.CapacityProvider != "" {
			v.Providers[cluster+"/"+task.CapacityProvider]++
		}
	}
	count := func(cluster string, f func(*ClusterCounts)) {
		c := v.Counts[cluster]
		f(&c)
		v.Counts[cluster] = c
	}
	t.instances.scan(func(k string, rec *fleet.Instance, _ int64) bool {
		if cluster, _, _ := strings.Cut(k, "/"); rec.Status != fleet.InstanceInactive {
			count(cluster, func(c *ClusterCounts) { c.Instances++ })
		}
		return true
	})
	t.waiting.scan(func(k string, rec *fleet.Task, _ int64) bool {
		cluster, _, _ := strings.Cut(k, "/")
		v.Refs[revisionID(rec.Family, rec.Revision)]++
		count(cluster, func(c *ClusterCounts) { held(cluster, rec, c, false); c.Waiting++ })
		serve(cluster, rec, ServiceCounts{Pending: 1})
		return true
	})
	t.tasks.Scan(func(_ string, r *taskRow) bool {
		s := &r.state
		if s.Task == nil {
			return true
		}
		index := func(name, value string) { v.Index[name+" "+value] = append(v.Index[name+" "+value], s.ID) }
		host := s.Cluster + "/" + s.Instance
		if s.Instance != "" {
			index("instance", host)
		}
		listed := s.Cluster + "/" + string(s.Desired())
		index("listed", listed)
		index("listed", listed+"/family/"+s.Family)
		if s.StartedBy != "" {
			index("listed", listed+"/starter/"+s.StartedBy)
		}
		if s.LaunchType != "" {
			index("listed", listed+"/type/"+string(s.LaunchType))
		}
		if s.Group != "" {
			index("listed", listed+"/group/"+s.Group)
		}
		if s.Status() == fleet.TaskStopped && s.Serial > 0 && (s.Report.StopCode == types.TaskStopCodeTaskFailedToStart || s.Stop != nil && s.Stop.Unhealthy) {
			index("failed", s.Cluster+"/"+s.StartedBy)
		}
		if name, ok := strings.CutPrefix(s.Group, "service:"); ok && s.Stop != nil && s.Holds() {
			index("ending", s.Cluster+"/"+name)
		}
		if !s.Holds() {
			count(s.Cluster, func(c *ClusterCounts) { c.Stopped++ })
			if r := s.Report; s.Stop == nil && !r.StartedAt.IsZero() && r.StopCode == types.TaskStopCodeEssentialContainerExited && r.StoppingAt.Before(r.StartedAt.Add(10*time.Second)) {
				serve(s.Cluster, s.Task, ServiceCounts{EndedEarly: 1})
			}
			return true
		}
		v.Refs[revisionID(s.Family, s.Revision)]++
		running := s.Status() == fleet.TaskRunning
		switch {
		case s.Stop != nil:
			serve(s.Cluster, s.Task, ServiceCounts{Stopping: 1})
		case running:
			serve(s.Cluster, s.Task, ServiceCounts{Running: 1})
		default:
			serve(s.Cluster, s.Task, ServiceCounts{Pending: 1})
		}
		count(s.Cluster, func(c *ClusterCounts) { held(s.Cluster, s.Task, c, running) })
		if s.Instance == "" {
			return true
		}
		u := v.Usage[host]
		u.CPU += s.Reserve.CPU
		u.Memory += s.Reserve.Memory
		if running {
			u.Running++
		} else {
			u.Pending++
		}
		hold := func(number int, proto string) {
			if v.Ports[host] == nil {
				v.Ports[host] = map[fleet.Port]string{}
			}
			p := fleet.Port{Number: uint16(number), Protocol: fleet.Protocol(proto)}
			if h, held := v.Ports[host][p]; !held || s.ID < h {
				v.Ports[host][p] = s.ID
			}
		}
		for _, p := range s.Reserve.Ports {
			hold(int(p.Number), string(p.Protocol))
		}
		if s.Report != nil {
			for _, b := range s.Report.Containers[0].NetworkBindings {
				if b.HostPort != nil {
					hold(int(*b.HostPort), string(b.Protocol))
					continue
				}
				var from, to int
				if n, err := fmt.Sscanf(*b.HostPortRange, "%d-%d", &from, &to); n != 2 {
					panic(err)
				}
				for ; from <= to; from++ {
					hold(from, string(b.Protocol))
				}
			}
		}
		for _, g := range s.Reserve.GPUs {
			if u.GPUs == nil {
				u.GPUs = map[string]string{}
			}
			if h, held := u.GPUs[g]; !held || s.ID < h {
				u.GPUs[g] = s.ID
			}
		}
		v.Usage[host] = u
		return true
	})
	recomputedFamilies(t, v)
	return v
}

func recomputedFamilies(t *tables, v view) {
	statuses := map[string]map[types.TaskDefinitionStatus]bool{}
	snap := &Snapshot{hidden: t}
	for names, rec := range definitions.List(snap, Range{}) {
		status := types.TaskDefinitionStatusActive
		if st := definitionStates.Get(snap, names[0], names[1]); st != nil {
			status = st.Status
		}
		if statuses[rec.Family] == nil {
			statuses[rec.Family] = map[types.TaskDefinitionStatus]bool{}
		}
		statuses[rec.Family][status] = true
		key := "revisions " + string(status)
		v.Index[key] = append(v.Index[key], revisionID(rec.Family, rec.Revision))
		slices.Sort(v.Index[key])
	}
	for _, family := range slices.Sorted(maps.Keys(statuses)) {
		v.Index["families ALL"] = append(v.Index["families ALL"], family)
		if statuses[family][types.TaskDefinitionStatusActive] {
			v.Index["families ACTIVE"] = append(v.Index["families ACTIVE"], family)
		} else {
			v.Index["families INACTIVE"] = append(v.Index["families INACTIVE"], family)
		}
	}
}

// TestDerived compares the incrementally updated values with recomputed ones after each
// of many random changes. Some are contradictory reports of hosts.
func TestDerived(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tab := newTables()
		tab.private = rapid.Bool().Draw(t, "loading")
		var old *tables
		var oldView view
		var oldHosts map[member]hostRow
		hostsOf := func(t *tables) map[member]hostRow {
			all := map[member]hostRow{}
			for k, r := range t.hosts.all() {
				all[k] = *r
			}
			return all
		}
		port := rapid.Custom(func(t *rapid.T) fleet.Port {
			return fleet.Port{Number: uint16(rapid.IntRange(1, 4).Draw(t, "port")), Protocol: rapid.SampledFrom([]fleet.Protocol{fleet.TCP, fleet.UDP}).Draw(t, "protocol")}
		})
		name := func(prefix string, n int) *rapid.Generator[string] {
			return rapid.Map(rapid.IntRange(1, n), func(i int) string { return fmt.Sprint(prefix, i) })
		}
		launch := rapid.SampledFrom(append(types.LaunchType("").Values(), "", "NEW"))
		mod := int64(0)
		apply := func(path string, v any) {
			mod++
			var data []byte
			if v != nil {
				var err error
				if data, err = marshal(v); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := tab.apply(path, data, mod); err != nil {
				t.Fatal(err)
			}
		}
		taskPath := func(t *rapid.T) (cluster, id, path string) {
			cluster, id = name("c", 2).Draw(t, "cluster"), name("t", 6).Draw(t, "task")
			return cluster, id, "cluster/" + cluster + "/task/" + id
		}
		t.Repeat(map[string]func(*rapid.T){
			"task": func(t *rapid.T) {
				cluster, id, path := taskPath(t)
				apply(path, &fleet.Task{Cluster: cluster, ID: id,
					Instance: rapid.OneOf(name("i", 2), rapid.Just("")).Draw(t, "instance"), Family: name("f", 2).Draw(t, "family"), Revision: rapid.IntRange(1, 2).Draw(t, "revision"),
					LaunchType: launch.Draw(t, "launch type"), CapacityProvider: rapid.SampledFrom([]string{"", "p", "q"}).Draw(t, "provider"),
					StartedBy: rapid.SampledFrom([]string{"", "me", "ecs-svc/1", "ecs-svc/2"}).Draw(t, "startedBy"), Serial: rapid.Int64Range(0, 2).Draw(t, "serial"),
					Group: rapid.SampledFrom([]string{"family:f", "service:s", "service:r"}).Draw(t, "group"),
					Reserve: fleet.Reservation{CPU: rapid.IntRange(0, 9).Draw(t, "cpu"), Memory: rapid.IntRange(0, 9).Draw(t, "memory"),
						Ports: rapid.SliceOfN(port, 0, 3).Draw(t, "ports"), GPUs: rapid.SliceOfN(name("g", 2), 0, 2).Draw(t, "gpus")}})
			},
			"report": func(t *rapid.T) {
				_, _, path := taskPath(t)
				var bound []types.NetworkBinding
				for _, p := range rapid.SliceOfN(port, 0, 2).Draw(t, "bound") {
					n := int32(p.Number)
					b := types.NetworkBinding{HostPort: &n, Protocol: types.TransportProtocol(p.Protocol)}
					if more := rapid.IntRange(0, 3).Draw(t, "more ports"); more > 0 {
						wide := fmt.Sprintf("%d-%d", n, n+int32(more))
						b.HostPort, b.HostPortRange = nil, &wide
					}
					bound = append(bound, b)
				}
				began := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
				ended := began.Add(time.Duration(rapid.IntRange(0, 20).Draw(t, "ran")) * time.Second)
				if rapid.IntRange(0, 3).Draw(t, "never ran") == 0 {
					began = time.Time{}
				}
				apply(path+"/report", &fleet.TaskReport{
					StartedAt: began, StoppingAt: ended, StoppedAt: ended,
					Status:     rapid.SampledFrom([]fleet.TaskStatus{fleet.TaskPending, fleet.TaskRunning, fleet.TaskRunning, fleet.TaskStopped}).Draw(t, "status"),
					StopCode:   rapid.SampledFrom([]types.TaskStopCode{types.TaskStopCodeTaskFailedToStart, types.TaskStopCodeEssentialContainerExited}).Draw(t, "code"),
					Containers: []fleet.ContainerReport{{Name: "x", NetworkBindings: bound}}})
			},
			"stop": func(t *rapid.T) {
				_, _, path := taskPath(t)
				apply(path+"/stop", &fleet.TaskStop{Reason: "why", Unhealthy: rapid.Bool().Draw(t, "unhealthy")})
			},
			"amend": func(t *rapid.T) {
				_, _, path := taskPath(t)
				apply(path+"/amendment", &fleet.TaskAmendment{Tagged: true})
			},
			"wait": func(t *rapid.T) {
				cluster, id, _ := taskPath(t)
				var waiting any
				if rapid.Bool().Draw(t, "waits") {
					waiting = &fleet.Task{Cluster: cluster, ID: id, Group: "service:s", StartedBy: "ecs-svc/1", Family: name("f", 2).Draw(t, "family"), Revision: rapid.IntRange(1, 2).Draw(t, "revision"), LaunchType: launch.Draw(t, "launch type"), CapacityProvider: rapid.SampledFrom([]string{"", "p", "q"}).Draw(t, "provider")}
				}
				apply("cluster/"+cluster+"/waiting/"+id, waiting)
			},
			"forget": func(t *rapid.T) {
				_, _, path := taskPath(t)
				apply(path+rapid.SampledFrom([]string{"", "/stop", "/report", "/amendment"}).Draw(t, "part"), nil)
			},
			"instance": func(t *rapid.T) {
				cluster, id := name("c", 2).Draw(t, "cluster"), name("i", 3).Draw(t, "instance")
				path := "cluster/" + cluster + "/instance/" + id
				if rapid.Bool().Draw(t, "delete") {
					apply(path, nil)
					return
				}
				apply(path, &fleet.Instance{Cluster: cluster, ID: id,
					Status: rapid.SampledFrom([]fleet.InstanceStatus{fleet.InstanceActive, fleet.InstanceDraining, fleet.InstanceInactive}).Draw(t, "status")})
			},
			"host": func(t *rapid.T) {
				path := "cluster/" + name("c", 2).Draw(t, "cluster") + "/instance/" + name("i", 3).Draw(t, "instance")
				part := rapid.SampledFrom([]string{"/guard", "/session", "/health"}).Draw(t, "part")
				records := map[string]any{"/guard": &Guard{}, "/session": &fleet.InstanceSession{Connection: "x"}, "/health": &fleet.InstanceHealth{}}
				if rapid.Bool().Draw(t, "delete") {
					apply(path+part, nil)
					return
				}
				apply(path+part, records[part])
			},
			"revision": func(t *rapid.T) {
				family, revision := rapid.SampledFrom([]string{"f", "f-", "fa"}).Draw(t, "family"), rapid.IntRange(1, 3).Draw(t, "revision")
				path := fmt.Sprintf("family/%s/revision/%08d", family, revision)
				switch rapid.IntRange(0, 3).Draw(t, "change") {
				case 0:
					apply(path, nil)
				case 1:
					apply(path+"/state", nil)
				case 2:
					apply(path, &fleet.TaskDefinition{Family: family, Revision: revision})
				default:
					apply(path+"/state", &fleet.TaskDefinitionState{Status: rapid.SampledFrom(types.TaskDefinitionStatus("").Values()).Draw(t, "status")})
				}
			},
			"snapshot": func(*rapid.T) {
				tab.private = false
				old = tab.copied()
				oldView, oldHosts = viewOf(old), hostsOf(old)
			},
			"": func(t *rapid.T) {
				if d := cmp.Diff(recompute(tab), viewOf(tab)); d != "" {
					t.Fatalf("recomputed (-) and kept (+) differ:\n%s", d)
				}
				if old != nil {
					if d := cmp.Diff(oldView, viewOf(old)); d != "" {
						t.Fatalf("a snapshot has changed:\n%s", d)
					}
					if !maps.Equal(oldHosts, hostsOf(old)) {
						t.Fatalf("a snapshot's hosts have changed: %v, were %v", hostsOf(old), oldHosts)
					}
				}
				hosts := map[string]int64{}
				for k, r := range tab.hosts.all() {
					if r.instance != nil {
						hosts[k.String()] = r.instanceMod
					}
				}
				if listed := maps.Collect(tab.instances.revisions); !maps.Equal(hosts, listed) {
					t.Fatalf("instances are %v by host and %v in order", hosts, listed)
				}
			},
		})
		// The same records in another order give the same values.
		var paths []string
		all := map[string]func(*tables) error{}
		tab.tasks.Scan(func(k string, r *taskRow) bool {
			cluster, id, _ := strings.Cut(k, "/")
			path := "cluster/" + cluster + "/task/" + id
			for suffix, v := range map[string]any{"": r.state.Task, "/stop": r.state.Stop, "/report": r.state.Report, "/amendment": r.state.Amendment} {
				data, err := marshal(v)
				if err != nil {
					t.Fatal(err)
				}
				if string(data) != "null" {
					all[path+suffix] = func(t *tables) error { _, err := t.apply(path+suffix, data, 1); return err }
				}
			}
			return true
		})
		record := func(path string, v any) {
			data, err := marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			all[path] = func(t *tables) error { _, err := t.apply(path, data, 1); return err }
		}
		for names, rec := range definitions.List(&Snapshot{hidden: tab}, Range{}) {
			record(definitions.Key(names[0], names[1]).String(), rec)
		}
		for names, rec := range definitionStates.List(&Snapshot{hidden: tab}, Range{}) {
			record(definitionStates.Key(names[0], names[1]).String(), rec)
		}
		paths = rapid.Permutation(slices.Sorted(maps.Keys(all))).Draw(t, "order")
		again := newTables()
		for _, p := range paths {
			if err := all[p](again); err != nil {
				t.Fatal(err)
			}
		}
		want, got := viewOf(tab), viewOf(again)
		if d := cmp.Diff(want.Usage, got.Usage); d != "" {
			t.Fatalf("in another order:\n%s", d)
		}
		if d := cmp.Diff(want.Ports, got.Ports); d != "" {
			t.Fatalf("in another order:\n%s", d)
		}
		if d := cmp.Diff(want.Index, got.Index); d != "" {
			t.Fatalf("in another order:\n%s", d)
		}
	})
}
