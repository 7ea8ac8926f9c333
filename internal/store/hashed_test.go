package store

import (
	"fmt"
	"maps"
	"testing"

	"github.com/ashore/ashore/internal/fleet"
	"pgregory.net/rapid"
)

// TestHashed compares the map and its copies with Go's map, with real hashes and with
// hashes that are equal for many members.
func TestHashed(t *testing.T) {
	for name, hash := range map[string]func(string) uint64{
		"spread": nil,
		"few":    func(id string) uint64 { return hashOf(id) % 3 },
		"late":   func(id string) uint64 { return hashOf(id) << 60 },
		"one":    func(string) uint64 { return 7 },
	} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				type pair struct {
					is   hashed[int]
					want map[member]int
				}
				m, want := hashed[int]{hash: hash}, map[member]int{}
				var copies []pair
				same := func(what string, m *hashed[int], want map[member]int) {
					if got := maps.Collect(m.all()); !maps.Equal(got, want) || m.n != len(want) {
						t.Fatalf("%s: %v (%d), want %v", what, got, m.n, want)
					}
					for key, v := range want {
						if got, ok := m.get(key); !ok || got != v {
							t.Fatalf("%s: %v is %v, %v, want %v", what, key, got, ok, v)
						}
					}
				}
				for range rapid.IntRange(1, 200).Draw(t, "steps") {
					key := member{rapid.SampledFrom([]string{"a", "b"}).Draw(t, "cluster"), fmt.Sprint(rapid.IntRange(0, 60).Draw(t, "id"))}
					switch rapid.IntRange(0, 6).Draw(t, "what") {
					case 0:
						copies = append(copies, pair{m.copied(), maps.Clone(want)})
					case 1, 2:
						m.delete(key)
						delete(want, key)
						if _, ok := m.get(key); ok {
							t.Fatalf("%v is there after its deletion", key)
						}
					default:
						v := rapid.Int().Draw(t, "value")
						m.set(key, v)
						want[key] = v
					}
				}
				same("the map", &m, want)
				for i := range copies {
					same(fmt.Sprint("copy ", i), &copies[i].is, copies[i].want)
				}
				for key := range want {
					m.delete(key)
				}
				if m.n != 0 || m.root != nil {
					t.Fatalf("%d are left: %+v", m.n, m.root)
				}
			})
		})
	}
}

// BenchmarkHashed looks hosts up and changes some of them for each snapshot. It
// compares this with a tree of the same records.
func BenchmarkHashed(b *testing.B) {
	const n = 5000
	keys := make([]member, n)
	var m hashed[*int]
	var tree table[int]
	for i := range keys {
		keys[i] = member{"production", fleet.DerivedID(fmt.Sprint(i))}
		m.set(keys[i], &i)
		tree.set(keys[i].String(), &i, 1)
	}
	i := 0
	next := func() member { i += 7919; return keys[i%n] }
	b.Run("get/hashed", func(b *testing.B) {
		for b.Loop() {
			if _, ok := m.get(next()); !ok {
				b.Fatal()
			}
		}
	})
	b.Run("get/tree", func(b *testing.B) {
		for b.Loop() {
			if v, _ := tree.get(next().String()); v == nil {
				b.Fatal()
			}
		}
	})
	b.Run("change/hashed", func(b *testing.B) {
		for b.Loop() {
			_ = m.copied()
			for range 50 {
				m.set(next(), &i)
			}
		}
	})
	b.Run("change/tree", func(b *testing.B) {
		for b.Loop() {
			_ = tree.copied()
			for range 50 {
				tree.set(next().String(), &i, 2)
			}
		}
	})
}
