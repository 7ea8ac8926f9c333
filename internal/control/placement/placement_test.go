package placement

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"pgregory.net/rapid"
)

// world is a fleet in plain maps that placements change.
type world map[string]*Host

func (w world) view() View {
	v := View{Host: func(id string) Host {
		if h, ok := w[id]; ok {
			return *h
		}
		return Host{}
	}}
	for i := range len(w) {
		v.IDs = append(v.IDs, fmt.Sprint("h", i))
	}
	return v
}

func (w world) take(task string) func(Choice) {
	return func(c Choice) {
		h := w[c.Instance]
		u := fleet.Usage{GPUs: map[string]string{}}
		if h.Usage != nil {
			u = *h.Usage
			u.GPUs = maps.Clone(u.GPUs)
		}
		u.CPU += c.Reserve.CPU
		u.Memory += c.Reserve.Memory
		u.Holders, _ = u.Holders.With(c.Reserve.PortSpans(), task)
		for _, g := range c.Reserve.GPUs {
			u.GPUs[g] = task
		}
		h.Usage = &u
	}
}

func host(cpu, memory int) *Host {
	return &Host{Instance: &fleet.Instance{Status: fleet.InstanceActive, Registered: fleet.Capacity{CPU: cpu, Memory: memory}}, Connected: true}
}

func genWorld(t *rapid.T) world {
	w := world{}
	for i := range rapid.IntRange(0, 20).Draw(t, "hosts") {
		h := host(rapid.IntRange(0, 8).Draw(t, "cpu"), rapid.IntRange(0, 8).Draw(t, "memory"))
		h.Connected = rapid.IntRange(0, 9).Draw(t, "connected") > 0
		h.Instance.Status = rapid.SampledFrom([]fleet.InstanceStatus{fleet.InstanceActive, fleet.InstanceActive, fleet.InstanceActive, fleet.InstanceDraining}).Draw(t, "status")
		for g := range rapid.IntRange(0, 2).Draw(t, "gpus") {
			h.Instance.Registered.GPUs = append(h.Instance.Registered.GPUs, fmt.Sprintf("h%d-g%d", i, g))
		}
		if rapid.Bool().Draw(t, "attribute") {
			h.Instance.Attributes = []types.Attribute{{Name: aws.String("a"), Value: aws.String(rapid.SampledFrom([]string{"x", "y"}).Draw(t, "value"))}}
		}
		if rapid.Bool().Draw(t, "reserved") {
			h.Instance.Registered.ReservedPorts = []fleet.Port{{Number: 22, Protocol: fleet.TCP}}
		}
		w[fmt.Sprint("h", i)] = h
	}
	return w
}

func genRequest(t *rapid.T) Request {
	r := Request{
		Count:   rapid.IntRange(1, 10).Draw(t, "count"),
		Reserve: fleet.Reservation{CPU: rapid.IntRange(0, 3).Draw(t, "taskCPU"), Memory: rapid.IntRange(0, 3).Draw(t, "taskMemory")},
		GPUs:    rapid.SampledFrom([]int{0, 0, 0, 1, 2}).Draw(t, "taskGPUs"),
	}
	if n := rapid.SampledFrom([]uint16{0, 0, 22, 80}).Draw(t, "port"); n > 0 {
		r.Reserve.Ports = []fleet.Port{{Number: n, Protocol: rapid.SampledFrom([]fleet.Protocol{fleet.TCP, fleet.UDP}).Draw(t, "protocol")}}
	}
	switch rapid.IntRange(0, 4).Draw(t, "needs") {
	case 0:
		r.Needs = []Need{{Name: "a", For: "an a", Help: "Get one."}}
	case 1:
		r.Needs = []Need{{Name: "a", Value: "x", For: "an x", Help: "Get one."}}
	}
	return r
}

