package link

import (
	"io"
	"log/slog"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/ashore/ashore/internal/wire/acs"
)

// BenchmarkDelivery measures the time from a task's commit to its payload, among many
// sessions that are not concerned. It also shows their cost: the memory of both ends, and
// their CPU time while nothing happens.
func BenchmarkDelivery(b *testing.B) {
	const sessions = 2000
	w := newWorld(b)
	st := w.store(store.Config{Sole: true})
	seed(b, st)
	s := w.server("s1", st, func(c *Config) { c.Log = slog.New(slog.NewTextHandler(io.Discard, nil)) })
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	agents, ids := make([]*agent, sessions), make([]string, sessions)
	for i := range agents {
		ids[i] = instance(b, st)
		agents[i] = connect(b, s, ids[i], manners{})
	}
	for _, a := range agents {
		next[*acs.TaskManifestMessage](a)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	idle := cpu(b)
	const watch = 3 * time.Second
	time.Sleep(watch) // measures a time in which nothing happens
	idle = cpu(b) - idle
	for i := 0; b.Loop(); i++ {
		k := i % sessions
		id := task(b, st, ids[k])
		next[*acs.PayloadMessage](agents[k])
		b.StopTimer()
		submit(b, st, id, fleet.TaskStopped)
		b.StartTimer()
	}
	b.ReportMetric(float64(after.HeapInuse+after.StackInuse-before.HeapInuse-before.StackInuse)/sessions, "B/session")
	b.ReportMetric(100*idle.Seconds()/watch.Seconds(), "idle-CPU-%")
}

func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkTask measures a task on its connection: the order, the report that acknowledges
// it, its commit and the answer. It includes the cost of the task's own commit and end.
func BenchmarkTask(b *testing.B) {
	w := newWorld(b)
	st := w.store(store.Config{Sole: true})
	seed(b, st)
	s := w.server("s1", st, func(c *Config) { c.Log = slog.New(slog.NewTextHandler(io.Discard, nil)) })
	inst := instance(b, st)
	a := connect(b, s, inst, manners{noAcks: true})
	b.ReportAllocs()
	before := cpu(b)
	n := 0
	for b.Loop() {
		id := withContainer(b, st, inst)
		p := next[*acs.PayloadMessage](a)
		a.send(&acs.ReportMessage{MessageID: "r", Reports: []acs.TaskReport{reportOf(site.TaskARN("c", id), fleet.TaskStopped)}, Acks: []string{p.MessageID}})
		next[*acs.ReportAck](a)
		n++
	}
	b.ReportMetric(float64((cpu(b)-before).Microseconds())/float64(n), "CPU-us/op")
}
