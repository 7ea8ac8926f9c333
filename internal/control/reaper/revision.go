package reaper

import (
	"errors"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// isUnused reports whether no live task and no service uses a DELETE_IN_PROGRESS
// revision. If a record of a cluster can't be read, it may use the revision, so the
// answer is false.
func isUnused(snap *store.Snapshot, r fleet.TaskDefinitionRef) bool {
	return snap.References(r.Family, r.Revision) == 0 && !isUsedByService(snap, r) && snap.AllReadable(store.Clusters) == nil
}

// deleteRevision deletes a revision's records. No new task can use this revision: its
// status, which this transaction guards, never goes back, and each transaction that
// places a task guards it too. So a snapshot that shows the status also shows every
// task that will ever use the revision.
func deleteRevision(tx *store.Tx, r fleet.TaskDefinitionRef) error {
	st := store.Get(tx, store.TaskDefinitionStateKey(r.Family, r.Revision))
	if st == nil || st.Status != types.TaskDefinitionStatusDeleteInProgress || !isUnused(tx.Snapshot(), r) {
		return nil
	}
	return errors.Join(
		store.Delete(tx, store.TaskDefinitionStateKey(r.Family, r.Revision)),
		deleteIfPresent(tx, store.TaskDefinitionKey(r.Family, r.Revision)))
}
