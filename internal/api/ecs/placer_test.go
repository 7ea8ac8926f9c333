package ecs

import (
	"math/rand/v2"
	"testing"
)

func TestSplitKeepsToTheLimit(t *testing.T) {
	const most = 120
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 1))
	var all []*order
	for i := range 200 {
		o := &order{launch: &launch{count: 1 + rnd.IntN(10)}}
		if i%7 == 0 {
			o.token = "same"
		}
		all = append(all, o)
	}
	left, total := all, 0
	for len(left) > 0 {
		var batch []*order
		batch, left = split(left, most)
		weight, same := 0, 0
		for _, o := range batch {
			weight += o.weight()
			if o.token == "same" {
				same++
			}
		}
		if len(batch) == 0 || weight > most || same > 1 {
			t.Fatalf("seed %d: a batch of %d orders, weight %d, %d with one token", seed, len(batch), weight, same)
		}
		total += len(batch)
	}
	if total != len(all) {
		t.Fatalf("seed %d: %d of %d orders", seed, total, len(all))
	}
}
