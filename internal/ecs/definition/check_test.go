package definition

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ashore/ashore/internal/aws/protocol/awsjson"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
)

// definition is a task definition with more members of the task and of its
// first container, as JSON.
func definition(t testing.TB, task, container string) *sdk.RegisterTaskDefinitionInput {
	t.Helper()
	more := func(s string) string {
		if s != "" {
			return ", " + s
		}
		return ""
	}
	image := `, "image": "busybox"`
	if strings.Contains(container, `"image"`) {
		image = ""
	}
	text := fmt.Sprintf(`{"family": "f", "containerDefinitions": [{"name": "a"%s, "memoryReservation": 64%s},
		{"name": "b", "image": "busybox", "memoryReservation": 64, "essential": false}]%s}`, image, more(container), more(task))
	in := new(sdk.RegisterTaskDefinitionInput)
	if err := awsjson.Unmarshal([]byte(text), in); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return in
}

const (
	fargate = `"networkMode": "awsvpc", "cpu": "256", "memory": "512", "requiresCompatibilities": ["FARGATE"]`
	managed = `"networkMode": "host", "cpu": "256", "memory": "512", "requiresCompatibilities": ["MANAGED_INSTANCES"]`
	mesh    = `"networkMode": "awsvpc", "proxyConfiguration": {"containerName": "b", "properties": [%s]}`
	role    = `"executionRoleArn": "arn:aws:iam::000000000000:role/path/x"`
	core    = `"runtimePlatform": {"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"}`
	router  = `"firelensConfiguration": {"type": "fluentbit"%s}, "logConfiguration": {"logDriver": "awsfirelens"}`
)

