//go:build linux

package upgrade

import (
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/ashore/ashore/internal/client"
)

// world is what an installation has before anything is replaced.
type world struct {
	standing []string // tasks that run all the time
	stopped  string   // a task
	waiting  string   // a task that waits for a host
	families []string

	cluster, provider, instance, service, definition string // ARNs
}

// Names of what there is.
const (
	providerName = "rack"
	steady       = "steady"  // a service that nobody changes
	rolling      = "rolling" // a service whose definition changes all the time
	loadFamily   = "load"    // of tasks that come and go; it has a volume
)

var tags = []types.Tag{{Key: aws.String("of"), Value: aws.String("upgrade")}}

// must returns a call's answer or fails the test.
func must[Out any](s *scene) func(*Out, error) *Out {
	s.Helper()
	return func(out *Out, err error) *Out {
		s.Helper()
		if err != nil {
			s.Fatal(err)
		}
		return out
	}
}

// define registers a family whose container tells the witness of its start.
func (s *scene) define(family string, with ...func(*ecs.RegisterTaskDefinitionInput)) string {
	s.Helper()
	in := &ecs.RegisterTaskDefinitionInput{
		Family: &family, NetworkMode: types.NetworkModeNone, Tags: tags,
		Volumes: []types.Volume{{Name: aws.String("witness"), Host: &types.HostVolumeProperties{SourcePath: aws.String(s.witness.Dir)}}},
		ContainerDefinitions: []types.ContainerDefinition{{
			Name: aws.String("main"), Image: aws.String(s.witness.Image), Essential: aws.Bool(true), Cpu: 1, Memory: aws.Int32(16),
			MountPoints: []types.MountPoint{{SourceVolume: aws.String("witness"), ContainerPath: aws.String("/witness")}},
		}},
	}
	for _, f := range with {
		f(in)
	}
	return *must[ecs.RegisterTaskDefinitionOutput](s)(s.api().RegisterTaskDefinition(s.ctx, in)).TaskDefinition.TaskDefinitionArn
}

// ownVolume gives a definition a volume of each task's own, and limits of the task as
// a whole: resources that the agent provides and releases.
func ownVolume(in *ecs.RegisterTaskDefinitionInput) {
	in.Volumes = append(in.Volumes, types.Volume{Name: aws.String("own"), DockerVolumeConfiguration: &types.DockerVolumeConfiguration{Scope: types.ScopeTask, Driver: aws.String("local")}})
	c := &in.ContainerDefinitions[0]
	c.MountPoints = append(c.MountPoints, types.MountPoint{SourceVolume: aws.String("own"), ContainerPath: aws.String("/own")})
	in.Memory = aws.String("32")
}

func (s *scene) run(in *ecs.RunTaskInput) string {
	s.Helper()
	out := must[ecs.RunTaskOutput](s)(s.api().RunTask(s.ctx, in))
	if len(out.Tasks) != 1 {
		s.Fatalf("not placed: %+v", out.Failures)
	}
	return *out.Tasks[0].TaskArn
}

// await waits for a task's status.
func (s *scene) await(arn, status string) {
	s.Helper()
	s.until(arn+" is "+status, func() string {
		out := must[ecs.DescribeTasksOutput](s)(s.api().DescribeTasks(s.ctx, &ecs.DescribeTasksInput{Tasks: []string{arn}}))
		if len(out.Tasks) != 1 {
			return "it is missing"
		}
		if is := *out.Tasks[0].LastStatus; is != status {
			return fmt.Sprintf("it is %s %s", is, aws.ToString(out.Tasks[0].StoppedReason))
		}
		return ""
	})
}

