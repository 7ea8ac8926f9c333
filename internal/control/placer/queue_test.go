package placer

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// A round takes what one transaction held lately, and of one token one order.
func TestSplitKeepsToWhatFits(t *testing.T) {
	sizes := &sizes{call: 0.02}
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 1))
	var all []*pendingOrder
	for i := range 200 {
		l := &Launch{count: 1 + rnd.IntN(10)}
		if i%7 == 0 {
			l.token = "same"
		}
		all = append(all, &pendingOrder{order: &launchOrder{Launch: l}})
	}
	left, total := all, 0
	for len(left) > 0 {
		var batch []*pendingOrder
		batch, left = sizes.split(left)
		share, same := 0.0, 0
		for _, o := range batch {
			share += sizes.estimate(o)
			if o.clientToken() == "same" {
				same++
			}
		}
		if len(batch) == 0 || share > 1 || same > 1 {
			t.Fatalf("seed %d: a batch of %d orders, share %v, %d with one token", seed, len(batch), share, same)
		}
		total += len(batch)
	}
	if total != len(all) {
		t.Fatalf("seed %d: %d of %d orders", seed, total, len(all))
	}
}

// Callers and controllers both keep sending: neither waits for more than its turn.
func TestCallersAndControllersTakeTurns(t *testing.T) {
	sizes := &sizes{call: 0.005, service: 0.05} // no transaction holds 250 tasks
	called := func() *pendingOrder { return &pendingOrder{order: &launchOrder{Launch: &Launch{count: 1}}} }
	large := func() *pendingOrder {
		return &pendingOrder{order: &serviceOrder{ServiceLaunch: ServiceLaunch{Count: 250}}}
	}
	var left []*pendingOrder
	for range 16 {
		left = append(left, large())
	}
	oldest := left[0]
	for round := range 20 {
		caller := called()
		left = append(left, caller)
		var batch []*pendingOrder
		batch, left = sizes.split(orderFairly(left))
		if !slices.Contains(batch, caller) {
			t.Fatalf("round %d: a caller waits for services", round)
		}
		if batch[0] != oldest {
			t.Fatalf("round %d: not the oldest of the services' orders", round)
		}
		left = append(left, large())
		oldest = left[slices.IndexFunc(left, func(o *pendingOrder) bool { return !o.hasCaller() })]
	}
	for range 500 {
		left = append(left, called())
	}
	batch, _ := sizes.split(orderFairly(left))
	if batch[0] != oldest || !batch[len(batch)-1].hasCaller() {
		t.Error("many callers keep the services waiting, or the other way round")
	}
}
