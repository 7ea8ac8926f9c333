package store

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// usualTasks yields the three records of each of n running tasks, as in a full fleet: two
// containers with a dynamic port each, and 20 tasks a host.
func usualTasks(t testing.TB, n int, each func(path string, data []byte)) {
	t.Helper()
	for i := range n {
		host := fleet.DerivedID("host", fmt.Sprint(i/20))
		id := fleet.DerivedID("task", fmt.Sprint(i))
		v := &fleet.Task{Cluster: "production", ID: id, Instance: host, Family: fmt.Sprint("web-", i%50), Revision: 12,
			LaunchType: types.LaunchTypeExternal, CreatedAt: at(i % 60), Group: fmt.Sprint("service:web-", i%50),
			StartedBy:  fmt.Sprint("ecs-svc/", 1000000000000000000+i%50),
			Reserve:    fleet.Reservation{CPU: 256, Memory: 512},
			Containers: []fleet.TaskContainer{{Name: "web", ID: "0b69d5c0-d655-4695-98cd-5d2d526d9d5a"}, {Name: "sidecar", ID: "51a01bdf-d00e-487e-ab14-7645330b6207"}}}
		r := &fleet.TaskReport{Status: fleet.TaskRunning, Connectivity: types.ConnectivityConnected, PullStartedAt: at(1), PullStoppedAt: at(2), StartedAt: at(3), Version: 3}
		for c, name := range []string{"web", "sidecar"} {
			r.Containers = append(r.Containers, fleet.ContainerReport{Name: name, Status: fleet.TaskRunning,
				RuntimeID:   fleet.DerivedID(id, name) + fleet.DerivedID(name, id),
				ImageDigest: "sha256:" + fleet.DerivedID("image", fmt.Sprint(i%50)) + fleet.DerivedID(fmt.Sprint(i%50)),
				NetworkBindings: []types.NetworkBinding{{BindIP: aws.String("0.0.0.0"), ContainerPort: aws.Int32(int32(8080 + c)),
					HostPort: aws.Int32(int32(32768 + i%20*2 + c)), Protocol: types.TransportProtocolTcp}}})
		}
		for path, record := range map[string]any{"": v, "/report": r} {
			data, err := marshal(record)
			if err != nil {
				t.Fatal(err)
			}
			each("cluster/production/task/"+id+path, data)
		}
		if i%20 == 0 {
			data, err := marshal(&fleet.Instance{Cluster: "production", ID: host, Status: fleet.InstanceActive, Registered: fleet.Capacity{CPU: 8192, Memory: 32768}})
			if err != nil {
				t.Fatal(err)
			}
			each("cluster/production/instance/"+host, data)
		}
	}
}

func loaded(t testing.TB, n int) *tables {
	t.Helper()
	tab := newTables()
	usualTasks(t, n, func(path string, data []byte) {
		if _, err := tab.apply(path, data, 1); err != nil {
			t.Fatal(err)
		}
	})
	tab.private = false
	return tab
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// maxHeap is the budget for a task with its share of the indexes, in bytes.
const maxHeap = 4096

func heapPerTask(t testing.TB, n int) int {
	before := heap()
	tab := loaded(t, n)
	after := heap()
	runtime.KeepAlive(tab)
	return int(after-before) / n
}

func TestHeapPerTask(t *testing.T) {
	if b := heapPerTask(t, 10_000); b > maxHeap {
		t.Errorf("a task takes %d bytes of heap, the budget is %d", b, maxHeap)
	} else {
		t.Logf("%d bytes of heap a task", b)
	}
}

// BenchmarkHeap reports the heap of a task, with 100,000 tasks.
func BenchmarkHeap(b *testing.B) {
	for b.Loop() {
		b.ReportMetric(float64(heapPerTask(b, 100_000)), "B/task")
	}
}

// fill writes tasks directly to etcd, as fast as etcd accepts them.
func fill(b testing.TB, client *clientv3.Client, root string, n int) {
	b.Helper()
	var ops []clientv3.Op
	var wg sync.WaitGroup
	slots := make(chan struct{}, 8)
	flush := func() {
		batch := ops
		ops = nil
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if _, err := client.Txn(context.Background()).Then(batch...).Commit(); err != nil {
				b.Error(err)
			}
		})
	}
	usualTasks(b, n, func(path string, data []byte) {
		if ops = append(ops, clientv3.OpPut(root+path, string(data))); len(ops) == 100 {
			flush()
		}
	})
	flush()
	wg.Wait()
}

