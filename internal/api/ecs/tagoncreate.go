package ecs

import (
	"context"
	"fmt"

	"github.com/ashore/ashore/internal/frontdoor"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// furtherNeeds finds which rights a request needs beside its operation's action.
type furtherNeeds = func(ctx context.Context, c frontdoor.Caller, in any) ([]frontdoor.Need, error)

// tagNeeds returns, by operation, what operations that create something with tags
// need: ecs:TagResource too, unless the caller's account setting
// tagResourceAuthorization is off.
func (s *Service) tagNeeds() map[string]furtherNeeds {
	return map[string]furtherNeeds{
		"CreateCluster": newTagNeed(s, func(in *sdk.CreateClusterInput) (bool, string) {
			return len(in.Tags) > 0, s.clusterResource(in.ClusterName)
		}),
		"CreateCapacityProvider": newTagNeed(s, func(in *sdk.CreateCapacityProviderInput) (bool, string) {
			return len(in.Tags) > 0, s.site.CapacityProviderARN(aws.ToString(in.Name))
		}),
		"RegisterTaskDefinition": newTagNeed(s, func(in *sdk.RegisterTaskDefinitionInput) (bool, string) {
			return len(in.Tags) > 0, s.site.TaskDefinitionFamilyARN(aws.ToString(in.Family))
		}),
		"RegisterContainerInstance": newTagNeed(s, func(in *RegisterContainerInstanceInput) (bool, string) {
			return len(in.Tags) > 0, s.anyMemberARN("container-instance", in.Cluster)
		}),
		"CreateService": newTagNeed(s, func(in *sdk.CreateServiceInput) (bool, string) {
			return len(in.Tags) > 0, s.serviceResources(in.Cluster, aws.ToString(in.ServiceName))[0]
		}),
		"RunTask": newTagNeed(s, func(in *sdk.RunTaskInput) (bool, string) {
			return tagsTasks(in.Tags, in.PropagateTags, in.EnableECSManagedTags), s.anyMemberARN("task", in.Cluster)
		}),
		"StartTask": newTagNeed(s, func(in *sdk.StartTaskInput) (bool, string) {
			return tagsTasks(in.Tags, in.PropagateTags, in.EnableECSManagedTags), s.anyMemberARN("task", in.Cluster)
		}),
	}
}

// tagsTasks reports whether tasks get tags from any source.
func tagsTasks(tags []types.Tag, propagate types.PropagateTags, managed bool) bool {
	return len(tags) > 0 || managed || (propagate != "" && propagate != types.PropagateTagsNone)
}

// anyMemberARN returns the ARN that stands for a task or instance whose id is not
// known yet.
func (s *Service) anyMemberARN(typ string, cluster *string) string {
	name, ok := s.site.ClusterName(aws.ToString(cluster))
	switch {
	case !ok:
		return *cluster
	case typ == "task":
		return s.site.TaskARN(name, "*")
	}
	return s.site.InstanceARN(name, "*")
}

func newTagNeed[In any](s *Service, of func(*In) (tags bool, resource string)) furtherNeeds {
	return func(ctx context.Context, c frontdoor.Caller, in any) ([]frontdoor.Need, error) {
		typed, ok := in.(*In)
		if !ok {
			return nil, fmt.Errorf("ecs: tags of a %T, not a %T", in, typed)
		}
		tags, resource := of(typed)
		if !tags {
			return nil, nil
		}
		snap, err := frontdoor.Snapshot(ctx)
		if err != nil {
			return nil, err
		}
		if s.accountSetting(snap, c.Principal.ARN, types.SettingNameTagResourceAuthorization) == "off" {
			return nil, nil
		}
		return []frontdoor.Need{{Action: "ecs:TagResource", Resources: []string{resource}}}, nil
	}
}
