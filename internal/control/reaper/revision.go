package reaper

import (
	"errors"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// unused finds the revisions of task definitions that are DELETE_IN_PROGRESS and
// of which no task that has not stopped is.
func unused(snap *store.Snapshot) (due []fleet.TaskDefinitionRef) {
	for r := range snap.Revisions(types.TaskDefinitionStatusDeleteInProgress, "", fleet.TaskDefinitionRef{}) {
		if snap.References(r.Family, r.Revision) == 0 && !serving(snap, r) {
			due = append(due, r)
		}
	}
	return due
}

// bury deletes a revision's records. No task can come to be of it any more: its
// status, which is guarded here, never goes back, and whoever places a task
// guards it too. So a snapshot that shows the status shows every task that
// there will ever be.
func bury(tx *store.Tx, r fleet.TaskDefinitionRef) error {
	st := store.Get(tx, store.TaskDefinitionStateKey(r.Family, r.Revision))
	if st == nil || st.Status != types.TaskDefinitionStatusDeleteInProgress || tx.Snapshot().References(r.Family, r.Revision) > 0 || serving(tx.Snapshot(), r) {
		return nil
	}
	return errors.Join(
		store.Delete(tx, store.TaskDefinitionStateKey(r.Family, r.Revision)),
		drop(tx, store.TaskDefinitionKey(r.Family, r.Revision)))
}
