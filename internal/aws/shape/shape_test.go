package shape

import (
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	_ "github.com/ashore/ashore/internal/aws/model/ecs"
)

func violations(in any) []string {
	var out []string
	for v := range Violations(in) {
		out = append(out, v.String())
	}
	return out
}

func TestViolations(t *testing.T) {
	container := types.ContainerDefinition{Name: aws.String("c"), Image: aws.String("i")}
	with := func(change func(*types.ContainerDefinition)) *ecs.RegisterTaskDefinitionInput {
		c := container
		change(&c)
		return &ecs.RegisterTaskDefinitionInput{Family: aws.String("f"), ContainerDefinitions: []types.ContainerDefinition{container, c}}
	}
	for _, x := range []struct {
		what string
		in   any
		want []string
	}{
		{"nothing wrong", with(func(*types.ContainerDefinition) {}), nil},
		{"missing, in the members' order", &ecs.RegisterTaskDefinitionInput{}, []string{"containerDefinitions is required.", "family is required."}},
		{"an empty text is there", &ecs.RunTaskInput{TaskDefinition: aws.String("")}, nil},
		{"an enum", &ecs.RunTaskInput{TaskDefinition: aws.String("t"), LaunchType: "LAMBDA"},
			[]string{`launchType must be EC2, FARGATE, EXTERNAL or MANAGED_INSTANCES, not "LAMBDA".`}},
		{"an enum of the wrong case", with(func(c *types.ContainerDefinition) { c.PortMappings = []types.PortMapping{{}, {Protocol: "TCP"}} }),
			[]string{`containerDefinitions[1].portMappings[1].protocol must be tcp or udp, not "TCP".`}},
		{"a required enum", with(func(c *types.ContainerDefinition) {
			c.ResourceRequirements = []types.ResourceRequirement{{Value: aws.String("1")}}
		}), []string{"containerDefinitions[1].resourceRequirements[0].type is required."}},
		{"required in a struct that is optional", with(func(c *types.ContainerDefinition) { c.HealthCheck = &types.HealthCheck{} }),
			[]string{"containerDefinitions[1].healthCheck.command is required."}},
		{"a list of enums", &ecs.DescribeClustersInput{Include: []types.ClusterField{"TAGS", "TAG"}},
			[]string{`include[1] must be ATTACHMENTS, CONFIGURATIONS, SETTINGS, STATISTICS or TAGS, not "TAG".`}},
		{"in a union", &ecs.CreateServiceInput{ServiceName: aws.String("s"), ServiceConnectConfiguration: &types.ServiceConnectConfiguration{
			Enabled: true, Services: []types.ServiceConnectService{{}},
		}}, []string{"serviceConnectConfiguration.services[0].portName is required."}},
	} {
		if got := violations(x.in); !slices.Equal(got, x.want) {
			t.Errorf("%s:\n got %q\nwant %q", x.what, got, x.want)
		}
	}
	for v := range Violations(&ecs.RegisterTaskDefinitionInput{}) { // the iteration can stop early
		if !v.Missing || v.Path != "containerDefinitions" {
			t.Errorf("%+v", v)
		}
		break
	}
	if m := (Violation{Path: "a[10].b.c[1]"}).Member(); m != "a[].b.c[]" {
		t.Error(m)
	}
}

func TestUnion(t *testing.T) {
	type holder struct {
		Config types.ServiceConnectContainerConfiguration
	}
	ok, bad := types.ServiceConnectContainerLogLevel("info"), types.ServiceConnectContainerLogLevel("loud")
	if len(ok.Values()) == 0 {
		t.Fatal("no values")
	}
	ok = ok.Values()[0]
	if got := violations(&holder{}); got != nil {
		t.Error(got)
	}
	if got := violations(&holder{&types.ServiceConnectContainerConfigurationMemberLogLevel{Value: ok}}); got != nil {
		t.Error(got)
	}
	got := violations(&holder{&types.ServiceConnectContainerConfigurationMemberLogLevel{Value: bad}})
	if len(got) != 1 || got[0][:20] != "config.logLevel must" {
		t.Error(got)
	}
}

// Recursive types can be checked.
func TestRecursive(t *testing.T) {
	type tree struct {
		Kind     types.NetworkMode
		Children []tree
		ByName   map[string]*tree
	}
	v := &tree{Children: []tree{{}, {Kind: "x", ByName: map[string]*tree{"b": {Kind: "y"}, "a": {Kind: "host"}}}}}
	got := violations(v)
	if len(got) != 2 || got[0][:24] != "children[1].kind must be" || got[1][:32] != "children[1].byName[b].kind must " {
		t.Error(got)
	}
}

func BenchmarkRunTask(b *testing.B) {
	s := aws.String("x")
	in := &ecs.RunTaskInput{
		TaskDefinition: s, Cluster: s, LaunchType: types.LaunchTypeEc2, PropagateTags: types.PropagateTagsTaskDefinition, Count: aws.Int32(10),
		Tags:                 []types.Tag{{Key: s, Value: s}, {Key: s, Value: s}},
		PlacementStrategy:    []types.PlacementStrategy{{Type: types.PlacementStrategyTypeSpread, Field: s}},
		NetworkConfiguration: &types.NetworkConfiguration{AwsvpcConfiguration: &types.AwsVpcConfiguration{Subnets: []string{"a", "b"}, AssignPublicIp: types.AssignPublicIpEnabled}},
		Overrides: &types.TaskOverride{ContainerOverrides: []types.ContainerOverride{
			{Name: s, Environment: []types.KeyValuePair{{Name: s, Value: s}, {Name: s, Value: s}}, ResourceRequirements: []types.ResourceRequirement{{Type: types.ResourceTypeGpu, Value: s}}},
			{Name: s, Environment: []types.KeyValuePair{{Name: s, Value: s}}},
		}},
	}
	b.ReportAllocs()
	for b.Loop() {
		for v := range Violations(in) {
			b.Fatal(v)
		}
	}
}
