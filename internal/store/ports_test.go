package store

import (
	"math"
	"runtime"
	"strconv"
	"testing"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// portReport returns a report of a task whose container has these bindings.
func portReport(t testing.TB, status fleet.TaskStatus, bindings ...types.NetworkBinding) []byte {
	data, err := marshal(&fleet.TaskReport{Status: status, Containers: []fleet.ContainerReport{{Name: "c", NetworkBindings: bindings}}})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func portRange(n int) types.NetworkBinding {
	return types.NetworkBinding{HostPortRange: aws.String("1-" + strconv.Itoa(n)), Protocol: "udp"}
}

// onePerPort returns a range as older agents report it.
func onePerPort(n int) []types.NetworkBinding {
	var out []types.NetworkBinding
	for p := 1; p <= n; p++ {
		out = append(out, types.NetworkBinding{HostPort: aws.Int32(int32(p)), ContainerPort: aws.Int32(int32(p)), Protocol: "udp"})
	}
	return out
}

// portTables returns tables with two tasks on one host.
func portTables(t testing.TB) *tables {
	tab := newTables()
	tab.private = false
	for _, id := range []string{"a", "b"} {
		data, err := marshal(&fleet.Task{Cluster: "c", ID: id, Instance: "i", Family: "f", Revision: 1})
		if err != nil {
			t.Fatal(err)
		}
		applyPorts(t, tab, id, data, "")
	}
	return tab
}

func applyPorts(t testing.TB, tab *tables, id string, data []byte, part string) {
	if _, err := tab.apply("cluster/c/task/"+id+part, data, 1); err != nil {
		t.Fatal(err)
	}
}

// allocated returns how many bytes f allocates, the least of ten tries: the program's
// other goroutines count too. prepare returns new tables for each try.
func allocated(prepare func() *tables, f func(*tables)) uint64 {
	least := uint64(math.MaxUint64)
	for range 10 {
		tab := prepare()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f(tab)
		runtime.ReadMemStats(&after)
		least = min(least, after.TotalAlloc-before.TotalAlloc)
	}
	return least
}

// The report of a range has the same cost for any number of ports. So have the reports
// of other tasks on the host.
func TestWideRangesCostNoMore(t *testing.T) {
	cost := func(ports int) (own, others uint64) {
		wide, small := portReport(t, fleet.TaskPending, portRange(ports)), portReport(t, fleet.TaskRunning)
		reported := func() *tables {
			tab := portTables(t)
			applyPorts(t, tab, "a", wide, "/report")
			return tab
		}
		own = allocated(func() *tables { return portTables(t) }, func(tab *tables) { applyPorts(t, tab, "a", wide, "/report") })
		others = allocated(reported, func(tab *tables) { applyPorts(t, tab, "b", small, "/report") })
		if h := reported().hostAt("c", "i").usage.Holders; len(h) != 1 || h[0].Task != "a" || int(h[0].Last) != ports {
			t.Errorf("a range of %d ports is held as %v", ports, h)
		}
		return own, others
	}
	own, others := cost(2)
	wide, beside := cost(65535)
	if wide > 4*own || beside > 4*others {
		t.Errorf("a range of 65535 ports allocates %d bytes and %d with another task's report; one of 2 ports %d and %d", wide, beside, own, others)
	}
}

// The cost of many ports that are reported one by one is proportional to their number.
func TestManyPortsCostInProportion(t *testing.T) {
	cost := func(ports int) uint64 {
		data := portReport(t, fleet.TaskPending, onePerPort(ports)...)
		return allocated(func() *tables { return portTables(t) }, func(tab *tables) { applyPorts(t, tab, "a", data, "/report") })
	}
	few, many := cost(1<<9), cost(1<<13)
	if many > 2*16*few {
		t.Errorf("16 times the ports allocate %d bytes, not %d", many, few)
	}
}

func BenchmarkPortsOfAHost(b *testing.B) {
	for name, bindings := range map[string][]types.NetworkBinding{
		"one range of 65535": {portRange(65535)}, "65535 ports": onePerPort(65535), "1000 ports": onePerPort(1000), "no port": nil,
	} {
		// A report with these ports, then a report of another task on the host.
		b.Run(name, func(b *testing.B) {
			tab := portTables(b)
			data, small := portReport(b, fleet.TaskPending, bindings...), portReport(b, fleet.TaskRunning)
			b.ReportAllocs()
			for range b.N {
				applyPorts(b, tab, "a", data, "/report")
				applyPorts(b, tab, "b", small, "/report")
			}
		})
	}
}
