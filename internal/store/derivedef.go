package store

import (
	"iter"
	"strconv"
	"strings"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// Listings of task definitions walk an index by status: a page costs what is on
// it, whatever else is stored. The separator in a revision's id sorts before
// whatever a name can have, so that the order of ids is that of names, then of
// numbers; "-" would sort before the "/" of table keys.
const revisionSeparator = "\x00"

func revisionID(family string, revision int) string {
	return strings.Replace(revisionKey(family, revision), "/", revisionSeparator, 1)
}

func revisionOf(id string) fleet.TaskDefinitionRef {
	family, number, _ := strings.Cut(id, revisionSeparator)
	n, _ := strconv.Atoi(number) // ids are ours
	return fleet.TaskDefinitionRef{Family: family, Revision: n}
}

// applyRevision takes over one of a revision's two records.
func applyRevision[V any](of func(*tables) *table[V]) func(t *tables, key string, data []byte, mod int64) error {
	return func(t *tables, key string, data []byte, mod int64) error {
		was := t.revisionStatus(key)
		if err := put(of(t), key, data, mod); err != nil {
			return err
		}
		is := t.revisionStatus(key)
		if was == is {
			return nil
		}
		id := strings.Replace(key, "/", revisionSeparator, 1)
		if was != "" {
			t.definitionsByStatus.keep(false, t.private, string(was), id)
		}
		if is != "" {
			t.definitionsByStatus.keep(true, t.private, string(is), id)
		}
		family, _, _ := strings.Cut(key, "/")
		t.indexFamily(family)
		return nil
	}
}

// revisionStatus is a revision's status, "" where there is none.
func (t *tables) revisionStatus(key string) types.TaskDefinitionStatus {
	if d, _ := t.definitions.get(key); d == nil {
		return ""
	}
	if st, _ := t.definitionStates.get(key); st != nil {
		return st.Status
	}
	return types.TaskDefinitionStatusActive
}

// indexFamily enters a family under ACTIVE or INACTIVE, whether it has an ACTIVE
// revision, and under ALL; nowhere where it has none at all.
func (t *tables) indexFamily(family string) {
	active := t.hasRevision(types.TaskDefinitionStatusActive, family)
	some := active || t.hasRevision(types.TaskDefinitionStatusInactive, family) || t.hasRevision(types.TaskDefinitionStatusDeleteInProgress, family)
	for status, in := range map[types.TaskDefinitionFamilyStatus]bool{
		types.TaskDefinitionFamilyStatusActive: active, types.TaskDefinitionFamilyStatusInactive: some && !active, types.TaskDefinitionFamilyStatusAll: some,
	} {
		if t.familiesByStatus.has(string(status), family) != in {
			t.familiesByStatus.keep(in, t.private, string(status), family)
		}
	}
}

func (t *tables) hasRevision(status types.TaskDefinitionStatus, family string) bool {
	for id := range t.definitionsByStatus.of(string(status), family+revisionSeparator) {
		return strings.HasPrefix(id, family+revisionSeparator)
	}
	return false
}

// refer counts a task that has not stopped for its revision, or no longer does.
func (t *tables) refer(task *fleet.Task, by int) {
	id := revisionID(task.Family, task.Revision)
	n, _ := t.references.Get(id)
	if n += by; n == 0 {
		t.references.Delete(id)
	} else {
		t.references.Set(id, n)
	}
}

func held(r *taskRow) bool { return r != nil && r.state.Task != nil && r.state.Holds() }

// Revisions yields the revisions of a status by family and number, of one family
// only unless family is "", from the one after `after` on.
func (s *Snapshot) Revisions(status types.TaskDefinitionStatus, family string, after fleet.TaskDefinitionRef) iter.Seq[fleet.TaskDefinitionRef] {
	from, prefix := "", ""
	if family != "" {
		from, prefix = family+revisionSeparator, family+revisionSeparator
	}
	if after.Family != "" {
		from = max(from, revisionID(after.Family, after.Revision))
	}
	return refs(tab(s).definitionsByStatus.of(string(status), from), prefix)
}

// RevisionsBack is Revisions in the other direction: from the last one, or the
// one before `before`, down.
func (s *Snapshot) RevisionsBack(status types.TaskDefinitionStatus, family string, before fleet.TaskDefinitionRef) iter.Seq[fleet.TaskDefinitionRef] {
	from, prefix := "", ""
	if family != "" {
		from, prefix = family+"\x01", family+revisionSeparator // after all of the family's
	}
	if before.Family != "" {
		if id := revisionID(before.Family, before.Revision); from == "" || id < from {
			from = id
		}
	}
	return refs(tab(s).definitionsByStatus.back(string(status), from), prefix)
}

func refs(ids iter.Seq[string], prefix string) iter.Seq[fleet.TaskDefinitionRef] {
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
	for r := range s.RevisionsBack(types.TaskDefinitionStatusActive, family, fleet.TaskDefinitionRef{}) {
		return s.TaskDefinition(r.Family, r.Revision)
	}
	return nil, nil
}

// FamiliesOf yields the families with a status that begin with prefix by name,
// from the one after `after` on: ACTIVE ones have an ACTIVE revision, INACTIVE
// ones others only.
func (s *Snapshot) FamiliesOf(status types.TaskDefinitionFamilyStatus, prefix, after string) iter.Seq[string] {
	return func(yield func(string) bool) {
		if tab(s).familiesByStatus.has(string(status), prefix) && after < prefix && !yield(prefix) {
			return
		}
		for name := range tab(s).familiesByStatus.of(string(status), max(prefix, after)) {
			if !strings.HasPrefix(name, prefix) || !yield(name) {
				return
			}
		}
	}
}

// References counts the tasks of a revision that have not stopped, those without
// a host included.
func (s *Snapshot) References(family string, revision int) int {
	n, _ := tab(s).references.Get(revisionID(family, revision))
	return n
}