// TestDefinitionRefusals has a definition for each rule, wrong in one way.
func TestDefinitionRefusals(t *testing.T) {
	for _, tt := range []struct{ want, task, container string }{
		// the task
		{"Invalid network mode", `"networkMode": "nat"`, ""},
		{"pidMode", `"pidMode": "x"`, ""},
		{"ipcMode", `"ipcMode": "x"`, ""},
		{"enableFaultInjection is only supported when networkMode", `"enableFaultInjection": true`, ""},
		{"Role is not valid: taskRoleArn", `"taskRoleArn": "arn:aws:iam::1:role/x"`, ""},
		{"Role is not valid: executionRoleArn", `"executionRoleArn": "arn:aws:iam::000000000000:user/x"`, ""},
		{"Role is not valid", `"taskRoleArn": "a b"`, ""},
		{"at most 10", `"placementConstraints": [` + strings.TrimSuffix(strings.Repeat(`{"type": "memberOf", "expression": "attribute:a exists"},`, 11), ",") + `]`, ""},
		{"placementConstraints.type must be memberOf", `"placementConstraints": [{"type": "distinctInstance"}]`, ""},
		{"placementConstraints.expression", `"placementConstraints": [{"type": "memberOf", "expression": " "}]`, ""},
		{"placementConstraints.expression \"x\" is invalid", `"placementConstraints": [{"type": "memberOf", "expression": "x"}]`, ""},
		{"EphemeralStorage size should be at least 21.", `"ephemeralStorage": {"sizeInGiB": 20}`, ""},
		{"EphemeralStorage size should be at most 200", `"ephemeralStorage": {"sizeInGiB": 201}`, ""},
		{"ephemeralStorage is only supported for tasks on Fargate", `"ephemeralStorage": {"sizeInGiB": 21}`, ""},
		{"Tasks using the EC2 launch type do not support EphemeralStorage", `"networkMode": "awsvpc", "cpu": "256", "memory": "512", "requiresCompatibilities": ["EC2"], "ephemeralStorage": {"sizeInGiB": 21}`, ""},
		{"not between 128 and 196608", `"cpu": "127"`, ""},
		{"Invalid 'cpu' setting for task.", `"cpu": "0.3 vCPU"`, ""},
		{"Invalid 'cpu' setting for task.", `"cpu": "1e3"`, ""},
		{"Invalid 'memory' setting for task.", `"memory": "1 TB"`, ""},
		{"Invalid 'memory' setting for task.", `"memory": "0x1p4 GB"`, ""},
		{"The sum of all container 'cpu' values cannot be greater than the value of the task 'cpu'.", `"cpu": "256"`, `"cpu": 300`},
		{"The sum of all container 'memoryReservation' values cannot be greater than the value of the task 'memory'.", `"memory": "100"`, ""},
		{"The 'memory' setting for container 'a' is greater than for the task.", `"memory": "200"`, `"memory": 201`},
		{"requiresCompatibilities", `"requiresCompatibilities": ["LAMBDA"]`, ""},
		// containers
		{"Container.image contains invalid characters", "", `"image": "a b"`},
		{"Container.image contains invalid characters", "", `"image": "a@sha256:123"`},
		{"at most 255 are allowed", "", `"image": "` + strings.Repeat("a", 256) + `"`},
		{"versionConsistency", "", `"versionConsistency": "maybe"`},
		{"'memory' must be at least 4 MiB", "", `"memory": 3`},
		{"'memory' must be greater than or equal to 'memoryReservation'", "", `"memory": 63`},
		{"'cpu' must not be negative", "", `"cpu": -1`},
		{"'startTimeout' and 'stopTimeout'", "", `"stopTimeout": -1`},
		{"'user' must have the form", "", `"user": "a:b:c"`},
		{"'user' must have the form", "", `"user": "-1"`},
		{"'dockerSecurityOptions' must be", "", `"dockerSecurityOptions": ["seccomp:x"]`},
		{"'credentialSpecs' can have at most 1", "", `"credentialSpecs": ["a", "b"]`},
		{"'credentialSpecs' must be", "", `"credentialSpecs": ["arn:aws:s3:::x"]`},
		{"'restartPolicy.enabled'", "", `"restartPolicy": {}`},
		{"The 'restartAttemptPeriod' setting for container 'a' must be between 60 and 1800", "", `"restartPolicy": {"enabled": true, "restartAttemptPeriod": 59}`},
		{"The 'restartAttemptPeriod' setting for container 'a' must be between 60 and 1800", "", `"restartPolicy": {"enabled": true, "restartAttemptPeriod": 1801}`},
		{"at most 50 exit codes", "", `"restartPolicy": {"enabled": true, "ignoredExitCodes": [` + strings.Repeat("1,", 50) + `1]}`},
		{"'resourceRequirements' has the type GPU twice", "", `"resourceRequirements": [{"type": "GPU", "value": "1"}, {"type": "GPU", "value": "1"}]`},
		{"number of GPUs", "", `"resourceRequirements": [{"type": "GPU", "value": "0"}]`},
		{"either 'value' or 'sharingStrategy'", "", `"resourceRequirements": [{"type": "GPU", "value": "1", "sharingStrategy": {"nvidiaMps": {"memory": 1}}}]`},
		{"nvidiaMps.memory' must be at least 1", "", `"resourceRequirements": [{"type": "GPU", "sharingStrategy": {"nvidiaMps": {"memory": 0}}}]`},
		{"maxComputePercent' must be between 1 and 100", "", `"resourceRequirements": [{"type": "GPU", "sharingStrategy": {"nvidiaMps": {"memory": 1, "maxComputePercent": 101}}}]`},
		{"NeuronDevice must have the value ALL", "", `"resourceRequirements": [{"type": "NeuronDevice", "value": "1"}]`},
		{"EC2 does not support resourceRequirements of the type NeuronDevice", "", `"resourceRequirements": [{"type": "NeuronDevice", "value": "ALL"}]`},
		{"which inferenceAccelerators does not have", "", `"resourceRequirements": [{"type": "InferenceAccelerator", "value": "d"}]`},
		{"must also be referenced", `"inferenceAccelerators": [{"deviceName": "d", "deviceType": "eia1.medium"}]`, ""},
		// network
		{"'portMappings.containerPort' must be between", "", `"portMappings": [{"hostPort": 80}]`},
		{"'portMappings.hostPort' must be between", "", `"portMappings": [{"containerPort": 80, "hostPort": 65536}]`},
		{"'portMappings.protocol'", "", `"portMappings": [{"containerPort": 80, "protocol": "sctp"}]`},
		{"'portMappings.name'", "", `"portMappings": [{"containerPort": 80, "name": "-x"}]`},
		{"'portMappings.name'", "", `"portMappings": [{"containerPort": 80, "name": "Web"}]`},
		{"portMappings.name must be unique", "", `"portMappings": [{"containerPort": 80, "name": "x"}, {"containerPort": 81, "name": "x"}]`},
		{"appProtocol", "", `"portMappings": [{"containerPort": 80, "appProtocol": "smtp"}]`},
		{"together with 'containerPort'", "", `"portMappings": [{"containerPort": 80, "containerPortRange": "1-2"}]`},
		{"the first port of", "", `"portMappings": [{"containerPortRange": "80-80"}]`},
		{"'portMappings.containerPortRange'", "", `"portMappings": [{"containerPortRange": "90-80"}]`},
		{"'portMappings.containerPortRange'", "", `"portMappings": [{"containerPortRange": "8000 - 8005"}]`},
		{"only supported when networkMode is bridge or awsvpc", `"networkMode": "host"`, `"portMappings": [{"containerPortRange": "80-90"}]`},
		{"more than once", "", `"portMappings": [{"containerPortRange": "80-90"}, {"containerPort": 85}]`},
		{"more than once", `"networkMode": "awsvpc"`, `"portMappings": [{"containerPort": 80}, {"containerPort": 80}]`},
		{"at most 100 ranges", "", `"portMappings": [` + manyRanges(101) + `]`},
		{"8080/udp is wanted by the containers", "", `"portMappings": [{"containerPort": 80, "hostPort": 8080, "protocol": "udp"}, {"containerPort": 81, "hostPort": 8080, "protocol": "udp"}]`},
		{"the host ports and container ports in port mappings must match", `"networkMode": "awsvpc"`, `"portMappings": [{"containerPort": 80, "hostPort": 81}]`},
		{"Links are not supported when networkMode=host", `"networkMode": "host"`, `"links": ["b"]`},
		{"'links' names the unknown container 'c'", "", `"links": ["c"]`},
		{"'links' must have the form", "", `"links": ["b:x y"]`},
		{"hostname is not supported on container when networkMode=awsvpc.", `"networkMode": "awsvpc"`, `"hostname": "h"`},
		{"DNS servers are not supported on container when networkMode=awsvpc.", `"networkMode": "awsvpc"`, `"dnsServers": ["1.1.1.1"]`},
		{"Disable Networking is not supported on container when networkMode=awsvpc.", `"networkMode": "awsvpc"`, `"disableNetworking": true`},
		{"DNS search domains are not supported on container when networkMode=awsvpc.", `"networkMode": "awsvpc"`, `"dnsSearchDomains": ["x"]`},
		{"Extra hosts are not supported on container when networkMode=awsvpc.", `"networkMode": "awsvpc"`, `"extraHosts": [{"hostname": "x", "ipAddress": "1.1.1.1"}]`},
		{"'hostname'", "", `"hostname": "a b"`},
		{"'dnsServers' must be IP", "", `"dnsServers": ["dns"]`},
		{"'dnsSearchDomains' must match", "", `"dnsSearchDomains": ["x."]`},
		{"'extraHosts.ipAddress'", "", `"extraHosts": [{"hostname": "x", "ipAddress": "y"}]`},
		{"'extraHosts.hostname'", "", `"extraHosts": [{"hostname": "", "ipAddress": "1.1.1.1"}]`},
		// environment
		{"'environment' has the invalid name", "", `"environment": [{"name": "a=b"}]`},
		{"The maximum number of environment files was exceeded. Specify ten or less and try again.", "", `"environmentFiles": [` + strings.TrimSuffix(strings.Repeat(`{"type": "s3", "value": "arn:aws:s3:::b/a.env"},`, 11), ",") + `]`},
		{"extension .env", "", `"environmentFiles": [{"type": "s3", "value": "arn:aws:s3:::b/a"}]`},
		{"'environmentFiles.type'", "", `"environmentFiles": [{"type": "http", "value": "arn:aws:s3:::b/a.env"}]`},
		{"When you are specifying container secrets, you must also specify a value for 'executionRoleArn'.", "", `"secrets": [{"name": "S", "valueFrom": "p"}]`},
		{"The secret name must be unique", role, `"environment": [{"name": "S"}], "secrets": [{"name": "S", "valueFrom": "p"}]`},
		{"'secrets.valueFrom' must be", role, `"secrets": [{"name": "S", "valueFrom": "arn:aws:s3:::x"}]`},
		{"'secrets.valueFrom' of 'S'", role, `"secrets": [{"name": "S"}]`},
		{"'repositoryCredentials.credentialsParameter'", role, `"repositoryCredentials": {"credentialsParameter": "a b"}`},
		{"repositoryCredentials, you must also specify", "", `"repositoryCredentials": {"credentialsParameter": "p"}`},
		// Linux
		{"unknown capability \"CAP_KILL\"", "", `"linuxParameters": {"capabilities": {"add": ["CAP_KILL"]}}`},
		{"'linuxParameters.devices.hostPath'", "", `"linuxParameters": {"devices": [{"hostPath": "dev"}]}`},
		{"devices.permissions", "", `"linuxParameters": {"devices": [{"hostPath": "/dev/x", "permissions": ["x"]}]}`},
		{"'linuxParameters.tmpfs.size'", "", `"linuxParameters": {"tmpfs": [{"containerPath": "/t", "size": 0}]}`},
		{"'linuxParameters.tmpfs.containerPath'", "", `"linuxParameters": {"tmpfs": [{"containerPath": "t", "size": 1}]}`},
		{"'linuxParameters.tmpfs.mountOptions'", "", `"linuxParameters": {"tmpfs": [{"containerPath": "/t", "size": 1, "mountOptions": ["fast"]}]}`},
		{"'linuxParameters.maxSwap'", "", `"linuxParameters": {"maxSwap": -1}`},
		{"'linuxParameters.swappiness' must be between 0 and 100", "", `"linuxParameters": {"swappiness": 101}`},
		{"'linuxParameters.sharedMemorySize'", "", `"linuxParameters": {"sharedMemorySize": 0}`},
		{"'systemControls.namespace' must be a namespaced", "", `"systemControls": [{"namespace": "vm.swappiness", "value": "1"}]`},
		{"'systemControls.value'", "", `"systemControls": [{"namespace": "net.core.somaxconn"}]`},
		{"not supported when networkMode=host", `"networkMode": "host"`, `"systemControls": [{"namespace": "net.core.somaxconn", "value": "1"}]`},
		{"not supported when ipcMode=host", `"ipcMode": "host"`, `"systemControls": [{"namespace": "kernel.sem", "value": "1"}]`},
		{"'systemControls' has kernel.sem twice", "", `"systemControls": [{"namespace": "kernel.sem", "value": "1"}, {"namespace": "kernel.sem", "value": "2"}]`},
		{"ulimits.name", "", `"ulimits": [{"name": "files", "softLimit": 1, "hardLimit": 1}]`},
		{"'ulimits.name'", "", `"ulimits": [{"softLimit": 1, "hardLimit": 1}]`},
		{"Soft limit exceeds hard limit for ulimit nofile.", "", `"ulimits": [{"name": "nofile", "softLimit": 2, "hardLimit": 1}]`},
		{"'ulimits' has nofile twice", "", `"ulimits": [{"name": "nofile", "softLimit": 1, "hardLimit": 1}, {"name": "nofile", "softLimit": 1, "hardLimit": 1}]`},
		// health
		{"'healthCheck.interval' must be between 5 and 300", "", `"healthCheck": {"command": ["CMD", "x"], "interval": 4}`},
		{"'healthCheck.timeout' must be between 2 and 60", "", `"healthCheck": {"command": ["CMD", "x"], "timeout": 61}`},
		{"'healthCheck.retries' must be between 1 and 10", "", `"healthCheck": {"command": ["CMD", "x"], "retries": 11}`},
		{"'healthCheck.startPeriod' must be between 0 and 300", "", `"healthCheck": {"command": ["CMD", "x"], "startPeriod": 301}`},
		{"must have a command after CMD-SHELL", "", `"healthCheck": {"command": ["CMD-SHELL"]}`},
		{"must have a command after CMD", "", `"healthCheck": {"command": ["CMD"]}`},
		{"'healthCheck.command' should not be empty", "", `"healthCheck": {"command": []}`},
		// logs
		{"none is not a valid log driver. Must be one of [json-file,", "", `"logConfiguration": {"logDriver": "none"}`},
		{"Log driver awslogs requires options: awslogs-group", "", `"logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-region": "r"}}`},
		{"Log driver awslogs disallows options: log_key", "", `"logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-region": "r", "awslogs-group": "g", "log_key": "x"}}`},
		{"'awslogs-create-group' should only be set to 'true'", "", `"logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-region": "r", "awslogs-group": "g", "awslogs-create-group": "false"}}`},
		{"can not both be specified", "", `"logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-region": "r", "awslogs-group": "g", "awslogs-datetime-format": "x", "awslogs-multiline-pattern": "x"}}`},
		{"Log driver splunk requires options: splunk-token", "", `"logConfiguration": {"logDriver": "splunk", "options": {"splunk-url": "u"}}`},
		{"'mode'", "", `"logConfiguration": {"logDriver": "json-file", "options": {"mode": "x"}}`},
		{"'max-buffer-size'", "", `"logConfiguration": {"logDriver": "json-file", "options": {"max-buffer-size": "much"}}`},
		{"secretOptions, you must also specify", "", `"logConfiguration": {"logDriver": "splunk", "secretOptions": [{"name": "splunk-token", "valueFrom": "p"}]}`},
		{"more than once", role, `"logConfiguration": {"logDriver": "splunk", "options": {"splunk-url": "u"}, "secretOptions": [{"name": "splunk-url", "valueFrom": "p"}]}`},
		{"When awsfirelens log driver is specified", "", `"logConfiguration": {"logDriver": "awsfirelens"}`},
		{"When a firelensConfiguration object is specified", "", `"firelensConfiguration": {"type": "fluentbit"}`},
		{"'firelensConfiguration.type'", "", strings.ReplaceAll(fmt.Sprintf(router, ""), "fluentbit", "logstash")},
		{"enable-ecs-log-metadata must be true or false", "", fmt.Sprintf(router, `, "options": {"enable-ecs-log-metadata": "yes"}`)},
		{"config-file-type must be s3 or file", "", fmt.Sprintf(router, `, "options": {"config-file-type": "http", "config-file-value": "x"}`)},
		{"config-file-value must be the ARN", "", fmt.Sprintf(router, `, "options": {"config-file-type": "s3", "config-file-value": "x"}`)},
		{"together", "", fmt.Sprintf(router, `, "options": {"config-file-type": "file"}`)},
		{"unknown option", "", fmt.Sprintf(router, `, "options": {"x": "y"}`)},
		// volumes
		{"Volume.name", `"volumes": [{"name": "a b"}]`, ""},
		{"Volume names must be unique", `"volumes": [{"name": "v"}, {"name": "v"}]`, ""},
		{"only one volume configuration type should be used", `"volumes": [{"name": "v", "host": {"sourcePath": "/x"}, "dockerVolumeConfiguration": {}}]`, ""},
		{"When 'scope' parameter is 'task', 'autoprovision' must either not be specified or set to 'True'.", `"volumes": [{"name": "v", "dockerVolumeConfiguration": {"autoprovision": false}}]`, ""},
		{"scope", `"volumes": [{"name": "v", "dockerVolumeConfiguration": {"scope": "global"}}]`, ""},
		{"host.sourcePath should not be blank. (volume 'v')", `"volumes": [{"name": "v", "host": {"sourcePath": ""}}]`, ""},
		{"Volumes [v] are not referenced by any of the containers", `"volumes": [{"name": "v", "configuredAtLaunch": true}]`, ""},
		{"Only one volume of a task definition can be configuredAtLaunch", `"volumes": [{"name": "v", "configuredAtLaunch": true}, {"name": "w", "configuredAtLaunch": true}]`, `"mountPoints": [{"sourceVolume": "v", "containerPath": "/x"}]`},
		{"'efsVolumeConfiguration.fileSystemId'", `"volumes": [{"name": "v", "efsVolumeConfiguration": {"fileSystemId": "x"}}]`, ""},
		{"'efsVolumeConfiguration.rootDirectory' must be an absolute", `"volumes": [{"name": "v", "efsVolumeConfiguration": {"fileSystemId": "fs-12345678", "rootDirectory": "x"}}]`, ""},
		{"transitEncryptionPort", `"volumes": [{"name": "v", "efsVolumeConfiguration": {"fileSystemId": "fs-12345678", "transitEncryption": "ENABLED", "transitEncryptionPort": 0}}]`, ""},
		{"TransitEncryptionPort requires that TransitEncryption is enabled", `"volumes": [{"name": "v", "efsVolumeConfiguration": {"fileSystemId": "fs-12345678", "transitEncryptionPort": 2049}}]`, ""},
		{"EFS IAM authorization requires TransitEncryption to be enabled", `"volumes": [{"name": "v", "efsVolumeConfiguration": {"fileSystemId": "fs-12345678", "authorizationConfig": {"iam": "ENABLED"}}}]`, ""},
		{"must be ENABLED when an access point", `"volumes": [{"name": "v", "efsVolumeConfiguration": {"fileSystemId": "fs-12345678", "authorizationConfig": {"accessPointId": "fsap-12345678"}}}]`, ""},
		{"When using an EFS access point, the root directory must either be set to \"/\" or be omitted", `"volumes": [{"name": "v", "efsVolumeConfiguration": {"fileSystemId": "fs-12345678", "rootDirectory": "/x", "transitEncryption": "ENABLED", "authorizationConfig": {"accessPointId": "fsap-12345678"}}}]`, ""},
		{"authorizationConfig.credentialsParameter", `"volumes": [{"name": "v", "fsxWindowsFileServerVolumeConfiguration": {"fileSystemId": "fs-12345678", "rootDirectory": "r", "authorizationConfig": {"credentialsParameter": "x", "domain": "d"}}}]`, ""},
		{"fsxWindowsFileServerVolumeConfiguration.authorizationConfig' should", `"volumes": [{"name": "v", "fsxWindowsFileServerVolumeConfiguration": {"fileSystemId": "fs-12345678", "rootDirectory": "r"}}]`, ""},
		{"s3filesVolumeConfiguration.fileSystemArn", `"volumes": [{"name": "v", "s3filesVolumeConfiguration": {"fileSystemArn": "x"}}]`, ""},
		{"s3filesVolumeConfiguration.rootDirectory' must be left out", `"volumes": [{"name": "v", "s3filesVolumeConfiguration": {"fileSystemArn": "arn:aws:s3files:r:0:file-system/x", "accessPointArn": "arn:aws:s3files:r:0:file-system/x/access-point/y", "rootDirectory": "/x"}}]`, ""},
		{"Unknown volume 'v'.", "", `"mountPoints": [{"sourceVolume": "v", "containerPath": "/x"}]`},
		{"'mountPoints.containerPath' must be an absolute", `"volumes": [{"name": "v"}]`, `"mountPoints": [{"sourceVolume": "v", "containerPath": "x"}]`},
		{"'mountPoints.containerPath' must be unique", `"volumes": [{"name": "v"}]`, `"mountPoints": [{"sourceVolume": "v", "containerPath": "/x"}, {"sourceVolume": "v", "containerPath": "/x"}]`},
		{"Invalid 'volumesFrom' setting. Unknown container: 'c'", "", `"volumesFrom": [{"sourceContainer": "c"}]`},
		// order
		{"Cannot depend on container + 'c' because it does not exist", "", `"dependsOn": [{"containerName": "c", "condition": "START"}]`},
		{"'dependsOn.condition'", "", `"dependsOn": [{"containerName": "b", "condition": "SOON"}]`},
		{"form a cycle", "", `"dependsOn": [{"containerName": "a", "condition": "START"}]`},
		{"form a cycle", "", `"volumesFrom": [{"sourceContainer": "a"}]`},
		// proxy
		{"Proxy container [c] does not exist", `"networkMode": "awsvpc", "proxyConfiguration": {"containerName": "c"}`, ""},
		{"APPMESH proxy configuration is only supported in networkMode=awsvpc", `"proxyConfiguration": {"containerName": "b"}`, ""},
		{"must have IgnoredUID or IgnoredGID", fmt.Sprintf(mesh, ""), ""},
		{"must have AppPorts", fmt.Sprintf(mesh, `{"name": "IgnoredUID", "value": "1337"}`), ""},
		{"ProxyIngressPort must be a port", fmt.Sprintf(mesh, `{"name": "ProxyIngressPort", "value": "x"}`), ""},
		{"AppPorts must be a list of ports", fmt.Sprintf(mesh, `{"name": "AppPorts", "value": "80,x"}`), ""},
		{"IgnoredUID must be a number", fmt.Sprintf(mesh, `{"name": "IgnoredUID", "value": "me"}`), ""},
		{"is unknown", fmt.Sprintf(mesh, `{"name": "Proxy", "value": "me"}`), ""},
		// Windows
		{"operatingSystemFamily", `"runtimePlatform": {"operatingSystemFamily": "PLAN9"}`, ""},
		{"cpuArchitecture", `"runtimePlatform": {"cpuArchitecture": "MIPS"}`, ""},
		{"ARM64 is not supported", `"runtimePlatform": {"cpuArchitecture": "ARM64", "operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"}`, ""},
		{"networkMode host is not supported for Windows", `"networkMode": "host", ` + core, ""},
		{"pidMode is not supported for Windows", `"pidMode": "task", ` + core, ""},
		{"'privileged' is not supported for Windows", core, `"privileged": true`},
		{"'linuxParameters' is not supported for Windows", core, `"linuxParameters": {}`},
		{"'user' is not supported for Windows", core, `"user": "x"`},
		{"'dockerSecurityOptions' is not supported for Windows", core, `"dockerSecurityOptions": ["label:x"]`},
		// Fargate
		{"Fargate requires that 'cpu' be defined at the task level.", `"networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"]`, ""},
		{"Fargate requires that 'memory' be defined at the task level.", `"networkMode": "awsvpc", "cpu": "256", "requiresCompatibilities": ["FARGATE"]`, ""},
		{"No Fargate configuration exists for given values: 256 CPU, 1536 memory", `"networkMode": "awsvpc", "cpu": "256", "memory": "1536", "requiresCompatibilities": ["FARGATE"]`, ""},
		{"Fargate compatible task definitions do not support constraints", fargate + `, "placementConstraints": [{"type": "memberOf", "expression": "attribute:a exists"}]`, ""},
		{"Fargate compatible task definitions do not support ipcMode", fargate + `, "ipcMode": "task"`, ""},
		{"do not support pidMode 'host'", fargate + `, "pidMode": "host"`, ""},
		{"Fargate compatible task definitions do not support sourcePath", fargate + `, "volumes": [{"name": "v", "host": {"sourcePath": "/x"}}]`, ""},
		{"Fargate compatible task definitions do not support dockerVolumeConfiguration", fargate + `, "volumes": [{"name": "v", "dockerVolumeConfiguration": {}}]`, ""},
		{"Fargate requires that the 'privileged' setting be 'false'", fargate, `"privileged": true`},
		{"do not support GPU resource requirements", fargate, `"resourceRequirements": [{"type": "GPU", "value": "1"}]`},
		{"Fargate compatible task definitions do not support dockerSecurityOptions. (container 'a')", fargate, `"dockerSecurityOptions": ["label:x"]`},
		{"Fargate compatible task definitions do not support devices. (container 'a')", fargate, `"linuxParameters": {"devices": [{"hostPath": "/dev/x"}]}`},
		{"Fargate compatible task definitions do not support sharedMemorySize. (container 'a')", fargate, `"linuxParameters": {"sharedMemorySize": 1}`},
		{"Fargate compatible task definitions do not support maxSwap. (container 'a')", fargate, `"linuxParameters": {"maxSwap": 1}`},
		{"Fargate compatible task definitions do not support swappiness. (container 'a')", fargate, `"linuxParameters": {"swappiness": 1}`},
		{"KILL is not allowed on Fargate. (container 'a')", fargate, `"linuxParameters": {"capabilities": {"add": ["KILL"]}}`},
		{"must have a container stop timeout of less than 120 seconds", fargate, `"stopTimeout": 121`},
		{"startTimeout between 2 and 120", fargate, `"startTimeout": 121`},
		{"json-file is not a valid log driver. Must be one of [awslogs,splunk,awsfirelens]", fargate, `"logConfiguration": {"logDriver": "json-file"}`},
		{"requires options: awslogs-stream-prefix", fargate, `"logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-region": "r", "awslogs-group": "g"}}`},
		{"execution role ARN to support log driver awslogs", fargate, `"logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-region": "r", "awslogs-group": "g", "awslogs-stream-prefix": "p"}}`},
		{"execution role ARN to support ECR images", fargate, `"image": "1.dkr.ecr.us-east-1.amazonaws.com/x"`},
		{"config-file-type s3", fargate, fmt.Sprintf(router, `, "options": {"config-file-type": "s3", "config-file-value": "arn:aws:s3:::b/x"}`)},
		{"from 1 vCPU to 4 vCPU", fargate + ", " + core, ""},
		{"does not support the operatingSystemFamily", `"networkMode": "awsvpc", "cpu": "1024", "memory": "2048", "requiresCompatibilities": ["FARGATE"], "runtimePlatform": {"operatingSystemFamily": "WINDOWS_SERVER_2016_FULL"}`, ""},
		// managed instances, external hosts
		{"only support network modes", `"requiresCompatibilities": ["MANAGED_INSTANCES"]`, ""},
		{"Managed instances require that 'cpu' and 'memory'", `"networkMode": "host", "requiresCompatibilities": ["MANAGED_INSTANCES"]`, ""},
		{"Managed instances do not support 'ipcMode'", managed + `, "ipcMode": "host"`, ""},
		{"Managed instances do not support 'hostname'", managed, `"hostname": "x"`},
		{"Managed instances do not support the configuration of volume", managed + `, "volumes": [{"name": "v", "dockerVolumeConfiguration": {}}]`, ""},
		{"syslog is not a valid log driver", managed, `"logConfiguration": {"logDriver": "syslog"}`},
		{"External does not support EFS volumes.", `"requiresCompatibilities": ["EXTERNAL"], "volumes": [{"name": "v", "efsVolumeConfiguration": {"fileSystemId": "fs-12345678"}}]`, ""},
		{"External does not support volumes configured at launch.", `"requiresCompatibilities": ["EXTERNAL"], "volumes": [{"name": "v", "configuredAtLaunch": true}]`, `"mountPoints": [{"sourceVolume": "v", "containerPath": "/x"}]`},
		{"External does not support GPU sharing", `"requiresCompatibilities": ["EXTERNAL"]`, `"resourceRequirements": [{"type": "GPU", "sharingStrategy": {"nvidiaMps": {"memory": 1}}}]`},
		{"External does not support 'enableFaultInjection'", `"networkMode": "host", "enableFaultInjection": true, "requiresCompatibilities": ["EXTERNAL"]`, ""},
	} {
		_, _, err := Define(definition(t, tt.task, tt.container))
		switch {
		case err == nil:
			t.Errorf("%s: %s %s is taken", tt.want, tt.task, tt.container)
		case !strings.Contains(err.Error(), "ClientException: "), !strings.Contains(err.Error(), tt.want):
			t.Errorf("%s %s: %v; it should say %q", tt.task, tt.container, err, tt.want)
		}
	}
}

