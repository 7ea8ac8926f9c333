package conformance

const bindings = `"networkBindings": [{"bindIP": "0.0.0.0", "containerPort": 80, "hostPort": 8080, "protocol": "tcp"},
	{"bindIP": "0.0.0.0", "containerPortRange": "90-91", "hostPortRange": "9090-9091", "protocol": "udp"}]`

var instanceFieldCases = []fieldCase{
	{"RegisterContainerInstance: everything", `{"cluster": "$cluster$", "attributes": [{"name": "ecs.os-type", "value": "linux", "targetType": "container-instance", "targetId": "x"}],
		"containerInstanceArn": "$registered$", "tags": [{"key": "k", "value": "v"}], "instanceIdentityDocument": "d", "instanceIdentityDocumentSignature": "s",
		"platformDevices": [{"id": "gpu-1", "type": "GPU"}], "versionInfo": {"agentVersion": "1.0.0", "agentHash": "a", "dockerVersion": "d"},
		"totalResources": [{"name": "CPU", "type": "INTEGER", "integerValue": 1024, "longValue": 1, "doubleValue": 1}, {"name": "MEMORY", "type": "INTEGER", "integerValue": 1024},
			{"name": "PORTS", "type": "STRINGSET", "stringSetValue": ["22"]}, {"name": "PORTS_UDP", "type": "STRINGSET", "stringSetValue": []}]}`, ""},
	{"DescribeContainerInstances: everything", `{"cluster": "$cluster$", "containerInstances": ["$instance$"], "include": ["TAGS"]}`, ""},
	{"ListContainerInstances: everything", `{"cluster": "$cluster$", "filter": "attribute:ecs.os-type == linux", "status": "ACTIVE", "maxResults": 1}`, ""},
	{"PutAttributes: everything", `{"cluster": "$cluster$", "attributes": [{"name": "a", "value": "b", "targetType": "container-instance", "targetId": "$instance$"}]}`, ""},
	{"ListAttributes: everything", `{"cluster": "$cluster$", "targetType": "container-instance", "attributeName": "a", "attributeValue": "b", "maxResults": 1}`, ""},
	{"DeleteAttributes: with a value", `{"cluster": "$cluster$", "attributes": [{"name": "a", "value": "b", "targetType": "container-instance", "targetId": "$instance$"}]}`, "value"},
	{"DeleteAttributes: everything", `{"cluster": "$cluster$", "attributes": [{"name": "a", "targetType": "container-instance", "targetId": "$instance$"}]}`, ""},
	{"UpdateContainerAgent: everything", `{"cluster": "$cluster$", "containerInstance": "$instance$"}`, "agent"},
	{"DiscoverPollEndpoint: everything", `{"cluster": "$cluster$", "containerInstance": "$instance$"}`, ""},
	{"SubmitContainerStateChange: everything", `{"cluster": "$cluster$", "task": "$task$", "containerName": "main", "status": "RUNNING", "reason": "r", "runtimeId": "x", "exitCode": 1, ` + bindings + `}`, ""},
	{"SubmitTaskStateChange: everything", `{"cluster": "$cluster$", "task": "$task$", "status": "STOPPED", "reason": "r", "pullStartedAt": 1, "pullStoppedAt": 2, "executionStoppedAt": 3,
		"attachments": [{"attachmentArn": "a", "status": "ATTACHED"}], "managedAgents": [{"containerName": "main", "managedAgentName": "ExecuteCommandAgent", "status": "RUNNING", "reason": "r"}],
		"containers": [{"containerName": "main", "status": "STOPPED", "reason": "r", "runtimeId": "x", "imageDigest": "d", "exitCode": 1, ` + bindings + `}]}`, ""},
	{"SubmitAttachmentStateChanges: of an attachment", `{"cluster": "$cluster$", "attachments": [{"attachmentArn": "a", "status": "ATTACHED"}]}`, "attachment"},
	{"SubmitAttachmentStateChanges: of none", `{"cluster": "$cluster$", "attachments": []}`, ""},
	{"UpdateContainerInstancesState: everything", `{"cluster": "$cluster$", "containerInstances": ["$registered$"], "status": "DRAINING"}`, ""},
	{"DeregisterContainerInstance: everything", `{"cluster": "$cluster$", "containerInstance": "$registered$", "force": true}`, ""},
}
