package main

import "testing"

func TestGCPercent(t *testing.T) {
	for live, want := range map[uint64]uint64{0: 300, 12 << 20: 300, 200 << 20: 200, 400 << 20: 100, 2 << 30: 100} {
		if got := gcPercent(live); got != want {
			t.Errorf("with %d MiB alive: %d %%, not %d", live>>20, got, want)
		}
	}
}