func manyRanges(n int) string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprintf(`{"containerPortRange": "%d-%d"}`, 1000+10*i, 1005+10*i))
	}
	return strings.Join(out, ",")
}

// TestDefinitionsTaken has what looks odd and is right.
func TestDefinitionsTaken(t *testing.T) {
	for _, tt := range []struct{ compatible, task, container string }{
		{"[EXTERNAL EC2]", "", ""},
		{"[EXTERNAL EC2]", `"taskRoleArn": "", "executionRoleArn": "", "cpu": "", "memory": ""`, ""},
		{"[EXTERNAL EC2]", `"taskRoleArn": "role", "executionRoleArn": "arn:aws-cn:iam::000000000000:role/a/b/c"`, ""},
		{"[EC2]", "", `"portMappings": [{"containerPort": 80, "name": "web", "appProtocol": "http"}]`},
		{"[EXTERNAL EC2]", "", `"portMappings": [{"containerPort": 80, "name": "web"}]`},
		{"[EXTERNAL EC2]", "", `"portMappings": [{"containerPort": 80, "hostPort": 8080}, {"containerPort": 80, "hostPort": 8081}, {"containerPort": 53}, {"containerPort": 53, "protocol": "udp"}]`},
		{"[EXTERNAL EC2]", "", `"healthCheck": {"command": ["CMD-SHELL", "exit 0"]}, "stopTimeout": 3600`},
		{"[EXTERNAL EC2]", "", `"healthCheck": {"command": ["NONE"]}`},
		{"[EXTERNAL EC2]", "", `"user": "", "hostname": "", "workingDirectory": ""`},
		{"[EXTERNAL EC2]", "", `"logConfiguration": {"logDriver": "json-file", "options": {"mode": "non-blocking", "max-buffer-size": "25mb"}}`},
		{"[EXTERNAL EC2]", "", fmt.Sprintf(router, `, "options": {"enable-ecs-log-metadata": "True"}`)},
		{"[EXTERNAL EC2]", "", `"healthCheck": {"command": ["/healthcheck"]}`},
		{"[EXTERNAL EC2]", "", `"healthCheck": {"command": ["curl", "-f", "http://localhost/"]}`},
		{"[EXTERNAL EC2]", "", `"memory": 64`},
		{"[EXTERNAL EC2]", `"memory": "128"`, `"memory": 128`},
		{"[EXTERNAL EC2]", "", `"logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-region": "r", "awslogs-group": "g", "awslogs-create-group": "True"}}`},
		{"[EXTERNAL EC2]", `"volumes": [{"name": "v", "dockerVolumeConfiguration": {"autoprovision": true}}]`, ""},
		{"[EXTERNAL EC2]", `"volumes": [{"name": "v", "dockerVolumeConfiguration": {"scope": "shared", "autoprovision": false}}]`, ""},
		{"[EXTERNAL EC2]", "", `"linuxParameters": {"capabilities": {"add": ["ALL"]}, "tmpfs": [{"containerPath": "/t", "size": 1, "mountOptions": ["mode=1777", "ro"]}], "swappiness": 5}`},
		{"[EXTERNAL EC2]", "", `"ulimits": [{"name": "memlock", "softLimit": -1, "hardLimit": -1}, {"name": "nofile", "softLimit": 1024, "hardLimit": -1}]`},
		{"[EXTERNAL EC2]", `"ipcMode": "task"`, `"systemControls": [{"namespace": "net.core.somaxconn", "value": "1024"}, {"namespace": "fs.mqueue.msg_max", "value": "1"}]`},
		{"[EXTERNAL EC2]", "", fmt.Sprintf(router, `, "options": {"enable-ecs-log-metadata": "true", "config-file-type": "file", "config-file-value": "/x.conf"}`)},
		{"[EXTERNAL EC2]", role, `"secrets": [{"name": "A", "valueFrom": "/app/a"}, {"name": "B", "valueFrom": "arn:aws:secretsmanager:us-east-1:0:secret:x-AbCdEf:key::"}]`},
		{"[EXTERNAL EC2]", "", `"resourceRequirements": [{"type": "GPU", "value": "ALL"}]`},
		{"[EXTERNAL EC2 MANAGED_INSTANCES]", `"networkMode": "host", "cpu": "0.25 vCPU", "memory": "0.5 GB", "requiresCompatibilities": ["EC2", "EXTERNAL", "MANAGED_INSTANCES"]`, ""},
		{"[MANAGED_INSTANCES]", managed, `"resourceRequirements": [{"type": "NeuronDevice", "value": "ALL"}]`},
		{"[EC2]", `"networkMode": "awsvpc"`, ""},
		{"[EXTERNAL EC2]", core, `"mountPoints": []`},
		{"[EC2]", `"volumes": [{"name": "v", "fsxWindowsFileServerVolumeConfiguration": {"fileSystemId": "fs-0123456789abcdef0", "rootDirectory": "share", "authorizationConfig": {"credentialsParameter": "arn:aws:ssm:us-east-1:0:parameter/x", "domain": "d"}}}]`, ""},
		{"[EC2 FARGATE MANAGED_INSTANCES]", fargate, ""},
		{"[EC2 FARGATE MANAGED_INSTANCES]", fargate + `, "pidMode": "task", "volumes": [{"name": "v"}, {"name": "e", "configuredAtLaunch": true}]`, `"mountPoints": [{"sourceVolume": "e", "containerPath": "/x"}], "linuxParameters": {"tmpfs": [{"containerPath": "/t", "size": 1}], "capabilities": {"add": ["SYS_PTRACE"], "drop": ["KILL"]}}`},
		{"[EC2 FARGATE]", fargate + `, "ephemeralStorage": {"sizeInGiB": 200}`, ""},
		{"[EC2 FARGATE MANAGED_INSTANCES]", fargate + `, "volumes": [{"name": "v", "efsVolumeConfiguration": {"fileSystemId": "fs-12345678", "rootDirectory": "/", "transitEncryption": "ENABLED", "authorizationConfig": {"iam": "ENABLED", "accessPointId": "fsap-0123456789abcdef0"}}}]`, `"mountPoints": [{"sourceVolume": "v", "containerPath": "/x"}]`},
		{"[EC2]", fmt.Sprintf(mesh, `{"name": "IgnoredUID", "value": "1337"}, {"name": "AppPorts", "value": "80, 81"}, {"name": "ProxyIngressPort", "value": "15000"}, {"name": "ProxyEgressPort", "value": "15001"}, {"name": "EgressIgnoredIPs", "value": ""}`), ""},
	} {
		_, compatible, err := Define(definition(t, tt.task, tt.container))
		if err != nil {
			t.Errorf("%s %s: %v", tt.task, tt.container, err)
		} else if got := fmt.Sprint(compatible); got != tt.compatible {
			t.Errorf("%s %s suits %s; want %s", tt.task, tt.container, got, tt.compatible)
		}
	}
}

// TestFargateSizes has the whole table of pairs from the API reference.
func TestFargateSizes(t *testing.T) {
	for cpu, want := range map[int]int{256: 3, 512: 4, 1024: 7, 2048: 13, 4096: 23, 8192: 12, 16384: 12, 32768: 24, 128: 0, 768: 0, 65536: 0} {
		n := 0
		for m := 256; m <= 1<<18; m += 256 {
			if fargateMemory[cpu].has(m) {
				n++
			}
		}
		if n != want {
			t.Errorf("%d CPU units: %d sizes of memory; want %d", cpu, n, want)
		}
	}
}
