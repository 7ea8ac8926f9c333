package fleet

import (
	"fmt"
	"maps"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"pgregory.net/rapid"
)

// hold is the holder of a single port.
type hold struct {
	task  string
	fixed bool
}

// flat splits runs into ports. It fails if the runs are not sorted, or not joined.
func flat(t *rapid.T, h PortHolders) map[Port]hold {
	m := map[Port]hold{}
	for i, x := range h {
		if i > 0 && !h[i-1].before(x.PortSpan) {
			t.Fatalf("%v comes after %v", x.PortSpan, h[i-1].PortSpan)
		}
		if i > 0 && h[i-1].Protocol == x.Protocol && h[i-1].Task == x.Task && h[i-1].Fixed == x.Fixed && int(h[i-1].Last)+1 == int(x.First) {
			t.Fatalf("%v and %v are not joined", h[i-1].PortSpan, x.PortSpan)
		}
		for n := int(x.First); n <= int(x.Last); n++ {
			m[Port{uint16(n), x.Protocol}] = hold{x.Task, x.Fixed}
		}
	}
	return m
}

// TestPortHolders compares runs of ports with a map of single ports, with the lowest
// and the highest port.
func TestPortHolders(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		span := rapid.Custom(func(t *rapid.T) PortSpan {
			first := rapid.OneOf(rapid.Uint16Range(1, 12), rapid.Uint16Range(65525, 65535)).Draw(t, "first")
			last := min(65535, int(first)+rapid.IntRange(0, 6).Draw(t, "more"))
			return PortSpan{first, uint16(last), rapid.SampledFrom([]Protocol{TCP, UDP}).Draw(t, "protocol")}
		})
		spans := rapid.SliceOfN(span, 0, 4)
		var h PortHolders
		tasks := map[string]TaskPorts{}
		t.Repeat(map[string]func(*rapid.T){
			"with": func(t *rapid.T) {
				task := rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "task")
				if _, there := tasks[task]; there {
					t.Skip("holds its ports already")
				}
				held := TaskPorts{JoinSpans(spans.Draw(t, "fixed")), JoinSpans(spans.Draw(t, "chosen"))}
				before := flat(t, h)
				next, double := h.With(held, task)
				if !maps.Equal(before, flat(t, h)) {
					t.Fatal("the old holders have changed")
				}
				want := false
				for _, part := range [][]PortSpan{held.Fixed, held.Chosen} {
					for p := range flat(t, TaskPorts{Fixed: part}.holders(task)) {
						_, other := before[p]
						want = want || other
					}
				}
				if double != want {
					t.Fatalf("held twice: %v, not %v", double, want)
				}
				h, tasks[task] = next, held
			},
			"without": func(t *rapid.T) {
				task := rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "task")
				var all, left []PortHolders
				for id, held := range tasks {
					all = append(all, held.holders(id))
					if id != task {
						left = append(left, held.holders(id))
					}
				}
				if _, double := JoinHolders(all); double { // another holder may be shown now
					h, _ = JoinHolders(left)
				} else {
					h = h.Without(task)
				}
				delete(tasks, task)
			},
			"": func(t *rapid.T) {
				want := map[Port]hold{}
				for id, held := range tasks {
					for i, part := range [][]PortSpan{held.Chosen, held.Fixed} {
						for _, s := range part {
							for n := int(s.First); n <= int(s.Last); n++ {
								p := Port{uint16(n), s.Protocol}
								if old, there := want[p]; !there || id <= old.task {
									want[p] = hold{id, i == 1 || there && old.task == id && old.fixed}
								}
							}
						}
					}
				}
				if got := flat(t, h); !maps.Equal(got, want) {
					t.Fatalf("holders are %v, want %v", got, want)
				}
				for p, w := range want {
					if task, ok := h.Of(p); !ok || task != w.task {
						t.Fatalf("%v is held by %q", p, task)
					}
				}
				if task, ok := h.Of(Port{100, TCP}); ok {
					t.Fatalf("port 100 is held by %q", task)
				}
			},
		})
	})
}

// Without removes what With has added, if no other task holds it.
func TestPortsComeAndGo(t *testing.T) {
	held := TaskPorts{Fixed: []PortSpan{{80, 80, TCP}}, Chosen: []PortSpan{{60, 90, TCP}, {5, 6, UDP}}}
	other, _ := PortHolders(nil).With(TaskPorts{Chosen: []PortSpan{{1, 10, TCP}, {91, 99, TCP}}}, "other")
	both, double := other.With(held, "task")
	if double || len(both) != 6 {
		t.Fatalf("%v, double: %v", both, double)
	}
	if left := both.Without("task"); fmt.Sprint(left) != fmt.Sprint(other) {
		t.Errorf("%v is left of %v", left, other)
	}
	if got := fmt.Sprint(both.Fixed()); got != "[80/tcp]" {
		t.Errorf("fixed are %s", got)
	}
}

// reportedOf returns a task whose host reports bindings.
func reportedOf(bindings ...types.NetworkBinding) *TaskState {
	return &TaskState{
		Task:   &Task{ID: "t", Instance: "i"},
		Report: &TaskReport{Status: TaskRunning, Containers: []ContainerReport{{Name: "c", NetworkBindings: bindings}}},
	}
}

// singles returns bindings of one port each, as older agents report a range.
func singles(n int) []types.NetworkBinding {
	var out []types.NetworkBinding
	for p := range n {
		out = append(out, types.NetworkBinding{HostPort: aws.Int32(int32(n - p)), ContainerPort: aws.Int32(int32(p + 1)), Protocol: "udp"})
	}
	return out
}

// The cost of a task's ports is the number of runs: one for a range of any width. Many
// neighbouring ports that are reported one by one need no more allocations than few.
func TestHeldCostsRuns(t *testing.T) {
	wide := reportedOf(types.NetworkBinding{HostPortRange: aws.String("1-65535"), Protocol: "udp"})
	if held := wide.HostPorts(); len(held.Chosen) != 1 || held.Chosen[0] != (PortSpan{1, 65535, UDP}) {
		t.Errorf("a range is held as %v", held)
	}
	few, many := reportedOf(singles(16)...), reportedOf(singles(1<<16-1)...)
	if held := many.HostPorts(); len(held.Chosen) != 1 {
		t.Errorf("neighbours are held as %d runs", len(held.Chosen))
	}
	allocations := func(s *TaskState) float64 { return testing.AllocsPerRun(10, func() { s.HostPorts() }) }
	if a, b := allocations(few), allocations(many); b > a {
		t.Errorf("16 ports take %.0f allocations, 65535 take %.0f", a, b)
	}
}

func BenchmarkHeld(b *testing.B) {
	for name, t := range map[string]*TaskState{
		"one range of 65535": reportedOf(types.NetworkBinding{HostPortRange: aws.String("1-65535"), Protocol: "udp"}),
		"65535 ports":        reportedOf(singles(1<<16 - 1)...),
		"1000 ports":         reportedOf(singles(1000)...),
		"one port":           reportedOf(singles(1)...),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				t.HostPorts()
			}
		})
	}
}
