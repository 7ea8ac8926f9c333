package definition

import (
	"testing"

	"github.com/ashore/ashore/internal/aws/protocol/awsjson"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/google/go-cmp/cmp"
)

// No definition makes the checks panic, whatever its members lack; one that is
// taken is taken as the same when it is registered again as it is described,
// which is how tools make the next revision.
func FuzzDefinition(f *testing.F) {
	for _, tt := range []struct{ task, container string }{
		{"", ""}, {fargate, ""}, {managed, ""}, {role, `"secrets": [{"name": "S", "valueFrom": "p"}]`}, {core, ""},
		{`"volumes": [{"name": "v"}, {"name": "w", "efsVolumeConfiguration": {"fileSystemId": "fs-12345678"}}]`, `"portMappings": [{"containerPort": 80}, {"containerPortRange": "90-99"}]`},
		{`"placementConstraints": [{"type": "memberOf", "expression": "attribute:a exists"}]`, `"healthCheck": {"command": ["CMD", "x"]}, "restartPolicy": {"enabled": true}`},
		{"", `"dependsOn": [{"containerName": "b", "condition": "START"}], "linuxParameters": {"capabilities": {}, "tmpfs": [{}]}`},
		{`"proxyConfiguration": {}, "networkMode": "awsvpc"`, `"resourceRequirements": [{"type": "GPU", "sharingStrategy": {"nvidiaMps": {}}}]`},
	} {
		b, err := awsjson.Marshal(definition(f, tt.task, tt.container))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(`{"family": "f", "containerDefinitions": [{"name": "a", "image": "b", "memory": 4, "logConfiguration": {}, "firelensConfiguration": {}, "extraHosts": [{}], "ulimits": [{}], "environmentFiles": [{}], "repositoryCredentials": {}}], "volumes": [{"name": "v", "s3filesVolumeConfiguration": {}}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		in := new(sdk.RegisterTaskDefinitionInput)
		if awsjson.Unmarshal(b, in) != nil {
			return
		}
		once, suits, err := Define(in)
		if err != nil {
			return
		}
		if _, err := Reservation(once, nil); err != nil {
			t.Errorf("%s is taken, but can't be reserved: %v", b, err)
		}
		RequiredAttributes(once)
		twice, again, err := Define(once)
		if err != nil {
			t.Fatalf("%s is taken, but not again: %v", b, err)
		}
		first, err1 := awsjson.Marshal(once)
		second, err2 := awsjson.Marshal(twice)
		if err1 != nil || err2 != nil || string(first) != string(second) {
			t.Errorf("%s is stored as\n%s, and that as\n%s", b, first, second)
		}
		if d := cmp.Diff(suits, again); d != "" {
			t.Errorf("%s suits %v, and again %v", b, suits, again)
		}
	})
}