// fitsSlowly reports in the simplest way whether a host can take one task.
func fitsSlowly(h *Host, r Request) bool {
	used := fleet.Usage{}
	if h.Usage != nil {
		used = *h.Usage
	}
	ok := h.Connected && h.Instance.Status == fleet.InstanceActive &&
		used.CPU+r.Reserve.CPU <= h.Instance.Registered.CPU &&
		used.Memory+r.Reserve.Memory <= h.Instance.Registered.Memory &&
		len(used.GPUs)+r.GPUs <= len(h.Instance.Registered.GPUs)
	for _, p := range r.Reserve.Ports {
		for _, h := range used.Holders {
			ok = ok && (h.Protocol != p.Protocol || p.Number < h.First || h.Last < p.Number)
		}
		for _, q := range h.Instance.Registered.ReservedPorts {
			ok = ok && p != q
		}
	}
	for _, need := range r.Needs {
		met := false
		for _, a := range h.Instance.Attributes {
			met = met || (*a.Name == need.Name && (need.Value == "" || need.Value == *a.Value))
		}
		ok = ok && met
	}
	return ok
}

// roomSlowly is how many tasks of r the fleet takes, one host after the other.
// All tasks of a request are alike, so no order of hosts fits more.
func roomSlowly(w world, r Request) int {
	room := 0
	for _, h := range w {
		free := *h
		scratch := world{"x": &free}
		for room < r.Count && fitsSlowly(&free, r) {
			gpus := freeGPUs(free)[:r.GPUs]
			reserve := r.Reserve
			reserve.GPUs = gpus
			scratch.take("t")(Choice{"x", reserve})
			room++
		}
	}
	return room
}

func TestPlaceAgainstTheObvious(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := genWorld(t)
		rnd := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		for round := range rapid.IntRange(1, 4).Draw(t, "rounds") {
			r := genRequest(t)
			want := roomSlowly(w, r)
			take := w.take(fmt.Sprint("t", round))
			res := Place(w.view(), r, rnd, func(c Choice) {
				if h := w[c.Instance]; !fitsSlowly(h, r) {
					t.Fatalf("chose %s, which does not fit", c.Instance)
				}
				if len(c.Reserve.GPUs) != r.GPUs {
					t.Fatalf("%d GPUs for a task that needs %d", len(c.Reserve.GPUs), r.GPUs)
				}
				take(c)
			})
			if len(res.Chosen) != want || res.Missing != r.Count-want {
				t.Fatalf("placed %d, missing %d; want %d of %d", len(res.Chosen), res.Missing, want, r.Count)
			}
			if res.Missing == 0 {
				continue
			}
			counted := 0
			for _, n := range res.Rejected {
				counted += n
			}
			if counted != len(w) {
				t.Fatalf("%d of %d hosts explained: %v", counted, len(w), res.Rejected)
			}
			if len(w) > 0 && (res.Nearest.Instance == "" || res.Nearest.Detail == "") {
				t.Fatalf("no explanation: %+v", res.Nearest)
			}
		}
	})
}

// More of everything never places less, and the order of hosts does not matter.
func TestPlaceIsMonotone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, r := genWorld(t), genRequest(t)
		before := roomSlowly(w, r)
		for _, h := range w {
			i := *h.Instance
			i.Registered.CPU += rapid.IntRange(0, 2).Draw(t, "moreCPU")
			i.Registered.Memory += rapid.IntRange(0, 2).Draw(t, "moreMemory")
			h.Instance = &i
		}
		v := w.view()
		rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "shuffle"), 0)).Shuffle(len(v.IDs), func(i, j int) { v.IDs[i], v.IDs[j] = v.IDs[j], v.IDs[i] })
		res := Place(v, r, rand.New(rand.NewPCG(1, 1)), w.take("t"))
		if len(res.Chosen) < before {
			t.Fatalf("placed %d with more room, %d with less", len(res.Chosen), before)
		}
	})
}

