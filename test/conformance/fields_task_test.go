package conformance

const (
	taskOverrides = `"overrides": {"cpu": "256", "memory": "256", "executionRoleArn": "arn:aws:iam::000000000000:role/e",
		"containerOverrides": [{"name": "main", "command": ["sleep", "60"], "cpu": 8, "memory": 32, "memoryReservation": 16, "environment": [{"name": "A", "value": "b"}]}]}`
	launched = `"cluster": "$cluster$", "taskDefinition": "$definition$", "enableECSManagedTags": true, "group": "g", "startedBy": "me", "propagateTags": "TASK_DEFINITION",
		"referenceId": "r", "tags": [{"key": "k", "value": "v"}], ` + taskOverrides
	ebsVolumes = `"volumeConfigurations": [{"name": "v", "managedEBSVolume": {"roleArn": "arn:aws:iam::000000000000:role/r", "encrypted": true, "filesystemType": "xfs", "iops": 3000,
		"kmsKeyId": "alias/k", "sizeInGiB": 10, "snapshotId": "snap-1", "tagSpecifications": [{"resourceType": "volume", "propagateTags": "NONE", "tags": [{"key": "k", "value": "v"}]}],
		"terminationPolicy": {"deleteOnTermination": true}, "throughput": 125, "volumeInitializationRate": 100, "volumeType": "gp3"}}]`
)

var taskFieldCases = []fieldCase{
	{"RunTask: on EC2", `{` + launched + `, "count": 1, "clientToken": "$name$", "launchType": "EC2", "placementStrategy": [{"type": "spread", "field": "attribute:ecs.availability-zone"}, {"type": "binpack", "field": "memory"}],
		"placementConstraints": [{"type": "memberOf", "expression": "attribute:ecs.os-type == linux"}]}`, ""},
	{"RunTask: by a provider", `{"cluster": "$cluster$", "taskDefinition": "$definition$", "capacityProviderStrategy": [{"capacityProvider": "$provider$", "base": 1, "weight": 1}]}`, ""},
	{"RunTask: in a network of its own", `{"cluster": "$cluster$", "taskDefinition": "$fargate$", "launchType": "FARGATE", "platformVersion": "1.4.0", "overrides": {"ephemeralStorage": {"sizeInGiB": 30}},
		"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"], "securityGroups": ["sg-1"], "assignPublicIp": "ENABLED"}}}`, ""},
	{"RunTask: ExecuteCommand", `{"cluster": "$cluster$", "taskDefinition": "$definition$", "enableExecuteCommand": true}`, "enableExecuteCommand"},
	{"RunTask: volumes of EBS", `{"cluster": "$cluster$", "taskDefinition": "$definition$", ` + ebsVolumes + `}`, "volume"},
	{"StartTask: everything", `{` + launched + `, "containerInstances": ["$instance$"]}`, ""},
	{"StartTask: in a network of its own", `{"cluster": "$cluster$", "taskDefinition": "$fargate$", "containerInstances": ["$vpc$"],
		"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"], "securityGroups": ["sg-1"], "assignPublicIp": "DISABLED"}}}`, ""},
	{"StartTask: ephemeral storage", `{"cluster": "$cluster$", "taskDefinition": "$definition$", "containerInstances": ["$instance$"], "overrides": {"ephemeralStorage": {"sizeInGiB": 30}}}`, "ephemeralStorage"},
	{"StartTask: ExecuteCommand", `{"cluster": "$cluster$", "taskDefinition": "$definition$", "containerInstances": ["$instance$"], "enableExecuteCommand": true}`, "enableExecuteCommand"},
	{"StartTask: volumes of EBS", `{"cluster": "$cluster$", "taskDefinition": "$definition$", "containerInstances": ["$instance$"], ` + ebsVolumes + `}`, "volume"},
	{"RunTask: GPUs", `{"cluster": "$cluster$", "taskDefinition": "$definition$", "overrides": {"containerOverrides": [{"name": "main", "resourceRequirements": [{"type": "GPU", "value": "1"}]}]}}`, ""},
	{"RunTask: GPUs shared", `{"cluster": "$cluster$", "taskDefinition": "$definition$", "overrides": {"containerOverrides": [{"name": "main", "resourceRequirements": [{"type": "GPU", "sharingStrategy": {"nvidiaMps": {"memory": 1024}}}]}]}}`, "resourceRequirements"},
	{"RunTask: accelerators", `{"cluster": "$cluster$", "taskDefinition": "$accelerated$", "overrides": {"inferenceAcceleratorOverrides": [{"deviceName": "d", "deviceType": "eia1.large"}]}}`, "inferenceAccelerator"},
	{"StartTask: GPUs", `{"cluster": "$cluster$", "taskDefinition": "$definition$", "containerInstances": ["$instance$"], "overrides": {"containerOverrides": [{"name": "main", "resourceRequirements": [{"type": "GPU", "value": "1"}]}]}}`, ""},
	{"StartTask: GPUs shared", `{"cluster": "$cluster$", "taskDefinition": "$definition$", "containerInstances": ["$instance$"], "overrides": {"containerOverrides": [{"name": "main", "resourceRequirements": [{"type": "GPU", "sharingStrategy": {"nvidiaMps": {"memory": 1024}}}]}]}}`, "resourceRequirements"},
	{"StartTask: accelerators", `{"cluster": "$cluster$", "taskDefinition": "$accelerated$", "containerInstances": ["$instance$"], "overrides": {"inferenceAcceleratorOverrides": [{"deviceName": "d", "deviceType": "eia1.large"}]}}`, "inferenceAccelerator"},
	{"RunTask: a role", `{"cluster": "$cluster$", "taskDefinition": "$definition$", "overrides": {"taskRoleArn": "arn:aws:iam::000000000000:role/t"}}`, "taskRoleArn"},
	{"RunTask: files of S3", `{"cluster": "$cluster$", "taskDefinition": "$definition$", "overrides": {"containerOverrides": [{"name": "main",
		"environmentFiles": [{"type": "s3", "value": "arn:aws:s3:::bucket/x.env"}]}]}}`, "environmentFiles"},
	{"StartTask: a role", `{"cluster": "$cluster$", "taskDefinition": "$definition$", "containerInstances": ["$instance$"], "overrides": {"taskRoleArn": "arn:aws:iam::000000000000:role/t"}}`, "taskRoleArn"},
	{"StartTask: files of S3", `{"cluster": "$cluster$", "taskDefinition": "$definition$", "containerInstances": ["$instance$"], "overrides": {"containerOverrides": [{"name": "main",
		"environmentFiles": [{"type": "s3", "value": "arn:aws:s3:::bucket/x.env"}]}]}}`, "environmentFiles"},
	{"DescribeTasks: everything", `{"cluster": "$cluster$", "tasks": ["$task$"], "include": ["TAGS"]}`, ""},
	{"ListTasks: of an instance", `{"cluster": "$cluster$", "containerInstance": "$instance$", "desiredStatus": "RUNNING", "launchType": "EC2", "maxResults": 1}`, ""},
	{"ListTasks: of a family", `{"cluster": "$cluster$", "family": "$family$"}`, ""},
	{"ListTasks: of a starter", `{"cluster": "$cluster$", "startedBy": "me"}`, ""},
	{"ListTasks: of a service", `{"cluster": "$cluster$", "serviceName": "$service$"}`, ""},
	{"ListTasks: of a daemon", `{"cluster": "$cluster$", "daemonName": "d"}`, "daemon"},
	{"StopTask: everything", `{"cluster": "$cluster$", "task": "$task$", "reason": "enough"}`, ""},
}
