package ecs

import (
	"context"
	"strings"

	ecsmodel "github.com/ashore/ashore/internal/aws/model/ecs"
	"github.com/ashore/ashore/internal/ecs/lookup"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/frontdoor"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
)

// Frontdoor declares the service to the front door: for each operation its
// action and the resources that it touches.
func (s *Service) Frontdoor() frontdoor.Service {
	ops, taggings := s.operations(), s.taggings()
	for name, op := range ops {
		op.Check, op.Further = checkOf(name), taggings[name]
		ops[name] = op
	}
	return frontdoor.Service{Model: ecsmodel.Model, Impl: s, Operations: ops}
}

func (s *Service) operations() map[string]frontdoor.Operation {
	return map[string]frontdoor.Operation{
		"CreateCluster": On("ecs:CreateCluster", func(in *sdk.CreateClusterInput) []string {
			return []string{s.clusterResource(in.ClusterName)}
		}),
		"DescribeClusters": On("ecs:DescribeClusters", func(in *sdk.DescribeClustersInput) []string {
			if len(in.Clusters) == 0 {
				return []string{s.clusterResource(nil)}
			}
			var out []string
			for i := range in.Clusters {
				out = append(out, s.clusterResource(&in.Clusters[i]))
			}
			return out
		}),
		"ListClusters":  frontdoor.Op[sdk.ListClustersInput]("ecs:ListClusters", nil),
		"DeleteCluster": On("ecs:DeleteCluster", func(in *sdk.DeleteClusterInput) []string { return []string{s.clusterResource(in.Cluster)} }),
		"UpdateCluster": On("ecs:UpdateCluster", func(in *sdk.UpdateClusterInput) []string { return []string{s.clusterResource(in.Cluster)} }),
		"UpdateClusterSettings": On("ecs:UpdateClusterSettings", func(in *sdk.UpdateClusterSettingsInput) []string {
			return []string{s.clusterResource(in.Cluster)}
		}),
		"PutClusterCapacityProviders": On("ecs:PutClusterCapacityProviders", func(in *sdk.PutClusterCapacityProvidersInput) []string {
			return []string{s.clusterResource(in.Cluster)}
		}),

		"CreateCapacityProvider": On("ecs:CreateCapacityProvider", func(in *sdk.CreateCapacityProviderInput) []string {
			return s.providerResources(in.Name, in.Cluster)
		}),
		"UpdateCapacityProvider": On("ecs:UpdateCapacityProvider", func(in *sdk.UpdateCapacityProviderInput) []string {
			return s.providerResources(in.Name, in.Cluster)
		}),
		"DeleteCapacityProvider": On("ecs:DeleteCapacityProvider", func(in *sdk.DeleteCapacityProviderInput) []string {
			return s.providerResources(in.CapacityProvider, in.Cluster)
		}),
		"DescribeCapacityProviders": On("ecs:DescribeCapacityProviders", func(in *sdk.DescribeCapacityProvidersInput) []string {
			var out []string
			for i := range in.CapacityProviders {
				out = append(out, s.providerResource(&in.CapacityProviders[i]))
			}
			return out
		}),

		"RegisterTaskDefinition": On("ecs:RegisterTaskDefinition", func(in *sdk.RegisterTaskDefinitionInput) []string {
			return []string{s.site.TaskDefinitionFamilyARN(aws.ToString(in.Family))}
		}),
		"DescribeTaskDefinition":   frontdoor.Op[sdk.DescribeTaskDefinitionInput]("ecs:DescribeTaskDefinition", nil),
		"DeregisterTaskDefinition": frontdoor.Op[sdk.DeregisterTaskDefinitionInput]("ecs:DeregisterTaskDefinition", nil),
		"DeleteTaskDefinitions": On("ecs:DeleteTaskDefinitions", func(in *sdk.DeleteTaskDefinitionsInput) []string {
			var out []string
			for i := range in.TaskDefinitions {
				out = append(out, s.definitionResource(&in.TaskDefinitions[i]))
			}
			return out
		}),
		"ListTaskDefinitions":        frontdoor.Op[sdk.ListTaskDefinitionsInput]("ecs:ListTaskDefinitions", nil),
		"ListTaskDefinitionFamilies": frontdoor.Op[sdk.ListTaskDefinitionFamiliesInput]("ecs:ListTaskDefinitionFamilies", nil),

		"RegisterContainerInstance": On("ecs:RegisterContainerInstance", func(in *RegisterContainerInstanceInput) []string {
			out := []string{s.clusterResource(in.Cluster)}
			if aws.ToString(in.ContainerInstanceArn) != "" {
				out = append(out, s.memberResource("container-instance", in.Cluster, *in.ContainerInstanceArn))
			}
			return out
		}),
		"DeregisterContainerInstance": On("ecs:DeregisterContainerInstance", func(in *sdk.DeregisterContainerInstanceInput) []string {
			return s.members("container-instance", in.Cluster, aws.ToString(in.ContainerInstance))
		}),
		"DescribeContainerInstances": On("ecs:DescribeContainerInstances", func(in *sdk.DescribeContainerInstancesInput) []string {
			return s.members("container-instance", in.Cluster, in.ContainerInstances...)
		}),
		"ListContainerInstances": On("ecs:ListContainerInstances", func(in *sdk.ListContainerInstancesInput) []string {
			return []string{s.clusterResource(in.Cluster)}
		}),
		"UpdateContainerInstancesState": On("ecs:UpdateContainerInstancesState", func(in *sdk.UpdateContainerInstancesStateInput) []string {
			return s.members("container-instance", in.Cluster, in.ContainerInstances...)
		}),
		"UpdateContainerAgent": On("ecs:UpdateContainerAgent", func(in *sdk.UpdateContainerAgentInput) []string {
			return s.members("container-instance", in.Cluster, aws.ToString(in.ContainerInstance))
		}),
		"SubmitAttachmentStateChanges": On("ecs:SubmitAttachmentStateChanges", func(in *sdk.SubmitAttachmentStateChangesInput) []string {
			return []string{s.clusterResource(in.Cluster)}
		}),
		"PutAttributes": On("ecs:PutAttributes", func(in *sdk.PutAttributesInput) []string {
			return s.attributeTargets(in.Cluster, in.Attributes)
		}),
		"DeleteAttributes": On("ecs:DeleteAttributes", func(in *sdk.DeleteAttributesInput) []string {
			return s.attributeTargets(in.Cluster, in.Attributes)
		}),
		"ListAttributes": On("ecs:ListAttributes", func(in *sdk.ListAttributesInput) []string {
			return []string{s.clusterResource(in.Cluster)}
		}),
		"DiscoverPollEndpoint": On("ecs:DiscoverPollEndpoint", func(in *sdk.DiscoverPollEndpointInput) []string {
			if aws.ToString(in.ContainerInstance) == "" {
				return nil
			}
			return s.members("container-instance", in.Cluster, *in.ContainerInstance)
		}),

		"CreateService": On("ecs:CreateService", func(in *sdk.CreateServiceInput) []string {
			return s.serviceResources(in.Cluster, aws.ToString(in.ServiceName))
		}),
		"UpdateService": On("ecs:UpdateService", func(in *sdk.UpdateServiceInput) []string {
			return s.serviceResources(in.Cluster, aws.ToString(in.Service))
		}),
		"DeleteService": On("ecs:DeleteService", func(in *sdk.DeleteServiceInput) []string {
			return s.serviceResources(in.Cluster, aws.ToString(in.Service))
		}),
		"DescribeServices": On("ecs:DescribeServices", func(in *sdk.DescribeServicesInput) []string {
			return s.serviceResources(in.Cluster, in.Services...)
		}),
		"ListServices": On("ecs:ListServices", func(in *sdk.ListServicesInput) []string {
			return []string{s.clusterResource(in.Cluster)}
		}),

		// Namespaces are no resources of ECS.
		"ListServicesByNamespace": frontdoor.Op[sdk.ListServicesByNamespaceInput]("ecs:ListServicesByNamespace", nil),
		"ListServiceDeployments": On("ecs:ListServiceDeployments", func(in *sdk.ListServiceDeploymentsInput) []string {
			return s.serviceResources(in.Cluster, aws.ToString(in.Service))
		}),
		"DescribeServiceDeployments": On("ecs:DescribeServiceDeployments", func(in *sdk.DescribeServiceDeploymentsInput) []string {
			return in.ServiceDeploymentArns
		}),
		"DescribeServiceRevisions": On("ecs:DescribeServiceRevisions", func(in *sdk.DescribeServiceRevisionsInput) []string {
			return in.ServiceRevisionArns
		}),
		"StopServiceDeployment": On("ecs:StopServiceDeployment", func(in *sdk.StopServiceDeploymentInput) []string {
			return []string{aws.ToString(in.ServiceDeploymentArn)}
		}),
		"ContinueServiceDeployment": On("ecs:ContinueServiceDeployment", func(in *sdk.ContinueServiceDeploymentInput) []string {
			return []string{aws.ToString(in.ServiceDeploymentArn)}
		}),

		// Account settings have no ARN of their own: policies name the actions.
		"PutAccountSetting":        frontdoor.Op[sdk.PutAccountSettingInput]("ecs:PutAccountSetting", nil),
		"PutAccountSettingDefault": frontdoor.Op[sdk.PutAccountSettingDefaultInput]("ecs:PutAccountSettingDefault", nil),
		"DeleteAccountSetting":     frontdoor.Op[sdk.DeleteAccountSettingInput]("ecs:DeleteAccountSetting", nil),
		"ListAccountSettings":      frontdoor.Op[sdk.ListAccountSettingsInput]("ecs:ListAccountSettings", nil),

		"TagResource":   On("ecs:TagResource", func(in *sdk.TagResourceInput) []string { return []string{aws.ToString(in.ResourceArn)} }),
		"UntagResource": On("ecs:UntagResource", func(in *sdk.UntagResourceInput) []string { return []string{aws.ToString(in.ResourceArn)} }),
		"ListTagsForResource": On("ecs:ListTagsForResource", func(in *sdk.ListTagsForResourceInput) []string {
			return []string{aws.ToString(in.ResourceArn)}
		}),

		"RunTask": On("ecs:RunTask", func(in *sdk.RunTaskInput) []string {
			return []string{s.clusterResource(in.Cluster), s.definitionResource(in.TaskDefinition)}
		}),
		"StartTask": On("ecs:StartTask", func(in *sdk.StartTaskInput) []string {
			return append(s.members("container-instance", in.Cluster, in.ContainerInstances...), s.definitionResource(in.TaskDefinition))
		}),
		"StopTask": On("ecs:StopTask", func(in *sdk.StopTaskInput) []string {
			return s.members("task", in.Cluster, aws.ToString(in.Task))
		}),
		"DescribeTasks": On("ecs:DescribeTasks", func(in *sdk.DescribeTasksInput) []string {
			return s.members("task", in.Cluster, in.Tasks...)
		}),
		"ListTasks": On("ecs:ListTasks", func(in *sdk.ListTasksInput) []string {
			return []string{s.clusterResource(in.Cluster)}
		}),
		"UpdateTaskProtection": On("ecs:UpdateTaskProtection", func(in *sdk.UpdateTaskProtectionInput) []string {
			return s.members("task", in.Cluster, in.Tasks...)
		}),
		"GetTaskProtection": On("ecs:GetTaskProtection", func(in *sdk.GetTaskProtectionInput) []string {
			if len(in.Tasks) == 0 {
				return []string{s.anyMember("task", in.Cluster)}
			}
			return s.members("task", in.Cluster, in.Tasks...)
		}),
		"SubmitTaskStateChange": On("ecs:SubmitTaskStateChange", func(in *sdk.SubmitTaskStateChangeInput) []string {
			return []string{s.reportedResource(in.Cluster, in.Task)}
		}),
		"SubmitContainerStateChange": On("ecs:SubmitContainerStateChange", func(in *sdk.SubmitContainerStateChangeInput) []string {
			return []string{s.reportedResource(in.Cluster, in.Task)}
		}),
	}
}

