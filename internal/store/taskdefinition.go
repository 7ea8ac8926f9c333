package store

import (
	"fmt"
	"iter"
	"strconv"
	"strings"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

var (
	families         = Register[fleet.Family]("family/*").PartOf(TaskDefinitionChanged)
	definitions      = Register[fleet.TaskDefinition]("family/*/revision/*")
	definitionStates = Register[fleet.TaskDefinitionState]("family/*/revision/*/state").PartOf(TaskDefinitionChanged)
)

func init() {
	indexRevisions(holderOf(definitions.k))
	indexRevisions(holderOf(definitionStates.k))
}

// TaskDefinitionChanged is the kind of changes of a family or a revision. Its names are
// the family and the padded revision.
var TaskDefinitionChanged = definitions.Changed()

// FamilyKey names a task definition's family.
func FamilyKey(name string) Key[fleet.Family] { return families.Key(name) }

// FamilyMembers is the prefix of a family's revisions.
func FamilyMembers(name string) string { return families.Members(name) }

// TaskDefinitionKey names one revision's immutable record.
func TaskDefinitionKey(family string, revision int) Key[fleet.TaskDefinition] {
	return definitions.Key(family, revisionName(revision))
}

// TaskDefinitionStateKey names the changing part of a revision.
func TaskDefinitionStateKey(family string, revision int) Key[fleet.TaskDefinitionState] {
	return definitionStates.Key(family, revisionName(revision))
}

// revisionName returns a revision's name, padded so that names sort as numbers do. ECS
// allows 1,000,000 revisions in a family.
func revisionName(revision int) string { return fmt.Sprintf("%08d", revision) }

// RevisionNumber returns the number of a revision that a change names, 0 if it names a
// family.
func RevisionNumber(name string) int {
	n, err := strconv.Atoi(name)
	if err != nil {
		return 0
	}
	return n
}

// Family returns a family's counter, or nil.
func (s *Snapshot) Family(name string) *fleet.Family { return families.Get(s, name) }

// Families yields the families by name, from the one after `after` on.
func (s *Snapshot) Families(after string) iter.Seq2[string, *fleet.Family] {
	return byName(families, s, after)
}

// TaskDefinition returns a revision and its changing part (nil while ACTIVE
// and untagged), or nil.
func (s *Snapshot) TaskDefinition(family string, revision int) (*fleet.TaskDefinition, *fleet.TaskDefinitionState) {
	key := revisionID(family, revision)
	d, _ := recordIn(tab(s), definitions, key)
	st, _ := recordIn(tab(s), definitionStates, key)
	return d, st
}

// TaskDefinitions yields a family's revisions, the oldest first.
func (s *Snapshot) TaskDefinitions(family string) iter.Seq[*fleet.TaskDefinition] {
	return definitions.values(s, Range{Within: []string{family}})
}

// Listings of task definitions read an index by status, so a page costs only what is on
// it. A revision's id is its table key. Ids therefore sort by family, then by number.
func revisionID(family string, revision int) string { return tableKey(family, revisionName(revision)) }

func revisionOf(id string) fleet.TaskDefinitionRef {
	names := namesIn(id, 2)
	n, _ := strconv.Atoi(names[1]) // ids come from revisionID
	return fleet.TaskDefinitionRef{Family: names[0], Revision: n}
}

// indexRevisions makes the holder of one of a revision's two records update the indexes
// of revisions and families. Both records decide what the indexes contain.
func indexRevisions(h *holder) {
	apply := h.apply
	h.apply = func(t *tables, key string, data []byte, mod int64) error {
		was := t.revisionStatus(key)
		if err := apply(t, key, data, mod); err != nil {
			return err
		}
		is := t.revisionStatus(key)
		if was == is {
			return nil
		}
		if was != "" {
			t.definitionsByStatus.update(false, t.private, string(was), key)
		}
		if is != "" {
			t.definitionsByStatus.update(true, t.private, string(is), key)
		}
		family, _, _ := strings.Cut(key, separator)
		t.indexFamily(family)
		return nil
	}
}

// revisionStatus returns a revision's status, "" if there is no such revision.
func (t *tables) revisionStatus(key string) types.TaskDefinitionStatus {
	if d, _ := recordIn(t, definitions, key); d == nil {
		return ""
	}
	if st, _ := recordIn(t, definitionStates, key); st != nil {
		return st.Status
	}
	return types.TaskDefinitionStatusActive
}

// indexFamily indexes a family under ALL, and under ACTIVE if it has an ACTIVE
// revision, else under INACTIVE. It removes a family without any revision from all of
// them.
func (t *tables) indexFamily(family string) {
	active := t.hasRevision(types.TaskDefinitionStatusActive, family)
	some := active || t.hasRevision(types.TaskDefinitionStatusInactive, family) || t.hasRevision(types.TaskDefinitionStatusDeleteInProgress, family)
	for status, in := range map[types.TaskDefinitionFamilyStatus]bool{
		types.TaskDefinitionFamilyStatusActive: active, types.TaskDefinitionFamilyStatusInactive: some && !active, types.TaskDefinitionFamilyStatusAll: some,
	} {
		if t.familiesByStatus.has(string(status), family) != in {
			t.familiesByStatus.update(in, t.private, string(status), family)
		}
	}
}

func (t *tables) hasRevision(status types.TaskDefinitionStatus, family string) bool {
	for id := range t.definitionsByStatus.of(string(status), family+separator) {
		return strings.HasPrefix(id, family+separator)
	}
	return false
}

// countReference adds by to the number of a revision's tasks that have not stopped.
func (t *tables) countReference(task *fleet.Task, by int) {
	id := revisionID(task.Family, task.Revision)
	n, _ := t.references.Get(id)
	if n += by; n == 0 {
		t.references.Delete(id)
	} else {
		t.references.Set(id, n)
	}
}

func isLive(r *taskRow) bool { return r != nil && r.state.Task != nil && r.state.Holds() }

// Revisions yields the revisions with a status by family and number. Unless family is
// "" it yields only that family's revisions. It begins after `after`.
func (s *Snapshot) Revisions(status types.TaskDefinitionStatus, family string, after fleet.TaskDefinitionRef) iter.Seq[fleet.TaskDefinitionRef] {
	from, prefix := "", ""
	if family != "" {
		from, prefix = family+separator, family+separator
	}
	if after.Family != "" {
		from = max(from, revisionID(after.Family, after.Revision))
	}
	return parseRevisions(tab(s).definitionsByStatus.of(string(status), from), prefix)
}

// RevisionsDescending is Revisions in descending order. It begins before `before`, or
// at the last revision if `before` is empty.
func (s *Snapshot) RevisionsDescending(status types.TaskDefinitionStatus, family string, before fleet.TaskDefinitionRef) iter.Seq[fleet.TaskDefinitionRef] {
	from, prefix := "", ""
	if family != "" {
		from, prefix = family+"\x01", family+separator // sorts after all revisions of the family
	}
	if before.Family != "" {
		if id := revisionID(before.Family, before.Revision); from == "" || id < from {
			from = id
		}
	}
	return parseRevisions(tab(s).definitionsByStatus.descend(string(status), from), prefix)
}

func parseRevisions(ids iter.Seq[string], prefix string) iter.Seq[fleet.TaskDefinitionRef] {
	return func(yield func(fleet.TaskDefinitionRef) bool) {
		for id := range ids {
			if !strings.HasPrefix(id, prefix) || !yield(revisionOf(id)) {
				return
			}
		}
	}
}

// LatestRevision returns a family's latest ACTIVE revision and its changing
// part, or nil.
func (s *Snapshot) LatestRevision(family string) (*fleet.TaskDefinition, *fleet.TaskDefinitionState) {
	for r := range s.RevisionsDescending(types.TaskDefinitionStatusActive, family, fleet.TaskDefinitionRef{}) {
		return s.TaskDefinition(r.Family, r.Revision)
	}
	return nil, nil
}

// FamiliesOf yields the families with a status whose names begin with prefix, by name.
// It begins after the name `after`. An ACTIVE family has an ACTIVE revision; an
// INACTIVE family has only others.
func (s *Snapshot) FamiliesOf(status types.TaskDefinitionFamilyStatus, prefix, after string) iter.Seq[string] {
	return func(yield func(string) bool) { scanFamilies(s, status, prefix, after, yield) }
}

// scanFamilies is not inlined: see tab.
//
//go:noinline
func scanFamilies(s *Snapshot, status types.TaskDefinitionFamilyStatus, prefix, after string, yield func(string) bool) {
	if tab(s).familiesByStatus.has(string(status), prefix) && after < prefix && !yield(prefix) {
		return
	}
	for name := range tab(s).familiesByStatus.of(string(status), max(prefix, after)) {
		if !strings.HasPrefix(name, prefix) || !yield(name) {
			return
		}
	}
}

// References counts the tasks of a revision that have not stopped, including tasks
// without a host.
func (s *Snapshot) References(family string, revision int) int {
	n, _ := tab(s).references.Get(revisionID(family, revision))
	return n
}
