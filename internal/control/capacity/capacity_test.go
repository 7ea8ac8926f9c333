package capacity

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"pgregory.net/rapid"
)

type item = types.CapacityProviderStrategyItem

func of(name string, base, weight int32) item {
	return item{CapacityProvider: aws.String(name), Base: base, Weight: weight}
}

func TestDistribute(t *testing.T) {
	for _, c := range []struct {
		name     string
		strategy []item
		running  map[string]int
		count    int
		want     string
	}{
		{"even", []item{of("a", 0, 1), of("b", 0, 1)}, nil, 4, "a b a b"},
		{"one to four", []item{of("a", 0, 1), of("b", 0, 4)}, nil, 10, "b b b a b b b b a b"},
		{"base first, wherever it stands", []item{of("a", 0, 1), of("b", 2, 1)}, nil, 4, "b b a b"},
		{"base without weight", []item{of("a", 2, 0), of("b", 0, 1)}, nil, 4, "a a b b"},
		{"base that is there already", []item{of("a", 2, 0), of("b", 0, 1)}, map[string]int{"a": 1}, 2, "a b"},
		{"catch up", []item{of("a", 0, 1), of("b", 0, 1)}, map[string]int{"a": 3}, 4, "b b b a"},
		{"alone without weight", []item{of("a", 0, 0)}, nil, 2, "a a"},
		{"several without weight", []item{of("a", 1, 0), of("b", 0, 0)}, nil, 3, "a"},
		{"none", nil, nil, 3, ""},
		{"no tasks", []item{of("a", 1, 1)}, nil, 0, ""},
	} {
		if got := strings.Join(Distribute(c.strategy, c.running, c.count), " "); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// TestDistributeShares states what any distribution of any strategy keeps.
func TestDistributeShares(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 6).Draw(t, "providers")
		var strategy []item
		var total int64
		based := rapid.IntRange(-1, n-1).Draw(t, "which has the base")
		for i := range n {
			s := of(fmt.Sprint("p", i), 0, rapid.Int32Range(0, 12).Draw(t, "weight"))
			if i == based {
				s.Base = rapid.Int32Range(1, 30).Draw(t, "base")
			}
			total += int64(s.Weight)
			strategy = append(strategy, s)
		}
		count := rapid.IntRange(0, 200).Draw(t, "tasks")
		got := Distribute(strategy, nil, count)
		has := map[string]int64{}
		for _, p := range got {
			has[p]++
		}

		// Two calls, where the second counts the tasks of the first, give the same as one.
		cut := rapid.IntRange(0, len(got)).Draw(t, "cut")
		before := map[string]int{}
		for _, p := range got[:cut] {
			before[p]++
		}
		if rest := Distribute(strategy, before, count-cut); !slices.Equal(rest, got[cut:]) {
			t.Fatalf("after %d tasks: %v, at once: %v", cut, rest, got[cut:])
		}

		if n > 1 && total == 0 {
			var base int64
			if based >= 0 {
				base = int64(strategy[based].Base)
			}
			if int64(len(got)) != min(base, int64(count)) || Usable("s", strategy) == nil {
				t.Fatalf("without weights %d tasks are placed of %d, the base being %d", len(got), count, base)
			}
			return
		}
		if len(got) != count || Usable("s", strategy) != nil {
			t.Fatalf("%d tasks, want %d", len(got), count)
		}
		beyond := int64(count)
		if based >= 0 {
			p, base := *strategy[based].CapacityProvider, min(int64(strategy[based].Base), int64(count))
			if slices.ContainsFunc(got[:base], func(s string) bool { return s != p }) {
				t.Fatalf("the base of %d goes elsewhere: %v", base, got)
			}
			has[p] -= base
			beyond -= base
		}
		if n == 1 {
			return
		}
		for _, s := range strategy {
			share, w := has[*s.CapacityProvider], int64(s.Weight)
			switch {
			case w == 0 && share != 0:
				t.Fatalf("%s has no weight and gets %d", *s.CapacityProvider, share)
			case share < beyond*w/total:
				t.Fatalf("%s gets %d of %d, less than its share of %d/%d", *s.CapacityProvider, share, beyond, w, total)
			case beyond%total == 0 && share*total != beyond*w:
				t.Fatalf("%s gets %d of %d, want exactly %d/%d", *s.CapacityProvider, share, beyond, w, total)
			}
		}
	})
}

func TestRules(t *testing.T) {
	many := make([]item, 21)
	for i := range many {
		many[i] = of(fmt.Sprint("p", i), 0, 1)
	}
	all := []string{"a", "b", "FARGATE", "FARGATE_SPOT"}
	for _, c := range []struct {
		strategy []item
		want     string // part of the message; "" is valid
	}{
		{nil, ""},
		{[]item{of("a", 1, 1), of("b", 0, 1000)}, ""},
		{[]item{of("FARGATE", 100000, 1), of("FARGATE_SPOT", 0, 4)}, ""},
		{[]item{of("a", 0, 0), of("b", 0, 0)}, ""},
		{many, "at most 20"},
		{[]item{of("", 0, 1)}, "s[0].capacityProvider"},
		{[]item{{}}, "s[0].capacityProvider"},
		{[]item{of("a", 0, 1), of("a", 0, 1)}, "twice"},
		{[]item{of("a", 0, -1)}, "s[0].weight"},
		{[]item{of("a", 0, 1001)}, "between 0 and 1000"},
		{[]item{of("a", -1, 1)}, "s[0].base"},
		{[]item{of("a", 100001, 1)}, "between 0 and 100000"},
		{[]item{of("a", 1, 1), of("b", 1, 1)}, "only one capacity provider"},
		{[]item{of("FARGATE", 0, 1), of("a", 0, 1)}, "but not both"},
		{[]item{of("a", 0, 1), of("FARGATE_SPOT", 0, 1)}, "but not both"},
		{[]item{of("a", 0, 1), of("c", 0, 1)}, "not associated with the cluster"},
	} {
		err := Check("s", c.strategy, all)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%v: %v, want %q", c.strategy, err, c.want)
		}
	}
	if err := Check("s", []item{of("a", 0, 1)}, nil); err == nil || !strings.Contains(err.Error(), "associated: none") {
		t.Errorf("without providers: %v", err)
	}
}
