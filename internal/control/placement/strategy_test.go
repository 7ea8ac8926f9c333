package placement

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/ashore/ashore/internal/control/query"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"pgregory.net/rapid"
)

// slow is the obvious way: a list of tasks, and a look at every host for each
// decision.
type slow struct {
	world world
	ids   []string
	group map[string][]string // groups of the tasks of each host
}

// ranks is a host's place by each strategy, worked out from the whole fleet.
func (s *slow) ranks(id string, r Request) []int {
	var out []int
	var spread []func(*Host, string) string
	for _, st := range r.Strategies {
		h := s.world[id]
		used := fleet.Usage{}
		if h.Usage != nil {
			used = *h.Usage
		}
		switch st.Kind {
		case Random:
			return out
		case BinpackCPU:
			out = append(out, h.Instance.Registered.CPU-used.CPU)
			continue
		case BinpackMemory:
			out = append(out, h.Instance.Registered.Memory-used.Memory)
			continue
		case SpreadHosts:
			spread = append(spread, func(_ *Host, id string) string { return id })
		case SpreadAttribute:
			spread = append(spread, func(h *Host, _ string) string {
				for _, a := range h.Instance.Attributes {
					if *a.Name == st.Attribute {
						return *a.Value
					}
				}
				return ""
			})
		}
		// The tasks of the group on hosts that are the same in every spread so far.
		n := 0
		for other, o := range s.world {
			same := true
			for _, value := range spread {
				same = same && value(o, other) == value(h, id)
			}
			if !same || o.Instance.Status != fleet.InstanceActive {
				continue
			}
			for _, g := range s.group[other] {
				if g == r.Group {
					n++
				}
			}
		}
		out = append(out, n)
	}
	return out
}

func (s *slow) fits(id string, r Request) bool {
	h := s.world[id]
	if !fitsSlowly(h, r) || r.Distinct && slices.Contains(s.group[id], r.Group) {
		return false
	}
	for _, e := range r.MemberOf {
		if strings.Contains(e.String(), "!=") == hasAttribute(h, "a", "x") {
			return false
		}
	}
	return true
}

func hasAttribute(h *Host, name, value string) bool {
	return slices.ContainsFunc(h.Instance.Attributes, func(a types.Attribute) bool { return *a.Name == name && *a.Value == value })
}

func (s *slow) view(group string, parts bool) View {
	v := View{IDs: s.ids, Host: func(id string) Host {
		h, ok := s.world[id]
		if !ok {
			return Host{}
		}
		out := *h
		out.Groups = slices.Values(s.group[id])
		return out
	}}
	v.Tasks = func(yield func(string) bool) {
		for id, groups := range s.group {
			for _, g := range groups {
				if g == group && !yield(id) {
					return
				}
			}
		}
	}
	if parts {
		v.Parts = func(attributes []string) *Division { return Divide(v.IDs, v.Host, attributes) }
	}
	return v
}

func genStrategies(t *rapid.T) []Strategy {
	return rapid.SliceOfN(rapid.SampledFrom([]Strategy{
		{Kind: Random}, {Kind: SpreadHosts}, {SpreadAttribute, "zone"}, {SpreadAttribute, "zone"}, {SpreadAttribute, "rack"}, {Kind: BinpackCPU}, {Kind: BinpackMemory},
	}), 0, maxStrategies).Draw(t, "strategies")
}

