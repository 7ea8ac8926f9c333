package session

import (
	"testing"
	"time"
)

func TestNextBeat(t *testing.T) {
	const every = 20 * time.Second
	due := time.Unix(1000, 0)
	for took, want := range map[time.Duration]time.Duration{
		0:                   every,
		every - 1:           every,
		every:               2 * every,
		2*every + every/2:   3 * every,
		10*every - 1:        10 * every,
		100*every + every/4: 101 * every,
	} {
		if got := nextDue(due, due.Add(took), every).Sub(due); got != want {
			t.Errorf("after one that took %s: %s, not %s", took, got, want)
		}
	}
}