func On[In any](action string, resources func(*In) []string) frontdoor.Operation {
	return frontdoor.Op(action, func(_ context.Context, _ frontdoor.Caller, in *In) []string { return resources(in) })
}

// clusterResource is the ARN of what a request calls a cluster, or the text
// itself where it is no ARN of ours.
func (s *Service) clusterResource(ref *string) string {
	name, ok := s.site.ClusterName(aws.ToString(ref))
	if !ok {
		return *ref
	}
	return s.site.ClusterARN(name)
}

func (s *Service) definitionResource(ref *string) string {
	r, err := s.site.TaskDefinitionRef(aws.ToString(ref))
	if err != nil || r.Revision == 0 {
		return s.site.TaskDefinitionFamilyARN(r.Family)
	}
	return s.site.TaskDefinitionARN(r.Family, r.Revision)
}

func (s *Service) members(typ string, cluster *string, refs ...string) []string {
	out := make([]string, 0, len(refs))
	for _, ref := range refs {
		out = append(out, s.memberResource(typ, cluster, ref))
	}
	return out
}

// memberResource is the long ARN of what a request calls a task or container
// instance, or the text itself where it is none of ours.
func (s *Service) memberResource(typ string, cluster *string, ref string) string {
	name, id, ok := s.member(typ, cluster, ref)
	if !ok {
		return ref
	}
	if typ == "task" {
		return s.site.TaskARN(name, id)
	}
	return s.site.InstanceARN(name, id)
}