// Every choice is one of those that are best by the strategies at that moment,
// and as many are placed as any order of choices places.
func TestStrategiesAgainstTheObvious(t *testing.T) {
	either := []*query.Expr{expr(t, "attribute:a == x"), expr(t, "attribute:a != x")}
	rapid.Check(t, func(t *rapid.T) {
		s := slow{world: genWorld(t), group: map[string][]string{}}
		for i := range len(s.world) {
			id := fmt.Sprint("h", i)
			// A host that is no candidate may have tasks of the group.
			if rapid.IntRange(0, 5).Draw(t, "candidate") > 0 {
				s.ids = append(s.ids, id)
			}
			h := s.world[id]
			for _, name := range []string{"zone", "rack"} {
				if v := rapid.SampledFrom([]string{"", "1", "2", "3"}).Draw(t, name); v != "" {
					h.Instance.Attributes = append(slices.Clone(h.Instance.Attributes), types.Attribute{Name: &name, Value: &v})
				}
			}
			// Tasks that take nothing are tasks too.
			s.group[id] = rapid.SliceOfN(rapid.SampledFrom([]string{"web", "db"}), 0, 4).Draw(t, "groups")
		}
		rnd := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		for round := range rapid.IntRange(1, 4).Draw(t, "rounds") {
			r := genRequest(t)
			r.Count = rapid.IntRange(1, 30).Draw(t, "tasks")
			r.Strategies = genStrategies(t)
			r.Group = rapid.SampledFrom([]string{"web", "db"}).Draw(t, "group")
			r.Distinct = rapid.IntRange(0, 3).Draw(t, "distinct") == 0
			if i := rapid.IntRange(0, 5).Draw(t, "memberOf"); i < len(either) {
				r.MemberOf = either[i : i+1]
			}
			take := s.world.take(fmt.Sprint("t", round))
			res := Place(s.view(r.Group, rapid.Bool().Draw(t, "parts")), r, rnd, func(c Choice) {
				if !s.fits(c.Instance, r) {
					t.Fatalf("chose %s, which does not fit", c.Instance)
				}
				got := s.ranks(c.Instance, r)
				for _, id := range s.ids {
					if s.fits(id, r) && slices.Compare(s.ranks(id, r), got) < 0 {
						t.Fatalf("%+v: chose %s, which ranks %v, where %s ranks %v", r.Strategies, c.Instance, got, id, s.ranks(id, r))
					}
				}
				take(c)
				s.group[c.Instance] = append(slices.Clone(s.group[c.Instance]), r.Group)
				s.notOvercommitted(t, c.Instance)
			})
			if res.Missing != r.Count-len(res.Chosen) {
				t.Fatalf("%d chosen and %d missing of %d", len(res.Chosen), res.Missing, r.Count)
			}
			if res.Missing == 0 {
				continue
			}
			// Tasks of a request are alike, so any order fills the fleet; what was
			// left out must have no room at all.
			counted := 0
			for _, n := range res.Rejected {
				counted += n
			}
			for _, id := range s.ids {
				if s.fits(id, r) {
					t.Fatalf("%+v: %d missing, and %s has room", r.Strategies, res.Missing, id)
				}
			}
			if counted != len(s.ids) {
				t.Fatalf("%d of %d hosts explained: %v", counted, len(s.ids), res.Rejected)
			}
			if n := res.Nearest; len(s.ids) > 0 && (n.Instance == "" || n.Detail == "" || n.Help == "") {
				t.Fatalf("no explanation: %+v", n)
			}
		}
	})
}

func (s *slow) notOvercommitted(t *rapid.T, id string) {
	h := s.world[id]
	if h.Usage.CPU > h.Instance.Registered.CPU || h.Usage.Memory > h.Instance.Registered.Memory || len(h.Usage.GPUs) > len(h.Instance.Registered.GPUs) {
		t.Fatalf("%s is overcommitted: %+v of %+v", id, *h.Usage, h.Instance.Registered)
	}
}

// zones is a fleet of n hosts with room, dealt out over the zones.
func zones(n int, zones ...string) world {
	w := world{}
	for i := range n {
		h := host(1<<20, 1<<20)
		if z := zones[i%len(zones)]; z != "" {
			h.Instance.Attributes = []types.Attribute{{Name: aws.String("zone"), Value: aws.String(z)}}
		}
		w[fmt.Sprint("h", i)] = h
	}
	return w
}

func (w world) zone(id string) string {
	z, _ := w[id].Instance.Attribute("zone")
	return z
}

// A large fleet, where probes do most of it: even over zones, and over the hosts
// of each.
func TestSpreadEvenly(t *testing.T) {
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, seed))
	w := zones(300, "a", "b", "") // one zone has no name
	v := w.view()
	v.Tasks = slices.Values([]string{"h0", "h0", "h1", "h3"}) // three in a, one in b
	res := Place(v, Request{Count: 596, Reserve: fleet.Reservation{CPU: 1}, Strategies: []Strategy{{SpreadAttribute, "zone"}, {Kind: SpreadHosts}}}, rnd, w.take("t"))
	byZone, byHost := map[string]int{"a": 3, "b": 1}, map[string]int{"h0": 2, "h1": 1, "h3": 1}
	for _, c := range res.Chosen {
		byZone[w.zone(c.Instance)]++
		byHost[c.Instance]++
	}
	if byZone["a"] != 200 || byZone["b"] != 200 || byZone[""] != 200 {
		t.Errorf("seed %d: %v", seed, byZone)
	}
	for id, n := range byHost {
		if n != 2 {
			t.Errorf("seed %d: %s has %d tasks", seed, id, n)
		}
	}
}

// A host is filled before the next is begun.
func TestBinpackFills(t *testing.T) {
	seed := rand.Uint64()
	w := zones(50, "a", "b")
	for _, h := range w {
		h.Instance.Registered.Memory = 10
	}
	res := Place(w.view(), Request{Count: 25, Reserve: fleet.Reservation{Memory: 1}, Strategies: []Strategy{{Kind: BinpackMemory}}}, rand.New(rand.NewPCG(seed, seed)), w.take("t"))
	used := map[string]int{}
	for _, c := range res.Chosen {
		used[c.Instance]++
	}
	if len(used) != 3 {
		t.Errorf("seed %d: 25 tasks, ten a host: %v", seed, used)
	}
}
