package store

import (
	"github.com/ashore/ashore/internal/fleet"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/tidwall/btree"
)

// tables holds all records in memory, with their indexes and the values derived from
// them. One goroutine changes it. Snapshots are copies.
type tables struct {
	shelf shelf // the kinds that have no tables of their own

	instances table[fleet.Instance]       // cluster/id
	waiting   table[fleet.Task]           // cluster/id: tasks that have no host yet
	tasks     btree.Map[string, *taskRow] // cluster/id
	hosts     hashed[*hostRow]

	tasksByInstance set // cluster/instance → task id
	tasksListed     set // cluster/desired status, alone or with a property that listings filter by → task id

	tasksFailed set // cluster/deployment → ids of tasks that have failed
	tasksEnding set // cluster/service → ids of tasks that have a stop order and have not ended

	definitionsByStatus set // status → revision's id
	familiesByStatus    set // ACTIVE, INACTIVE, ALL → family

	// providerTasks counts the tasks that have not stopped, including waiting ones.
	providerTasks btree.Map[string, int]           // cluster/capacity provider
	counts        btree.Map[string, ClusterCounts] // cluster
	serviceTasks  btree.Map[string, ServiceCounts] // cluster/service:name, cluster/ecs-svc/deployment, and cluster/ecs-svc/deployment/provider
	references    btree.Map[string, int]           // revision's id → number of its tasks that have not stopped

	// unreadable holds the records that can't be read, by path. torn holds those of
	// them whose application panicked.
	unreadable btree.Map[string, Unreadable]
	torn       torn
	unknown    btree.Map[string, unknownRecords] // by path pattern

	// instancesMod is the revision of the last change of any instance.
	instancesMod int64

	// private says that no snapshot has been made yet. Changes then need no copies.
	private bool
}

// ClusterCounts are a cluster's derived numbers. Instances counts the instances that
// are not INACTIVE. Stopped counts the tasks that their host has reported STOPPED.
// Waiting counts those of Pending that have no host.
type ClusterCounts struct {
	Instances, Pending, Running, Stopped, Waiting int
	ByLaunchType                                  [4]LaunchCounts // see Of
}

// ServiceCounts counts the tasks of a service or of a deployment. Pending and Running
// count tasks that should run. Stopping counts tasks that should stop and have not.
// EndedEarly counts tasks that stopped by themselves soon after their start (see
// fleet.TaskState).
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

// launchType returns the index of a launch type in the counts, -1 for an unknown type.
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
