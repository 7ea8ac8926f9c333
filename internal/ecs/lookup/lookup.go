// Package lookup finds the records that an ECS request names, and words the refusal
// if they do not exist.
package lookup

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/ashore/ashore/internal/control/capacity"
	"github.com/ashore/ashore/internal/ecs/refuse"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// ActiveCluster returns the cluster that a request means; it must be ACTIVE.
func ActiveCluster(get func(name string) *fleet.Cluster, site fleet.Site, ref *string) (*fleet.Cluster, error) {
	name, ok := site.ClusterName(aws.ToString(ref))
	if !ok || !fleet.ValidName(name) {
		return nil, refuse.ClusterNotFound()
	}
	c := get(name)
	if c == nil {
		return nil, refuse.ClusterNotFound()
	}
	if c.Status != fleet.ClusterActive {
		return nil, refuse.Invalid("The referenced cluster was inactive.")
	}
	return c, nil
}

// ClusterTx is ActiveCluster for a transaction. The transaction then commits only if
// the cluster is unchanged.
func ClusterTx(tx *store.Tx, site fleet.Site, ref *string) (*fleet.Cluster, error) {
	return ActiveCluster(func(name string) *fleet.Cluster { return store.Get(tx, store.ClusterKey(name)) }, site, ref)
}

// Cluster is ActiveCluster for a read. It returns an error if the record can't be
// read.
func Cluster(snap *store.Snapshot, site fleet.Site, ref *string) (*fleet.Cluster, error) {
	var broken error
	c, err := ActiveCluster(func(name string) *fleet.Cluster {
		broken = store.Readable(snap, store.ClusterKey(name))
		return snap.Cluster(name)
	}, site, ref)
	return c, cmp.Or(broken, err)
}

// Member resolves a request's name of a task or container instance: it returns the
// name of its cluster and its id.
func Member(site fleet.Site, typ string, cluster *string, ref string) (name, id string, ok bool) {
	name, ok = site.ClusterName(aws.ToString(cluster))
	if !ok {
		return "", "", false
	}
	id, ok = site.MemberID(typ, name, ref)
	return name, id, ok && fleet.IsID(id)
}

// Definition finds the task definition that a request names.
func Definition(snap *store.Snapshot, site fleet.Site, ref string) (*fleet.TaskDefinition, *fleet.TaskDefinitionState, error) {
	r, err := site.TaskDefinitionRef(ref)
	if err != nil {
		return nil, nil, err
	}
	if r.Revision > 0 {
		d, st := snap.TaskDefinition(r.Family, r.Revision)
		if d == nil {
			if err := store.Readable(snap, store.TaskDefinitionKey(r.Family, r.Revision)); err != nil {
				return nil, nil, err
			}
			return nil, nil, fmt.Errorf("task definition %s:%d does not exist", r.Family, r.Revision)
		}
		return d, st, nil
	}
	// The record of the latest revision may be unreadable.
	if err := snap.AllReadable(store.FamilyMembers(r.Family)); err != nil {
		return nil, nil, err
	}
	if d, st := snap.LatestRevision(r.Family); d != nil {
		return d, st, nil
	}
	if snap.Family(r.Family) == nil {
		return nil, nil, fmt.Errorf("task definition family %s does not exist", r.Family)
	}
	return nil, nil, fmt.Errorf("task definition family %s has no ACTIVE revision", r.Family)
}

// DefinitionStatus returns a revision's status. A revision without a state record is
// ACTIVE.
func DefinitionStatus(st *fleet.TaskDefinitionState) types.TaskDefinitionStatus {
	if st == nil {
		return types.TaskDefinitionStatusActive
	}
	return st.Status
}

// NotFoundError returns the refusal of a call whose task definition can't be
// resolved. Like ECS it distinguishes a revision that is no number from one that does
// not exist.
func NotFoundError(err error, text string) error {
	if wrong := (*fleet.RevisionError)(nil); errors.As(err, &wrong) {
		return refuse.Invalid("%s", wrong)
	}
	if errors.Is(err, store.ErrUnreadable) {
		return err
	}
	return refuse.Client("%s", text)
}

// UnreadableDetail returns the detail of a failure MISSING: that the record exists
// and can't be read, or "".
func UnreadableDetail[V any](snap *store.Snapshot, k store.Key[V]) string {
	if refused := (*store.UnreadableError)(nil); errors.As(store.Readable(snap, k), &refused) {
		return refused.Public()
	}
	return ""
}

// Task returns a task, also one that waits for its host, or nil.
func Task(snap *store.Snapshot, cluster, id string) *fleet.TaskState {
	if t := snap.Task(cluster, id); t != nil {
		return t
	}
	if w := snap.WaitingTask(cluster, id); w != nil {
		return &fleet.TaskState{Task: w}
	}
	return nil
}

// Provider returns a capacity provider, also one of those that always exist, or nil.
func Provider(snap *store.Snapshot, name string) *fleet.CapacityProvider {
	if capacity.IsFargate(name) {
		return &fleet.CapacityProvider{Name: name, Type: types.CapacityProviderType(name), Status: types.CapacityProviderStatusActive}
	}
	return snap.CapacityProvider(name)
}

// ProviderLaunchType returns the launch type of a capacity provider's tasks.
func ProviderLaunchType(snap *store.Snapshot, name string) types.LaunchType {
	switch p := Provider(snap, name); {
	case capacity.IsFargate(name):
		return types.LaunchTypeFargate
	case p != nil && p.Managed != nil:
		return types.LaunchTypeManagedInstances
	}
	return types.LaunchTypeEc2
}
