//go:build linux

package upgrade

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/google/go-cmp/cmp"
)

// answers are what the API says of a world, by call. What time and the load change is
// left out.
func (s *scene) answers(w *world) map[string]any {
	s.Helper()
	all := map[string]any{}
	api, ctx := s.api(), s.ctx
	note := func(call string, out any, changing ...string) {
		s.Helper()
		b, err := json.Marshal(out)
		if err != nil {
			s.Fatal(err)
		}
		var v any
		if err := json.Unmarshal(b, &v); err != nil {
			s.Fatal(err)
		}
		all[call] = without(v, append(changing, "ResultMetadata", "ConnectivityAt"))
	}
	note("DescribeClusters", must[ecs.DescribeClustersOutput](s)(api.DescribeClusters(ctx, &ecs.DescribeClustersInput{Clusters: []string{"default", "other"},
		Include: []types.ClusterField{types.ClusterFieldSettings, types.ClusterFieldTags, types.ClusterFieldConfigurations}})),
		"RunningTasksCount", "PendingTasksCount")
	for _, family := range w.families {
		for _, status := range []types.TaskDefinitionStatus{types.TaskDefinitionStatusActive, types.TaskDefinitionStatusInactive} {
			list := must[ecs.ListTaskDefinitionsOutput](s)(api.ListTaskDefinitions(ctx, &ecs.ListTaskDefinitionsInput{FamilyPrefix: &family, Status: status}))
			note("ListTaskDefinitions "+family+" "+string(status), list)
			for _, arn := range list.TaskDefinitionArns {
				note(arn, must[ecs.DescribeTaskDefinitionOutput](s)(api.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{TaskDefinition: &arn, Include: []types.TaskDefinitionField{types.TaskDefinitionFieldTags}})))
			}
		}
	}
	note("DescribeCapacityProviders", must[ecs.DescribeCapacityProvidersOutput](s)(api.DescribeCapacityProviders(ctx, &ecs.DescribeCapacityProvidersInput{CapacityProviders: []string{providerName}, Include: []types.CapacityProviderField{types.CapacityProviderFieldTags}})))
	for _, effective := range []bool{false, true} {
		note("ListAccountSettings "+map[bool]string{true: "effective"}[effective], must[ecs.ListAccountSettingsOutput](s)(api.ListAccountSettings(ctx, &ecs.ListAccountSettingsInput{EffectiveSettings: effective})))
	}
	instances := must[ecs.ListContainerInstancesOutput](s)(api.ListContainerInstances(ctx, &ecs.ListContainerInstancesInput{}))
	note("ListContainerInstances", instances)
	note("DescribeContainerInstances", must[ecs.DescribeContainerInstancesOutput](s)(api.DescribeContainerInstances(ctx, &ecs.DescribeContainerInstancesInput{ContainerInstances: instances.ContainerInstanceArns,
		Include: []types.ContainerInstanceField{types.ContainerInstanceFieldTags, types.ContainerInstanceFieldContainerInstanceHealth}})),
		"RunningTasksCount", "PendingTasksCount", "RemainingResources", "Version", "VersionInfo", "AgentConnected", "LastUpdated", "LastStatusChange")
	note("ListAttributes", must[ecs.ListAttributesOutput](s)(api.ListAttributes(ctx, &ecs.ListAttributesInput{TargetType: types.TargetTypeContainerInstance, AttributeName: aws.String("rack")})))
	services := must[ecs.ListServicesOutput](s)(api.ListServices(ctx, &ecs.ListServicesInput{}))
	slices.Sort(services.ServiceArns)
	note("ListServices", services)
	note("DescribeServices", must[ecs.DescribeServicesOutput](s)(api.DescribeServices(ctx, &ecs.DescribeServicesInput{Services: []string{steady}, Include: []types.ServiceField{types.ServiceFieldTags}})))
	note("ListServiceDeployments", must[ecs.ListServiceDeploymentsOutput](s)(api.ListServiceDeployments(ctx, &ecs.ListServiceDeploymentsInput{Service: aws.String(steady)})))
	for _, arn := range append([]string{w.stopped, w.waiting}, w.standing...) {
		note(arn, must[ecs.DescribeTasksOutput](s)(api.DescribeTasks(ctx, &ecs.DescribeTasksInput{Tasks: []string{arn}, Include: []types.TaskField{types.TaskFieldTags}})))
	}
	token := must[ecs.RunTaskOutput](s)(api.RunTask(ctx, &ecs.RunTaskInput{TaskDefinition: aws.String("standing"), ClientToken: aws.String("once")}))
	if len(token.Tasks) != 1 || *token.Tasks[0].TaskArn != w.stopped {
		s.Errorf("a call with the clientToken of %s ran %+v", w.stopped, token)
	}
	return all
}

// without removes members from all that is in a JSON value, whatever they are in.
func without(v any, members []string) any {
	switch v := v.(type) {
	case map[string]any:
		maps.DeleteFunc(v, func(name string, _ any) bool { return slices.Contains(members, name) })
		for name, in := range v {
			v[name] = without(in, members)
		}
	case []any:
		for i := range v {
			v[i] = without(v[i], members)
		}
	}
	return v
}

// logs are lines that must be in no log of either version.
func (s *scene) logs() {
	s.Helper()
	for _, process := range []string{"server", "agent"} {
		for line := range strings.Lines(s.Log(process)) {
			for _, bad := range []string{"can't be read", "cannot be read", "put aside", "set aside", "panic"} {
				if strings.Contains(line, bad) {
					s.Errorf("the %s's log says: %s", process, line)
				}
			}
		}
	}
}

// same compares answers with those of before.
func (s *scene) same(before, after map[string]any) {
	s.Helper()
	for call := range maps.Keys(before) {
		if diff := cmp.Diff(before[call], after[call]); diff != "" {
			s.Errorf("the answer of %s has changed:\n%s", call, diff)
		}
	}
	if len(before) != len(after) {
		s.Errorf("there were %d answers, and are %d", len(before), len(after))
	}
}
