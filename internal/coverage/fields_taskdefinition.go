package coverage

const registersOnly = "The definition registers; RunTask and StartTask refuse it, and name this member with all others that keep it from running, until hosts can do it."

var definitionFields = map[string][]Field{
	"RegisterTaskDefinition": fields(
		effective("family", "containerDefinitions", "cpu", "memory", "networkMode", "placementConstraints", "requiresCompatibilities", "runtimePlatform", "tags", "volumes"),
		effectivePartly("host and none; a definition with task registers, and RunTask and StartTask refuse it.", "pidMode", "ipcMode"),
		stored(registersOnly, "taskRoleArn", "proxyConfiguration", "inferenceAccelerators", "containerDefinitions[].secrets", "containerDefinitions[].environmentFiles",
			"containerDefinitions[].firelensConfiguration", "containerDefinitions[].credentialSpecs",
			"containerDefinitions[].logConfiguration.secretOptions", "containerDefinitions[].resourceRequirements[].sharingStrategy",
			"volumes[].efsVolumeConfiguration", "volumes[].fsxWindowsFileServerVolumeConfiguration", "volumes[].s3filesVolumeConfiguration", "volumes[].configuredAtLaunch"),
		stored("Hosts pull images and write logs with credentials of their own.", "executionRoleArn"),
		stored("An image that is on the host runs. Where it must be pulled, the task's failure says that credentials of registries are not served yet.", "containerDefinitions[].repositoryCredentials"),
		stored("Each host resolves an image's tag by itself.", "containerDefinitions[].versionConsistency"),
		stored(noConnect, "containerDefinitions[].portMappings[].appProtocol", "containerDefinitions[].portMappings[].name"),
		stored("Disks are the host's own.", "ephemeralStorage"),
		stored("Agents inject no faults here.", "enableFaultInjection"),
	),
	"DescribeTaskDefinition":     effective("taskDefinition", "include"),
	"DeregisterTaskDefinition":   effective("taskDefinition"),
	"DeleteTaskDefinitions":      effective("taskDefinitions"),
	"ListTaskDefinitions":        effective("familyPrefix", "status", "sort", "maxResults", "nextToken"),
	"ListTaskDefinitionFamilies": effective("familyPrefix", "status", "maxResults", "nextToken"),
}
