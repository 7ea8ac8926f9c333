package main

import (
	"slices"
	"time"
)

// sample is a series of durations.
type sample []time.Duration

// at returns the p-th percentile: p per cent of the values are not larger.
func (s sample) at(p float64) time.Duration {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	i := int(float64(len(sorted))*p/100+0.5) - 1
	return sorted[min(max(i, 0), len(sorted)-1)]
}

func (s sample) median() time.Duration { return s.at(50) }
