package rollout

import "testing"

// The percentages that Unstick returns help, and one percent less does not.
func TestUnstick(t *testing.T) {
	for desired := 1; desired <= 500; desired++ {
		low, high := Unstick(desired)
		if ConfiguredStuck(desired, low, 100) || !ConfiguredStuck(desired, low+1, 100) {
			t.Fatalf("%d: a minimum of %d", desired, low)
		}
		if ConfiguredStuck(desired, 100, high) || !ConfiguredStuck(desired, 100, high-1) {
			t.Fatalf("%d: a maximum of %d", desired, high)
		}
	}
}