// BenchmarkOpen opens a store with 100,000 tasks, on a running etcd and with etcd's own
// start.
func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	start := func() (*Embedded, *Store) {
		e, err := Embed(b.Context(), dir)
		if err != nil {
			b.Fatal(err)
		}
		s, err := Open(b.Context(), e.Client, Config{Sole: true})
		if err != nil {
			b.Fatal(err)
		}
		return e, s
	}
	stop := func(e *Embedded, s *Store) {
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		if err := e.Close(); err != nil {
			b.Fatal(err)
		}
	}
	e, s := start()
	fill(b, e.Client, s.root, 100_000)
	stop(e, s)
	b.ResetTimer()
	for b.Loop() {
		began := time.Now()
		e, s := start()
		b.ReportMetric(time.Since(began).Seconds(), "s/start")
		if n := s.Snapshot().Counts("production").Running; n != 100_000 {
			b.Fatalf("%d tasks", n)
		}
		began = time.Now()
		again, err := load(b.Context(), e.Client, Config{})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(time.Since(began).Seconds(), "s/load")
		again.cancel(ErrClosed)
		stop(e, s)
	}
}

// BenchmarkPut compares writes through the store with direct writes to etcd, in one
// run.
func BenchmarkPut(b *testing.B) {
	e := embedded(b, b.TempDir())
	s := opened(b, e.Client, Config{Sole: true})
	value := string(make([]byte, 0)) + `{"name":"n","latest":1}`
	n := 0
	create := func(key int) error {
		return s.Update(b.Context(), func(tx *Tx) error {
			return Create(tx, FamilyKey(fmt.Sprint("f", key)), &fleet.Family{Name: "n", Latest: 1})
		})
	}
	b.Run("single/etcd", func(b *testing.B) {
		for b.Loop() {
			n++
			if _, err := e.Client.Put(b.Context(), fmt.Sprint("raw", n), value); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("single/store", func(b *testing.B) {
		for b.Loop() {
			n++
			if err := create(n); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("grouped/etcd", func(b *testing.B) {
		// One transaction of 64 records at a time, the largest that etcd accepts.
		for i := 0; i < b.N; i += 64 {
			var ops []clientv3.Op
			for range 64 {
				n++
				ops = append(ops, clientv3.OpPut(fmt.Sprint("raw", n), value))
			}
			if _, err := e.Client.Txn(b.Context()).Then(ops...).Commit(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("grouped/store", func(b *testing.B) {
		var mu sync.Mutex
		b.SetParallelism(256)
		b.RunParallel(func(p *testing.PB) {
			for p.Next() {
				mu.Lock()
				n++
				key := n
				mu.Unlock()
				if err := create(key); err != nil {
					b.Error(err)
				}
			}
		})
	})
}

// BenchmarkSnapshot measures reads with 100,000 tasks on 5,000 hosts.
func BenchmarkSnapshot(b *testing.B) {
	tab := loaded(b, 100_000)
	s := &Snapshot{hidden: tab}
	id, host := fleet.DerivedID("task", "77"), fleet.DerivedID("host", "3")
	b.Run("task", func(b *testing.B) {
		for b.Loop() {
			if s.Task("production", id) == nil {
				b.Fatal()
			}
		}
	})
	b.Run("tasks of a host", func(b *testing.B) {
		for b.Loop() {
			n := 0
			for range s.TasksOn("production", host) {
				n++
			}
			if n != 20 {
				b.Fatal(n)
			}
		}
	})
	b.Run("page of 100 tasks", func(b *testing.B) {
		for b.Loop() {
			n := 0
			for range s.LiveTasks("production", id) {
				if n++; n == 100 {
					break
				}
			}
		}
	})
	// No index alone selects these tasks: the scan of the shorter list finds none.
	task := s.Task("production", id)
	b.Run("tasks of a family and an instance", func(b *testing.B) {
		for b.Loop() {
			n := 0
			for range s.TasksWhere("production", TaskFilter{Desired: task.Desired(), Family: task.Family, Instance: host}, "") {
				n++
			}
			if n > 100 {
				b.Fatal(n)
			}
		}
	})
	b.Run("stopped tasks of a family", func(b *testing.B) {
		for b.Loop() {
			for range s.TasksWhere("production", TaskFilter{Desired: fleet.TaskStopped, Family: task.Family}, "") {
				b.Fatal("one is stopped")
			}
		}
	})
	b.Run("all hosts with usage", func(b *testing.B) {
		for b.Loop() {
			n := 0
			for i := range s.Instances("production", "") {
				n += s.Usage("production", i.ID).Running
			}
			if n != 100_000 {
				b.Fatal(n)
			}
		}
	})
	b.Run("publish a report", func(b *testing.B) {
		var path string
		var data []byte
		usualTasks(b, 1, func(p string, d []byte) {
			if len(d) > len(data) {
				path, data = p, d
			}
		})
		for b.Loop() {
			if _, err := tab.apply(path, data, 2); err != nil {
				b.Fatal(err)
			}
			s = &Snapshot{hidden: tab.copied()}
		}
	})
}
