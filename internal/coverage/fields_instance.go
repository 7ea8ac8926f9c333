package coverage

var instanceFields = map[string][]Field{
	"RegisterContainerInstance": fields(
		effective("attributes", "cluster", "containerInstanceArn", "tags", "totalResources", "platformDevices"),
		stored("Shown as sent, until the agent says another by its connection.", "versionInfo"),
		stored("Shown as ec2InstanceId. A host is known by its own key, not by a document of EC2, and the signature is not looked at.",
			"instanceIdentityDocument", "instanceIdentityDocumentSignature"),
	),
	"DeregisterContainerInstance":   effective("cluster", "containerInstance", "force"),
	"DescribeContainerInstances":    effective("cluster", "containerInstances", "include"),
	"ListContainerInstances":        effective("cluster", "filter", "status", "maxResults", "nextToken"),
	"UpdateContainerInstancesState": effective("cluster", "containerInstances", "status"),
	"UpdateContainerAgent":          refused("A host's agent is updated by the host's owner.", "containerInstance", "cluster"),
	"DiscoverPollEndpoint":          effective("cluster", "containerInstance"),
	"PutAttributes":                 effective("cluster", "attributes"),
	"DeleteAttributes": fields(
		effective("cluster", "attributes"),
		refused("An attribute is deleted by its name and target.", "attributes[].value"),
	),
	"ListAttributes": effective("cluster", "targetType", "attributeName", "attributeValue", "maxResults", "nextToken"),
	"SubmitTaskStateChange": fields(
		effective("cluster", "task", "status", "reason", "containers", "pullStartedAt", "pullStoppedAt", "executionStoppedAt"),
		stored("Acknowledged; there are no attachments and managed agents here yet.", "attachments", "managedAgents"),
	),
	"SubmitContainerStateChange": effective("cluster", "task", "containerName", "status", "reason", "runtimeId", "exitCode", "networkBindings"),
	"SubmitAttachmentStateChanges": fields(
		effective("cluster"),
		refused("There are no attachments here yet, so none is known.", "attachments"),
	),
}
