package placement

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

const (
	benchHosts = 5000
	benchTasks = 500 // of one request
)

// fleetOf are hosts in three zones with as many attributes as the stock agent
// gives them; a part of them is full and the others differ in what is left.
func fleetOf(rnd *rand.Rand, full float64) world {
	attributes := make([]types.Attribute, 48)
	for i := range attributes {
		attributes[i].Name = aws.String(fmt.Sprint("ecs.capability.number-", i))
	}
	w := world{}
	for i := range benchHosts {
		h := host(4096, 16384)
		h.Instance.Attributes = append(slices.Clone(attributes), types.Attribute{Name: aws.String("ecs.availability-zone"), Value: aws.String(fmt.Sprint("zone-", i%3))})
		if rnd.Float64() < full {
			h.Usage = &fleet.Usage{CPU: 4096, Memory: 16384}
		} else {
			h.Usage = &fleet.Usage{CPU: rnd.IntN(3000), Memory: rnd.IntN(12000)}
		}
		w[fmt.Sprint("h", i)] = h
	}
	return w
}

func benchmarkStrategies(b *testing.B, strategies ...Strategy) {
	for _, tasks := range []int{1, benchTasks} {
		for _, full := range []float64{0, 0.5, 0.9} {
			b.Run(fmt.Sprintf("tasks=%d/full=%v", tasks, full), func(b *testing.B) {
				rnd := rand.New(rand.NewPCG(1, 2))
				w := fleetOf(rnd, full)
				v := w.view()
				var on []string // the group has as many tasks already
				for range benchTasks {
					on = append(on, v.IDs[rnd.IntN(len(v.IDs))])
				}
				v.Tasks = slices.Values(on)
				parts := map[string]*Division{}
				v.Parts = func(attributes []string) *Division { // as the placer keeps them
					key := joinValues(attributes)
					if parts[key] == nil {
						parts[key] = Divide(v.IDs, v.Host, attributes)
					}
					return parts[key]
				}
				need := []Need{{Name: "ecs.capability.number-46"}, {Name: "ecs.capability.number-47"}}
				r := Request{Count: tasks, Reserve: fleet.Reservation{CPU: 10, Memory: 64}, Needs: need, Strategies: strategies}
				before := maps.Clone(w)
				for b.Loop() {
					var taken []string
					res := Place(v, r, rnd, func(c Choice) {
						h := *w[c.Instance]
						u := *h.Usage
						u.CPU += c.Reserve.CPU
						u.Memory += c.Reserve.Memory
						h.Usage = &u
						w[c.Instance] = &h
						taken = append(taken, c.Instance)
					})
					if res.Missing > 0 {
						b.Fatal(res)
					}
					for _, id := range taken {
						w[id] = before[id]
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*tasks), "ns/task")
			})
		}
	}
}

func BenchmarkRandom(b *testing.B) { benchmarkStrategies(b) }
func BenchmarkSpreadZone(b *testing.B) {
	benchmarkStrategies(b, Strategy{SpreadAttribute, "ecs.availability-zone"})
}
func BenchmarkSpreadHosts(b *testing.B) { benchmarkStrategies(b, Strategy{Kind: SpreadHosts}) }
func BenchmarkSpreadZoneHosts(b *testing.B) {
	benchmarkStrategies(b, Strategy{SpreadAttribute, "ecs.availability-zone"}, Strategy{Kind: SpreadHosts})
}
func BenchmarkBinpackMemory(b *testing.B) { benchmarkStrategies(b, Strategy{Kind: BinpackMemory}) }
func BenchmarkSpreadZoneBinpack(b *testing.B) {
	benchmarkStrategies(b, Strategy{SpreadAttribute, "ecs.availability-zone"}, Strategy{Kind: BinpackMemory})
}