func TestPlaceAtRandom(t *testing.T) {
	const hosts, rounds = 20, 4000
	for _, n := range []int{4, hosts} { // below and above the number of probes
		w := world{}
		for i := range n {
			w[fmt.Sprint("h", i)] = host(1<<30, 1<<30)
		}
		w["h0"].Connected = false
		seed := rand.Uint64()
		rnd := rand.New(rand.NewPCG(seed, seed))
		got := map[string]int{}
		for range rounds {
			res := Place(w.view(), Request{Count: 1, Reserve: fleet.Reservation{CPU: 1}}, rnd, func(Choice) {})
			got[res.Chosen[0].Instance]++
		}
		for i := 1; i < n; i++ {
			share := float64(got[fmt.Sprint("h", i)]) * float64(n-1) / rounds
			if share < 0.6 || share > 1.4 { // over 5 standard deviations
				t.Errorf("seed %d, %d hosts: h%d got %.2f times its share", seed, n, i, share)
			}
		}
	}
}

func TestExplain(t *testing.T) {
	port := fleet.Port{Number: 8080, Protocol: fleet.TCP}
	w := world{"h0": host(100, 100), "h1": host(1024, 512), "h2": host(1024, 2048)}
	w.take("0123")(Choice{"h2", fleet.Reservation{Memory: 1, Ports: []fleet.Port{port}}})
	tests := []struct {
		r      Request
		host   string
		reason Reason
		detail string
	}{
		{Request{Count: 1, Reserve: fleet.Reservation{Memory: 4096}}, "h2", Memory, "The task needs 4096 MiB of memory; 2047 of the container instance's 2048 are free. This is the closest of 3 container instances (RESOURCE:MEMORY 3)."},
		{Request{Count: 1, Reserve: fleet.Reservation{CPU: 2048}}, "h1", CPU, "2048 CPU units; 1024 of"},
		{Request{Count: 1, Reserve: fleet.Reservation{Memory: 1024, Ports: []fleet.Port{port}}}, "h2", Ports, "Host port 8080/tcp is held by task 0123."},
		{Request{Count: 1, Needs: []Need{{Name: "ecs.capability.efs", For: "the EFS volume v"}}}, "h", Attribute, "The task needs the EFS volume v (attribute ecs.capability.efs), which the container instance does not offer."},
		{Request{Count: 1, GPUs: 1}, "h", GPU, "needs 1 GPUs; 0 of the container instance's 0"},
	}
	for _, tt := range tests {
		res := Place(w.view(), tt.r, rand.New(rand.NewPCG(1, 2)), func(Choice) {})
		n := res.Nearest
		if res.Missing != 1 || !strings.HasPrefix(n.Instance, tt.host) || n.Reason != tt.reason || !strings.Contains(n.Detail, tt.detail) {
			t.Errorf("%+v: %+v", tt.r, res)
		}
	}
}

func benchmark(b *testing.B, full float64) {
	const hosts = 5000
	w := world{}
	rnd := rand.New(rand.NewPCG(1, 2))
	attributes := make([]types.Attribute, 48)
	for i := range attributes {
		attributes[i].Name = aws.String(fmt.Sprint("ecs.capability.number-", i))
	}
	for i := range hosts {
		h := host(4096, 16384)
		h.Instance.Attributes = attributes
		if rnd.Float64() < full {
			h.Usage = &fleet.Usage{CPU: 4096, Memory: 16384}
		}
		w[fmt.Sprint("h", i)] = h
	}
	v := w.view()
	r := Request{Count: 1, Reserve: fleet.Reservation{CPU: 1, Memory: 1}, Needs: []Need{{Name: "ecs.capability.number-46"}, {Name: "ecs.capability.number-47"}}}
	for b.Loop() {
		Place(v, r, rnd, func(Choice) {})
	}
}

func BenchmarkPlaceWithRoom(b *testing.B)   { benchmark(b, 0.5) }
func BenchmarkPlaceNearlyFull(b *testing.B) { benchmark(b, 0.99) }
func BenchmarkPlaceNone(b *testing.B)       { benchmark(b, 1) }
