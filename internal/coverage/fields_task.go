package coverage

import "slices"

const (
	noVPC = "Network mode awsvpc comes with the agent's own networks; until then no host offers it, and a task that needs it is refused or not placed."
	noEBS = "There are no volumes of EBS here."
)

// launchFields are what RunTask and StartTask have in common.
var launchFields = fields(
	effective("cluster", "taskDefinition", "enableECSManagedTags", "group", "startedBy", "propagateTags", "tags", "referenceId"),
	effective("overrides.containerOverrides", "overrides.cpu", "overrides.memory"),
	refused("Agents fetch no files from S3 yet.", "overrides.containerOverrides[].environmentFiles"),
	refused("GPUs are not shared here.", "overrides.containerOverrides[].resourceRequirements[].sharingStrategy"),
	refused("Containers get no credentials of a role here yet.", "overrides.taskRoleArn"),
	stored("Hosts pull images with their own credentials.", "overrides.executionRoleArn"),
	refused("AWS has given up Elastic Inference, and no host has any.", "overrides.inferenceAcceleratorOverrides"),
	stored(noVPC, "networkConfiguration"),
	refused("There is no ExecuteCommand here yet.", "enableExecuteCommand"),
	refused(noEBS, "volumeConfigurations"),
)

var taskFields = map[string][]Field{
	"RunTask": slices.Concat(launchFields, fields(
		effective("capacityProviderStrategy", "clientToken", "count", "launchType", "placementConstraints", "placementStrategy"),
		stored("All hosts run one platform.", "platformVersion"),
		stored("Disks are the host's own.", "overrides.ephemeralStorage"),
	)),
	"StartTask": slices.Concat(launchFields, fields(
		effective("containerInstances"),
		refused("It is for FARGATE, for which StartTask is not.", "overrides.ephemeralStorage"),
	)),
	"StopTask":      effective("cluster", "task", "reason"),
	"DescribeTasks": effective("cluster", "tasks", "include"),
	"ListTasks": fields(
		effective("cluster", "containerInstance", "desiredStatus", "family", "launchType", "maxResults", "nextToken", "serviceName", "startedBy"),
		refused("There are no daemons here yet, so none is found.", "daemonName"),
	),
	"GetTaskProtection":    effective("cluster", "tasks"),
	"UpdateTaskProtection": effective("cluster", "tasks", "protectionEnabled", "expiresInMinutes"),
}
