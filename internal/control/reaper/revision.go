package reaper

import (
	"errors"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// unused says of a DELETE_IN_PROGRESS revision whether no live task and no service
// uses it. A record of a cluster that can't be read may be of one that does.
func isUnused(snap *store.Snapshot, r fleet.TaskDefinitionRef) bool {
	return snap.References(r.Family, r.Revision) == 0 && !isUsedByService(snap, r) && snap.AllReadable(store.Clusters) == nil
}

// bury deletes a revision's records. No task can come to be of it any more: its
// status, which is guarded here, never goes back, and whoever places a task
// guards it too. So a snapshot that shows the status shows every task that
// there will ever be.
func deleteRevision(tx *store.Tx, r fleet.TaskDefinitionRef) error {
	st := store.Get(tx, store.TaskDefinitionStateKey(r.Family, r.Revision))
	if st == nil || st.Status != types.TaskDefinitionStatusDeleteInProgress || !isUnused(tx.Snapshot(), r) {
		return nil
	}
	return errors.Join(
		store.Delete(tx, store.TaskDefinitionStateKey(r.Family, r.Revision)),
		deleteIfPresent(tx, store.TaskDefinitionKey(r.Family, r.Revision)))
}
