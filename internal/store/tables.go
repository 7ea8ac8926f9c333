package store

import (
	"github.com/ashore/ashore/internal/fleet"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/tidwall/btree"
)

// tables are all records in memory, with their indexes and what is derived from
// them. One goroutine changes them; snapshots are copies.
type tables struct {
	shelf shelf // what has no tables of its own

	instances table[fleet.Instance]       // cluster/id
	waiting   table[fleet.Task]           // cluster/id: tasks that have no host yet
	tasks     btree.Map[string, *taskRow] // cluster/id
	hosts     hashed[*hostRow]

	tasksByInstance set // cluster/instance → task id
	tasksListed     set // cluster/desired status, alone and with what listings filter by → task id

	tasksFailed set // cluster/deployment → ids of tasks that have failed
	tasksEnding set // cluster/service → ids of tasks that are to end and have not yet

	definitionsByStatus set // status → revision's id
	familiesByStatus    set // ACTIVE, INACTIVE, ALL → family

	// providerTasks counts the tasks that have not stopped, those that wait too.
	providerTasks btree.Map[string, int]           // cluster/capacity provider
	counts        btree.Map[string, ClusterCounts] // cluster
	serviceTasks  btree.Map[string, ServiceCounts] // cluster/service:name, cluster/ecs-svc/deployment, and cluster/ecs-svc/deployment/provider
	references    btree.Map[string, int]           // revision's id → its tasks that have not stopped

	// unreadable are the records that can't be read, by path; torn are those among
	// them whose application has panicked.
	unreadable btree.Map[string, Unreadable]
	torn       torn
	unknown    btree.Map[string, unknownRecords] // by outline

	// instancesMod is the revision of the last change of any instance.
	instancesMod int64

	// private says that no snapshot has been taken yet, so that nothing inside
	// needs to be copied before it changes.
	private bool
}

// ClusterCounts are a cluster's derived numbers. Instances counts those not
// INACTIVE, Stopped the tasks whose host has reported them so, Waiting those of
// Pending that have no host.
type ClusterCounts struct {
	Instances, Pending, Running, Stopped, Waiting int
	ByLaunchType                                  [4]LaunchCounts // see Of
}

// ServiceCounts are the tasks of a service or of a deployment: Pending and
// Running those that are to run, Stopping those that are to end and have not yet,
// EndedEarly those that have, by themselves (see fleet.TaskState).
type ServiceCounts struct{ Pending, Running, Stopping, EndedEarly int }

// LaunchCounts are a cluster's tasks of one launch type.
type LaunchCounts struct{ Pending, Running int }

// Of returns the counts of one launch type.
func (c ClusterCounts) Of(t types.LaunchType) LaunchCounts {
	if i := launchType(t); i >= 0 {
		return c.ByLaunchType[i]
	}
	return LaunchCounts{}
}

// launchType is a launch type's place in the counts, -1 for an unknown one.
func launchType(t types.LaunchType) int {
	switch t {
	case types.LaunchTypeEc2:
		return 0
	case types.LaunchTypeFargate:
		return 1
	case types.LaunchTypeExternal:
		return 2
	case types.LaunchTypeManagedInstances:
		return 3
	}
	return -1
}

func newTables() *tables { return &tables{shelf: newShelf(registered.slots), private: true} }

func (t *tables) copied() *tables {
	return &tables{
		instancesMod: t.instancesMod,
		unreadable:   *t.unreadable.Copy(), torn: t.torn, unknown: *t.unknown.Copy(),
		shelf:     t.shelf.copied(),
		instances: t.instances.copied(), waiting: t.waiting.copied(), tasks: *t.tasks.Copy(), hosts: t.hosts.copied(),
		tasksByInstance: t.tasksByInstance.copied(), tasksListed: t.tasksListed.copied(),
		tasksFailed: t.tasksFailed.copied(), tasksEnding: t.tasksEnding.copied(),
		definitionsByStatus: t.definitionsByStatus.copied(), familiesByStatus: t.familiesByStatus.copied(),
		providerTasks: *t.providerTasks.Copy(), counts: *t.counts.Copy(), serviceTasks: *t.serviceTasks.Copy(), references: *t.references.Copy(),
	}
}
