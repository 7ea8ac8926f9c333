package store

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"pgregory.net/rapid"
)

// TestRevisions compares listings, from any position and in both directions, with a
// sort of all revisions.
func TestRevisions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tab := newTables()
		family := rapid.SampledFrom([]string{"a", "a-b", "a_b", "ab", "A", "a0", "z"})
		var all []fleet.TaskDefinitionRef
		for _, r := range rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) fleet.TaskDefinitionRef {
			return fleet.TaskDefinitionRef{Family: family.Draw(t, "family"), Revision: rapid.IntRange(1, 1_000_000).Draw(t, "revision")}
		}), 0, 20, rapid.ID).Draw(t, "revisions") {
			data, err := marshal(&fleet.TaskDefinition{Family: r.Family, Revision: r.Revision})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := tab.apply(fmt.Sprintf("family/%s/revision/%08d", r.Family, r.Revision), data, 1); err != nil {
				t.Fatal(err)
			}
			all = append(all, r)
		}
		order := func(a, b fleet.TaskDefinitionRef) int {
			if c := strings.Compare(a.Family, b.Family); c != 0 {
				return c
			}
			return a.Revision - b.Revision
		}
		slices.SortFunc(all, order)
		of := rapid.OneOf(family, rapid.Just("")).Draw(t, "of")
		from := fleet.TaskDefinitionRef{}
		if rapid.Bool().Draw(t, "positioned") {
			from = fleet.TaskDefinitionRef{Family: family.Draw(t, "from"), Revision: rapid.IntRange(1, 1_000_000).Draw(t, "at")}
		}
		snap := &Snapshot{hidden: tab}
		want := func(after bool) (out []fleet.TaskDefinitionRef) {
			for _, r := range all {
				c := order(r, from)
				if (of == "" || r.Family == of) && (from.Family == "" || after && c > 0 || !after && c < 0) {
					out = append(out, r)
				}
			}
			return out
		}
		if got := slices.Collect(snap.Revisions(types.TaskDefinitionStatusActive, of, from)); !slices.Equal(got, want(true)) {
			t.Fatalf("%v of %q after %v: %v", all, of, from, got)
		}
		back := want(false)
		slices.Reverse(back)
		if got := slices.Collect(snap.RevisionsDescending(types.TaskDefinitionStatusActive, of, from)); !slices.Equal(got, back) {
			t.Fatalf("%v of %q before %v: %v", all, of, from, got)
		}
		var families []string
		prefix, past := rapid.SampledFrom([]string{"", "a", "a-b", "b"}).Draw(t, "prefix"), rapid.OneOf(family, rapid.Just("")).Draw(t, "past")
		for _, r := range all {
			if strings.HasPrefix(r.Family, prefix) && r.Family > past && !slices.Contains(families, r.Family) {
				families = append(families, r.Family)
			}
		}
		if got := slices.Collect(snap.FamiliesOf(types.TaskDefinitionFamilyStatusAll, prefix, past)); !slices.Equal(got, families) {
			t.Fatalf("families of %v with %q after %q: %v", all, prefix, past, got)
		}
	})
}