// populate makes a world, by each kind of record that the API can make.
func (s *scene) populate() *world {
	s.Helper()
	w := &world{families: []string{"standing", steady, rolling, loadFamily, "old", "waiting"}}
	api, ctx := s.api(), s.ctx
	must[ecs.PutAccountSettingOutput](s)(api.PutAccountSetting(ctx, &ecs.PutAccountSettingInput{Name: types.SettingNameContainerInsights, Value: aws.String("enabled")}))
	must[ecs.PutAccountSettingDefaultOutput](s)(api.PutAccountSettingDefault(ctx, &ecs.PutAccountSettingDefaultInput{Name: types.SettingNameDefaultLogDriverMode, Value: aws.String("blocking")}))
	w.cluster = *must[ecs.CreateClusterOutput](s)(api.CreateCluster(ctx, &ecs.CreateClusterInput{ClusterName: aws.String("other"), Tags: tags,
		Settings: []types.ClusterSetting{{Name: types.ClusterSettingNameContainerInsights, Value: aws.String("disabled")}}})).Cluster.ClusterArn
	w.provider = *must[ecs.CreateCapacityProviderOutput](s)(api.CreateCapacityProvider(ctx, &ecs.CreateCapacityProviderInput{Name: aws.String(providerName), Tags: tags,
		AutoScalingGroupProvider: &types.AutoScalingGroupProvider{AutoScalingGroupArn: aws.String("group"), ManagedScaling: &types.ManagedScaling{Status: types.ManagedScalingStatusEnabled}}})).CapacityProvider.CapacityProviderArn
	must[ecs.PutClusterCapacityProvidersOutput](s)(api.PutClusterCapacityProviders(ctx, &ecs.PutClusterCapacityProvidersInput{Cluster: aws.String("default"),
		CapacityProviders: []string{providerName}, DefaultCapacityProviderStrategy: []types.CapacityProviderStrategyItem{}}))
	if _, err := s.API.CreateHostCredentials(ctx, "another", client.HostTerms{Cluster: "other", Attributes: map[string]string{"rack": "7"}}); err != nil {
		s.Fatal(err)
	}
	instances := must[ecs.ListContainerInstancesOutput](s)(api.ListContainerInstances(ctx, &ecs.ListContainerInstancesInput{}))
	if len(instances.ContainerInstanceArns) != 1 {
		s.Fatalf("container instances: %v", instances.ContainerInstanceArns)
	}
	w.instance = instances.ContainerInstanceArns[0]
	must[ecs.PutAttributesOutput](s)(api.PutAttributes(ctx, &ecs.PutAttributesInput{Attributes: []types.Attribute{{
		Name: aws.String("rack"), Value: aws.String("3"), TargetType: types.TargetTypeContainerInstance, TargetId: &instances.ContainerInstanceArns[0]}}}))
	must[ecs.TagResourceOutput](s)(api.TagResource(ctx, &ecs.TagResourceInput{ResourceArn: &instances.ContainerInstanceArns[0], Tags: tags}))

	w.definition = s.define("standing")
	s.define(loadFamily, ownVolume)
	old := s.define("old")
	must[ecs.DeregisterTaskDefinitionOutput](s)(api.DeregisterTaskDefinition(ctx, &ecs.DeregisterTaskDefinitionInput{TaskDefinition: &old}))
	s.define("waiting", func(in *ecs.RegisterTaskDefinitionInput) {
		in.RequiresCompatibilities = []types.Compatibility{types.CompatibilityEc2}
	})
	for range 2 {
		w.standing = append(w.standing, s.run(&ecs.RunTaskInput{TaskDefinition: aws.String("standing"), Tags: tags, StartedBy: aws.String("somebody"),
			Overrides: &types.TaskOverride{ContainerOverrides: []types.ContainerOverride{{Name: aws.String("main"), Environment: []types.KeyValuePair{{Name: aws.String("K"), Value: aws.String("v")}}}}}}))
	}
	w.standing = append(w.standing, s.run(&ecs.RunTaskInput{TaskDefinition: aws.String(loadFamily)}))
	w.stopped = s.run(&ecs.RunTaskInput{TaskDefinition: aws.String("standing"), ClientToken: aws.String("once")})
	w.waiting = s.run(&ecs.RunTaskInput{TaskDefinition: aws.String("waiting"), CapacityProviderStrategy: []types.CapacityProviderStrategyItem{{CapacityProvider: aws.String(providerName), Weight: 1}}})
	must[ecs.StopTaskOutput](s)(api.StopTask(ctx, &ecs.StopTaskInput{Task: &w.stopped, Reason: aws.String("seen enough")}))
	for name, desired := range map[string]int32{steady: 1, rolling: 2} {
		w.service = *must[ecs.CreateServiceOutput](s)(api.CreateService(ctx, &ecs.CreateServiceInput{ServiceName: &name, TaskDefinition: aws.String(s.define(name)), DesiredCount: &desired,
			Tags: append([]types.Tag{{Key: aws.String("ashore.healthy-after"), Value: aws.String("1")}}, tags...)})).Service.ServiceArn
	}
	for _, arn := range w.standing {
		s.await(arn, "RUNNING")
	}
	s.await(w.stopped, "STOPPED")
	s.await(w.waiting, "PROVISIONING")
	s.stable(steady)
	s.stable(rolling)
	out := must[ecs.ListTasksOutput](s)(api.ListTasks(ctx, &ecs.ListTasksInput{ServiceName: aws.String(steady)}))
	w.standing = append(w.standing, out.TaskArns...)
	return w
}

// stable waits until a service has what it wants.
func (s *scene) stable(name string) {
	s.Helper()
	s.until(name+" is stable", func() string {
		out := must[ecs.DescribeServicesOutput](s)(s.api().DescribeServices(s.ctx, &ecs.DescribeServicesInput{Services: []string{name}}))
		if len(out.Services) != 1 {
			return "it is missing"
		}
		is := out.Services[0]
		if d := is.Deployments[0]; len(is.Deployments) != 1 || is.RunningCount != is.DesiredCount || is.PendingCount != 0 || d.RolloutState != types.DeploymentRolloutStateCompleted {
			return fmt.Sprintf("%d deployments, %d of %d tasks run, %s", len(is.Deployments), is.RunningCount, is.DesiredCount, d.RolloutState)
		}
		return ""
	})
}
