package placer_test

import (
	"context"
	"strings"
	"testing"

	"github.com/ashore/ashore/internal/api/apitest"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// fargate registers a definition that Fargate takes.
func fargate(t *testing.T, a *apitest.API, family string) {
	t.Helper()
	apitest.Define(t, a, family, func(in *sdk.RegisterTaskDefinitionInput) {
		in.NetworkMode, in.Cpu, in.Memory = types.NetworkModeAwsvpc, aws.String("256"), aws.String("512")
	})
}

var awsvpc = types.Attribute{Name: aws.String("ashore.network-mode.awsvpc")}

func subnets(public types.AssignPublicIp) *types.NetworkConfiguration {
	return &types.NetworkConfiguration{AwsvpcConfiguration: &types.AwsVpcConfiguration{Subnets: []string{"subnet-1"}, AssignPublicIp: public}}
}

func TestStrategyDistributes(t *testing.T) {
	a := apitest.Start(t)
	apitest.CreateCluster(t, a, "c")
	apitest.Provider(t, a, "p", types.ManagedScalingStatusDisabled)
	apitest.Provider(t, a, "q", types.ManagedScalingStatusDisabled)
	apitest.Define(t, a, "f", func(*sdk.RegisterTaskDefinitionInput) {})
	a.Register("free", "c")
	run := func(in sdk.RunTaskInput) (*sdk.RunTaskOutput, error) {
		in.Cluster, in.TaskDefinition = aws.String("c"), aws.String("f")
		return a.Client.RunTask(t.Context(), &in)
	}
	both := []types.CapacityProviderStrategyItem{apitest.Strategy("p", 2, 1), apitest.Strategy("q", 0, 3)}
	_, err := run(sdk.RunTaskInput{CapacityProviderStrategy: both})
	apitest.WantError[*types.InvalidParameterException](t, err, "No Container Instances were found in your capacity provider. (p)")
	inP, _ := a.Register("hp", "c", apitest.Member("p"))
	inQ, _ := a.Register("hq", "c", apitest.Member("q"))
	out := apitest.Must[*sdk.RunTaskOutput](t)(run(sdk.RunTaskInput{CapacityProviderStrategy: both, Count: aws.Int32(10)}))
	if n := apitest.On(out.Tasks); n[inP] != 4 || n[inQ] != 6 {
		t.Errorf("base 2 and 1:3 of 10: %v", n)
	}
	for _, task := range out.Tasks {
		if want := map[string]string{inP: "p", inQ: "q"}[*task.ContainerInstanceArn]; aws.ToString(task.CapacityProviderName) != want || task.LaunchType != types.LaunchTypeEc2 {
			t.Errorf("provider %v, launch type %s; want %s, EC2", task.CapacityProviderName, task.LaunchType, want)
		}
	}
	// The cluster's default strategy holds where nothing else is asked for.
	if err := a.Store.Update(t.Context(), func(tx *store.Tx) error {
		k := store.ClusterKey("c")
		c := *store.Get(tx, k)
		c.DefaultCapacityProviderStrategy = []types.CapacityProviderStrategyItem{apitest.Strategy("q", 0, 1)}
		return store.Put(tx, k, &c)
	}); err != nil {
		t.Fatal(err)
	}
	if n := apitest.On(apitest.Must[*sdk.RunTaskOutput](t)(run(sdk.RunTaskInput{Count: aws.Int32(5)})).Tasks); n[inQ] != 5 {
		t.Errorf("default strategy: %v", n)
	}
	if got := apitest.Must[*sdk.RunTaskOutput](t)(run(sdk.RunTaskInput{LaunchType: types.LaunchTypeEc2})).Tasks[0]; got.CapacityProviderName != nil {
		t.Errorf("launch type before default strategy: %+v", got)
	}
	for text, s := range map[string][]types.CapacityProviderStrategyItem{
		"not associated with the cluster":   {apitest.Strategy("r", 0, 1)},
		"only one capacity provider":        {apitest.Strategy("p", 1, 1), apitest.Strategy("q", 1, 1)},
		"weight greater than 0":             {apitest.Strategy("p", 0, 0), apitest.Strategy("q", 0, 0)},
		"either Fargate capacity providers": {apitest.Strategy("FARGATE", 0, 1), apitest.Strategy("q", 0, 1)},
	} {
		_, err := run(sdk.RunTaskInput{CapacityProviderStrategy: s})
		apitest.WantError[*types.InvalidParameterException](t, err, text)
	}
}

// Fargate's tasks run on hosts that offer awsvpc and belong to no other
// provider; a mixed cluster serves all launch types.
func TestFargateOnOwnHosts(t *testing.T) {
	a := apitest.Start(t)
	ctx := t.Context()
	apitest.CreateCluster(t, a, "c")
	if err := a.Store.Update(ctx, func(tx *store.Tx) error { return apitest.Associate(tx, "FARGATE", "FARGATE_SPOT") }); err != nil {
		t.Fatal(err)
	}
	fargate(t, a, "f")
	apitest.Define(t, a, "plain", func(*sdk.RegisterTaskDefinitionInput) {})
	plain, _ := a.Register("plain", "c", types.Attribute{Name: aws.String("ecs.capability.task-cpu-mem-limit")})
	run := func(change func(*sdk.RunTaskInput)) (*sdk.RunTaskOutput, error) {
		in := &sdk.RunTaskInput{Cluster: aws.String("c"), TaskDefinition: aws.String("f"), LaunchType: types.LaunchTypeFargate, NetworkConfiguration: subnets(types.AssignPublicIpEnabled)}
		change(in)
		return a.Client.RunTask(ctx, in)
	}
	none := func(*sdk.RunTaskInput) {}
	_, err := run(none)
	apitest.WantError[*types.UnsupportedFeatureException](t, err, "networkMode awsvpc")
	limit := types.Attribute{Name: aws.String("ecs.capability.task-cpu-mem-limit")}
	a.Register("other", "c", awsvpc, limit, apitest.Member("mine"))
	_, err = run(none)
	apitest.WantError[*types.InvalidParameterException](t, err, "FARGATE")
	open, _ := a.Register("open", "c", awsvpc, limit)
	spot, _ := a.Register("spot", "c", awsvpc, limit, apitest.Member("FARGATE_SPOT"))
	got := apitest.Must[*sdk.RunTaskOutput](t)(run(func(in *sdk.RunTaskInput) { in.Count = aws.Int32(3) }))
	if n := apitest.On(got.Tasks); n[open] != 3 {
		t.Fatalf("%v, failures %v", n, got.Failures)
	}
	if x := got.Tasks[0]; x.LaunchType != types.LaunchTypeFargate || *x.PlatformVersion != "1.4.0" || *x.PlatformFamily != "Linux" || x.EphemeralStorage.SizeInGiB != 20 ||
		x.CapacityProviderName != nil || *x.Cpu != "256" || *x.Memory != "512" {
		t.Errorf("%+v", x)
	}
	got = apitest.Must[*sdk.RunTaskOutput](t)(run(func(in *sdk.RunTaskInput) {
		in.LaunchType, in.CapacityProviderStrategy = "", []types.CapacityProviderStrategyItem{apitest.Strategy("FARGATE_SPOT", 1, 0)}
		in.Overrides = &types.TaskOverride{Cpu: aws.String(".5 vCPU"), Memory: aws.String("1 GB"), EphemeralStorage: &types.EphemeralStorage{SizeInGiB: 30}}
		in.PlatformVersion = aws.String("LATEST")
		in.Count = aws.Int32(1)
	}))
	if n := apitest.On(got.Tasks); n[spot]+n[open] != 1 {
		t.Fatalf("%v, failures %v", n, got.Failures)
	}
	if x := got.Tasks[0]; *x.CapacityProviderName != "FARGATE_SPOT" || x.LaunchType != types.LaunchTypeFargate || *x.Cpu != "512" || *x.Memory != "1024" || x.EphemeralStorage.SizeInGiB != 30 {
		t.Errorf("%+v", x)
	}
	out := apitest.Must[*sdk.RunTaskOutput](t)(a.Client.RunTask(ctx, &sdk.RunTaskInput{Cluster: aws.String("c"), TaskDefinition: aws.String("plain"), Count: aws.Int32(10)}))
	if len(out.Tasks) != 10 {
		t.Errorf("EC2 in a mixed cluster: %v", out.Failures)
	}
	start := apitest.Must[*sdk.StartTaskOutput](t)(a.Client.StartTask(ctx, &sdk.StartTaskInput{
		Cluster: aws.String("c"), TaskDefinition: aws.String("f"), ContainerInstances: []string{plain, open}, NetworkConfiguration: subnets(""),
	}))
	if len(start.Tasks) != 1 || len(start.Failures) != 1 || *start.Failures[0].Reason != "ATTRIBUTE" || !strings.Contains(*start.Failures[0].Detail, *awsvpc.Name) {
		t.Errorf("StartTask: %+v %+v", start.Tasks, start.Failures)
	}

	for text, change := range map[string]func(*sdk.RunTaskInput){
		"No Fargate configuration exists for given values: 512 CPU, 512 memory": func(in *sdk.RunTaskInput) { in.Overrides = &types.TaskOverride{Cpu: aws.String("512")} },
		"platform version must be null": func(in *sdk.RunTaskInput) {
			in.LaunchType, in.PlatformVersion, in.NetworkConfiguration = types.LaunchTypeEc2, aws.String("1.4.0"), subnets("")
		},
		"Assign public IP is not supported for this launch type.": func(in *sdk.RunTaskInput) { in.LaunchType = types.LaunchTypeEc2 },
		"only supported for tasks on FARGATE": func(in *sdk.RunTaskInput) {
			in.LaunchType, in.NetworkConfiguration = types.LaunchTypeEc2, subnets("")
			in.Overrides = &types.TaskOverride{EphemeralStorage: &types.EphemeralStorage{SizeInGiB: 21}}
		},
		"sizeInGiB must be between 21 and 200, not 20": func(in *sdk.RunTaskInput) {
			in.Overrides = &types.TaskOverride{EphemeralStorage: &types.EphemeralStorage{SizeInGiB: 20}}
		},
		"Placement strategies are not supported with FARGATE": func(in *sdk.RunTaskInput) {
			in.PlacementStrategy = []types.PlacementStrategy{{Type: types.PlacementStrategyTypeRandom}}
		},
		"leave launchType out": func(in *sdk.RunTaskInput) { in.LaunchType = types.LaunchTypeManagedInstances },
		"subnets can not be empty": func(in *sdk.RunTaskInput) {
			in.NetworkConfiguration.AwsvpcConfiguration.Subnets = []string{}
		},
		"subnets can have at most 16 items, not 17": func(in *sdk.RunTaskInput) {
			in.NetworkConfiguration.AwsvpcConfiguration.Subnets = strings.Split(strings.Repeat("s,", 16)+"s", ",")
		},
		"securityGroups can have at most 5 items, not 6": func(in *sdk.RunTaskInput) {
			in.NetworkConfiguration.AwsvpcConfiguration.SecurityGroups = []string{"1", "2", "3", "4", "5", "6"}
		},
	} {
		_, err := run(change)
		apitest.WantError[*types.InvalidParameterException](t, err, text)
	}
	_, err = run(func(in *sdk.RunTaskInput) { in.PlatformVersion = aws.String("2.0.0") })
	apitest.WantError[*types.PlatformUnknownException](t, err, "platformVersion must be LATEST or one of 1.4.0, 1.3.0")
}

// Windows is refused while no host offers it.
func TestWindowsNeedsAHost(t *testing.T) {
	a := apitest.Start(t)
	apitest.CreateCluster(t, a, "c")
	a.Register("h", "c", types.Attribute{Name: aws.String("ecs.os-type"), Value: aws.String("linux")})
	apitest.Define(t, a, "w", func(in *sdk.RegisterTaskDefinitionInput) {
		in.RuntimePlatform = &types.RuntimePlatform{OperatingSystemFamily: types.OSFamilyWindowsServer2022Core}
	})
	in := &sdk.RunTaskInput{Cluster: aws.String("c"), TaskDefinition: aws.String("w")}
	_, err := a.Client.RunTask(context.Background(), in)
	apitest.WantError[*types.UnsupportedFeatureException](t, err, "ecs.os-type=windows")
	win, _ := a.Register("w", "c", types.Attribute{Name: aws.String("ecs.os-type"), Value: aws.String("windows")})
	in.ClientToken = nil
	if n := apitest.On(apitest.Must[*sdk.RunTaskOutput](t)(a.Client.RunTask(context.Background(), in)).Tasks); n[win] != 1 {
		t.Errorf("placed on %v", n)
	}
}
