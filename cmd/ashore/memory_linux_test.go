package main

import "testing"

func TestSpare(t *testing.T) {
	for _, tt := range []struct {
		live, held uint64
		want       bool
	}{{10 << 20, 40 << 20, false}, {20 << 20, 120 << 20, true}, {1 << 30, 2 << 30, false}, {1 << 30, 3 << 30, true}} {
		if got := holdsSpare(tt.live, tt.held); got != tt.want {
			t.Errorf("%d MiB held with %d alive: %v", tt.held>>20, tt.live>>20, got)
		}
	}
}

func TestGCPercent(t *testing.T) {
	for live, want := range map[uint64]uint64{0: 300, 12 << 20: 300, 200 << 20: 200, 400 << 20: 100, 2 << 30: 100} {
		if got := gcPercent(live); got != want {
			t.Errorf("with %d MiB alive: %d %%, not %d", live>>20, got, want)
		}
	}
}
