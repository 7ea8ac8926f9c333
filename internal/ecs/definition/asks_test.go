package definition

import (
	"slices"
	"strings"
	"testing"

	"github.com/ashore/ashore/internal/aws/protocol/awsjson"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
)

// TestRequiredAttributes has what ECS has answered to definitions of each kind, as
// public describe-task-definition transcripts show it. old stands for
// com.amazonaws.ecs.capability., new for ecs.capability., api for
// com.amazonaws.ecs.capability.docker-remote-api.
func TestRequiredAttributes(t *testing.T) {
	const (
		awsvpc  = `"networkMode": "awsvpc", "cpu": "512", "memory": "1024"`
		roles   = `"taskRoleArn": "r", "executionRoleArn": "r"`
		both    = awsvpc + `, ` + roles
		ecr     = `"image": "111122223333.dkr.ecr.eu-north-1.amazonaws.com/x"`
		logs    = `"logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "g", "awslogs-region": "r", "awslogs-stream-prefix": "p"`
		logged  = "old:logging-driver.awslogs api:1.19"
		byRole  = logged + " new:execution-role-awslogs"
		pulled  = "old:ecr-auth new:execution-role-ecr-pull"
		network = "new:task-eni api:1.18"
		check   = `"healthCheck": {"command": ["CMD-SHELL", "x"]`
		efs     = "new:efs new:efsAuth api:1.25"
	)
	for _, tt := range []struct{ task, container, want string }{
		{"", "", ""},
		{`"requiresCompatibilities": ["EC2"], "cpu": "1024", "memory": "1024", "volumes": [{"name": "v", "host": {"sourcePath": "/x"}}]`, `"links": ["b"], "command": [], "privileged": false`, ""},
		{"", ecr, "old:ecr-auth"},
		{`"requiresCompatibilities": ["EC2"], "cpu": "1024", "memory": "512"`, logs + `}}`, logged},
		{`"networkMode": "bridge", "cpu": "256", "memory": "400"`, ecr + `, ` + logs + `, "awslogs-create-group": "true"}}`, logged + " old:ecr-auth api:1.29"},
		{`"networkMode": "bridge", "cpu": "256", "memory": "512", "runtimePlatform": {"cpuArchitecture": "X86_64", "operatingSystemFamily": "LINUX"}, ` + roles,
			ecr + `, "portMappings": [{"containerPort": 8080, "hostPort": 8080, "name": "b", "appProtocol": "http"}], ` + logs + `, "awslogs-create-group": "true"}}`,
			byRole + " api:1.29 old:task-iam-role " + pulled},
		{`"networkMode": "bridge", "executionRoleArn": "r"`, ecr + `, "ulimits": [], ` + logs + `, "awslogs-create-group": "true"}, "secretOptions": []}`, byRole + " api:1.29 api:1.18 " + pulled},
		{awsvpc + `, "executionRoleArn": "r"`, ecr, network + " " + pulled},
		{both, ecr + `, ` + check + `}, ` + logs + `}}`, network + " " + pulled + " " + byRole + " old:task-iam-role new:container-health-check api:1.24"},
		{both, ecr + `, "links": [], "dnsServers": [], "dnsSearchDomains": [], "dockerSecurityOptions": [], "dockerLabels": {}, "ulimits": [], "secrets": [], ` + logs + `}}`,
			network + " " + pulled + " " + byRole + " old:task-iam-role api:1.17"},
		{both, ecr + `, "dockerLabels": {}, ` + logs + `}}`, network + " " + pulled + " " + byRole + " old:task-iam-role"},
		{both, ecr + `, "memory": 1024, ` + logs + `, "awslogs-create-group": "true", "mode": "non-blocking", "max-buffer-size": "25m"}}`,
			network + " " + pulled + " " + byRole + " old:task-iam-role api:1.28 api:1.29"},
		{awsvpc + `, "executionRoleArn": "r", "ephemeralStorage": {"sizeInGiB": 21}`, ecr + `, "environmentFiles": [{"type": "s3", "value": "arn:aws:s3:::b/x.env"}]`,
			network + " " + pulled + " new:env-files.s3 new:extensible-ephemeral-storage"},
		{both + `, "volumes": [{"name": "e", "efsVolumeConfiguration": {"fileSystemId": "fs-12345678", "rootDirectory": "/"}}]`, "", network + " old:task-iam-role " + efs},
		{`"requiresCompatibilities": ["EC2"], "volumes": [{"name": "d", "dockerVolumeConfiguration": {"autoprovision": true, "scope": "shared", "driver": "local"}}]`, logs + `}}`,
			logged + " new:docker-plugin.local api:1.25"},
		{roles, `"privileged": true, "readonlyRootFilesystem": false, "repositoryCredentials": {"credentialsParameter": "x/hub"}, "secrets": [{"name": "T", "valueFrom": "/x/pat"}]`,
			"old:task-iam-role old:privileged-container new:private-registry-authentication.secretsmanager new:secrets.ssm.environment-variables"},
		{both, `"startTimeout": 40, "stopTimeout": 15, "secrets": [{"name": "A", "valueFrom": "arn:aws:secretsmanager:r:1:secret:s"}, {"name": "B", "valueFrom": "arn:aws:ssm:r:1:parameter/p"}]`,
			network + " old:task-iam-role new:container-ordering new:secrets.asm.environment-variables new:secrets.ssm.environment-variables"},
		{roles, ecr + `, "linuxParameters": {"capabilities": {"add": ["MKNOD"], "drop": ["ALL"]}, "tmpfs": [{"containerPath": "/run", "size": 50}]}, "dockerSecurityOptions": ["label:seccomp:unconfined"]`,
			pulled + " old:task-iam-role old:selinux api:1.22"},
		{`"networkMode": "host", "pidMode": "host", "ipcMode": "host"`, `"privileged": true, "readonlyRootFilesystem": false`, "old:privileged-container new:pid-ipc-namespace-sharing api:1.17 api:1.18"},
		{`"networkMode": "host"`, `"extraHosts": [{"hostname": "x", "ipAddress": "10.0.0.1"}]`, "api:1.17 api:1.24"},
		{roles, ecr + `, "workingDirectory": "/app", "links": ["b"]`, pulled + " old:task-iam-role api:1.17"},
		{roles, ecr + `, "hostname": "app", ` + check + `}, ` + logs + `, "mode": "non-blocking"}}`, pulled + " " + byRole + " old:task-iam-role api:1.17 api:1.28 new:container-health-check api:1.24"},
		{both + `, "runtimePlatform": {"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"}`,
			ecr + `, "dockerLabels": {"env": "dev"}, "logConfiguration": {"logDriver": "awsfirelens", "options": {"Name": "cloudwatch"}}, ` + check + `, "startPeriod": 10},
			"firelensConfiguration": {"type": "fluentbit", "options": {"config-file-type": "file", "config-file-value": "/x.conf"}}`,
			network + " " + pulled + " old:task-iam-role old:logging-driver.awsfirelens api:1.19 new:firelens.fluentbit new:firelens.options.config.file api:1.17 new:container-health-check api:1.29"},
		{`"networkMode": "awsvpc", "pidMode": "task", "ipcMode": "host", "proxyConfiguration": {"containerName": "b", "properties": [{"name": "IgnoredUID", "value": "1337"}, {"name": "AppPorts", "value": "80"}, {"name": "ProxyIngressPort", "value": "15000"}, {"name": "ProxyEgressPort", "value": "15001"}]}`,
			`"user": "1337", ` + check + `, "startPeriod": 10}`, network + " new:pid-ipc-namespace-sharing api:1.17 new:aws-appmesh new:container-health-check api:1.29"},
	} {
		in := withoutReservation(t, tt.task, tt.container)
		def, _, err := Define(in)
		if err != nil {
			t.Errorf("%s %s: %v", tt.task, tt.container, err)
			continue
		}
		var got []string
		for _, a := range RequiredAttributes(def) {
			name := *a.Name
			for _, short := range [][2]string{{remoteAPI, "api:"}, {oldCapability, "old:"}, {capability, "new:"}} {
				if rest, ok := strings.CutPrefix(name, short[0]); ok {
					name = short[1] + rest
					break
				}
			}
			got = append(got, name)
			if a.Value != nil {
				t.Errorf("%s has a value", name)
			}
		}
		want := strings.Fields(tt.want)
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(slices.Compact(want), got) {
			t.Errorf("%s %s:\n got %v\nwant %v", tt.task, tt.container, got, want)
		}
	}
}

// withoutReservation is a definition whose containers have no memoryReservation:
// that asks for something too.
func withoutReservation(t *testing.T, task, container string) *sdk.RegisterTaskDefinitionInput {
	t.Helper()
	in := definition(t, task, container)
	for i := range in.ContainerDefinitions {
		c := &in.ContainerDefinitions[i]
		c.MemoryReservation = nil
		if c.Memory == nil {
			m := int32(64)
			c.Memory = &m
		}
	}
	return in
}

// A stored definition needs the same as the registered one: the store distinguishes
// empty lists from absent ones.
func TestAsksSurviveTheStore(t *testing.T) {
	def, _, err := Define(definition(t, "", `"ulimits": [], "dnsServers": []`))
	if err != nil {
		t.Fatal(err)
	}
	data, err := awsjson.Marshal(def)
	if err != nil {
		t.Fatal(err)
	}
	again := new(sdk.RegisterTaskDefinitionInput)
	if err := awsjson.Unmarshal(data, again); err != nil {
		t.Fatal(err)
	}
	if a, b := len(RequiredAttributes(def)), len(RequiredAttributes(again)); a != b {
		t.Errorf("%d attributes, %d from the store", a, b)
	}
}