// serviceResources are the ARNs of what a request calls services, or the texts
// themselves where they are none of ours.
func (s *Service) serviceResources(cluster *string, refs ...string) []string {
	out := make([]string, len(refs))
	for i, ref := range refs {
		out[i] = ref
		if in, ok := s.site.ClusterName(aws.ToString(cluster)); ok {
			if name, ok := s.serviceName(in, ref); ok {
				out[i] = s.site.ServiceARN(in, name)
			}
		}
	}
	return out
}

// member resolves what a request calls a task or container instance.
func (s *Service) member(typ string, cluster *string, ref string) (name, id string, ok bool) {
	return lookup.Member(s.site, typ, cluster, ref)
}

func (s *Service) reportedResource(cluster, task *string) string {
	name, id, ok := s.reported(cluster, aws.ToString(task))
	if !ok {
		return aws.ToString(task)
	}
	return s.site.TaskARN(name, id)
}

// reported resolves the task that an agent reports on. Its ARN, where it is a
// long one, says the cluster: an agent's own setting may be out of date.
func (s *Service) reported(cluster *string, task string) (name, id string, ok bool) {
	if a, err := fleet.ParseARN(task); err == nil && s.site.Ours(a) && a.Type == "task" {
		if in, id, long := strings.Cut(a.Rest, "/"); long {
			return in, id, fleet.IsID(id)
		}
	}
	return s.member("task", cluster, task)
}
