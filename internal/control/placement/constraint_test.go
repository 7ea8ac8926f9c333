package placement

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/ashore/ashore/internal/control/query"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

func expr(t *testing.T, s string) *query.Expr {
	t.Helper()
	e, err := query.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// Only hosts that meet every expression are chosen, among few and among many.
func TestMemberOf(t *testing.T) {
	for _, n := range []int{4, 40} {
		w := world{}
		for i := range n {
			h := host(1<<20, 1<<20)
			h.Instance.Attributes = []types.Attribute{{Name: aws.String("rack"), Value: aws.String(fmt.Sprint(i % 4))}}
			h.Usage = &fleet.Usage{Running: i / 2 % 2}
			w[fmt.Sprint("h", i)] = h
		}
		r := Request{Count: 10, Constraints: Constraints{MemberOf: []*query.Expr{expr(t, "attribute:rack in [1, 3]"), expr(t, "runningTasksCount == 0")}}}
		seed := rand.Uint64()
		res := Place(w.view(), r, rand.New(rand.NewPCG(seed, seed)), func(Choice) {})
		if len(res.Chosen) != 10 {
			t.Fatalf("seed %d, %d hosts: %+v", seed, n, res)
		}
		for _, c := range res.Chosen {
			if h := w[c.Instance]; *h.Instance.Attributes[0].Value != "1" || h.Usage.Running != 0 {
				t.Errorf("seed %d: chosen %s: %+v", seed, c.Instance, h.Instance.Attributes)
			}
		}
		r.MemberOf = append(r.MemberOf, expr(t, "agentVersion > 2"))
		res = Place(w.view(), r, rand.New(rand.NewPCG(seed, seed)), func(Choice) {})
		if res.Missing != 10 || res.Rejected[MemberOf] != n || res.Nearest.Reason != MemberOf || !strings.Contains(res.Nearest.Detail, "does not meet the expression") {
			t.Errorf("%+v", res)
		}
	}
}

// A host takes one task of a group, those of other groups beside it.
func TestDistinct(t *testing.T) {
	for _, n := range []int{4, 40} {
		w, groups := world{}, map[string][]string{"h1": {"web"}, "h2": {"other"}}
		for i := range n {
			id := fmt.Sprint("h", i)
			h := host(1<<20, 1<<20)
			h.Groups = func(yield func(string) bool) { slices.Values(groups[id])(yield) }
			w[id] = h
		}
		r := Request{Count: n, Constraints: Constraints{Distinct: true, Group: "web"}}
		seed := rand.Uint64()
		res := Place(w.view(), r, rand.New(rand.NewPCG(seed, seed)), func(c Choice) { groups[c.Instance] = append(groups[c.Instance], "web") })
		if len(res.Chosen) != n-1 || res.Missing != 1 || res.Rejected[Distinct] != n || res.Nearest.Reason != Distinct {
			t.Fatalf("seed %d: %+v", seed, res)
		}
		for id, g := range groups {
			if slices.Index(g, "web") != len(g)-1 {
				t.Errorf("seed %d: %s has %v", seed, id, g)
			}
		}
	}
}
