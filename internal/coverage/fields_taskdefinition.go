package coverage

const noCapability = "The definition registers; its tasks are placed on hosts whose agents have the capability, which Ashore's own doesn't have yet."

var definitionFields = map[string][]Field{
	"RegisterTaskDefinition": fields(
		effective("family", "containerDefinitions", "cpu", "memory", "networkMode", "pidMode", "ipcMode", "placementConstraints",
			"requiresCompatibilities", "runtimePlatform", "tags", "volumes"),
		stored(noCapability, "containerDefinitions[].secrets", "containerDefinitions[].environmentFiles", "containerDefinitions[].repositoryCredentials",
			"containerDefinitions[].firelensConfiguration", "containerDefinitions[].logConfiguration.secretOptions", "containerDefinitions[].credentialSpecs",
			"volumes[].efsVolumeConfiguration", "volumes[].fsxWindowsFileServerVolumeConfiguration", "volumes[].s3filesVolumeConfiguration", "proxyConfiguration"),
		stored("GPUs are never shared here.", "containerDefinitions[].resourceRequirements[].sharingStrategy"),
		stored("An image's tag is resolved by each host by itself.", "containerDefinitions[].versionConsistency"),
		stored(noConnect, "containerDefinitions[].portMappings[].appProtocol", "containerDefinitions[].portMappings[].name"),
		stored(noRole, "taskRoleArn", "executionRoleArn"),
		stored("Disks are the host's own.", "ephemeralStorage"),
		stored("Agents inject no faults here.", "enableFaultInjection"),
		stored("What it is, is said at launch; there are no volumes of EBS here.", "volumes[].configuredAtLaunch"),
		refused("AWS has given up Elastic Inference.", "inferenceAccelerators"),
	),
	"DescribeTaskDefinition":     effective("taskDefinition", "include"),
	"DeregisterTaskDefinition":   effective("taskDefinition"),
	"DeleteTaskDefinitions":      effective("taskDefinitions"),
	"ListTaskDefinitions":        effective("familyPrefix", "status", "sort", "maxResults", "nextToken"),
	"ListTaskDefinitionFamilies": effective("familyPrefix", "status", "maxResults", "nextToken"),
}
