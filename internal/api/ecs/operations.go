package ecs

import (
	"context"
	"strings"

	ecsmodel "github.com/ashore/ashore/internal/aws/model/ecs"
	"github.com/ashore/ashore/internal/ecs/lookup"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/frontdoor"
	"github.com/aws/aws-sdk-go-v2/aws"
)

// Frontdoor declares the service to the front door: for each operation its action,
// and the resources that it touches.
func (s *Service) Frontdoor() frontdoor.Service {
	ops, taggings := s.operations(), s.tagNeeds()
	for name, op := range ops {
		op.Check, op.Further = newCheck(name), taggings[name]
		ops[name] = op
	}
	return frontdoor.Service{Model: ecsmodel.Model, Impl: s, Operations: ops, Tags: &frontdoor.Tags{OfResource: s.ResourceTags}}
}

// operations are operations by name. Each file with handlers declares its own
// operations.
type operations map[string]frontdoor.Operation

func (s *Service) operations() operations {
	all := operations{}
	for _, some := range []operations{
		s.accountSettingOperations(),
		s.attributeOperations(),
		s.capacityProviderOperations(),
		s.clusterOperations(),
		s.clusterUpdateOperations(),
		s.createServiceOperations(),
		s.deleteServiceOperations(),
		s.describeServicesOperations(),
		s.instanceOperations(),
		s.instanceStateOperations(),
		s.listTasksOperations(),
		s.registerOperations(),
		s.runTaskOperations(),
		s.serviceDeploymentOperations(),
		s.serviceRevisionOperations(),
		s.submitOperations(),
		s.tagResourceOperations(),
		s.taskOperations(),
		s.taskDefinitionOperations(),
		s.taskDefinitionLifeOperations(),
		s.taskDefinitionListOperations(),
		s.taskProtectionOperations(),
		s.updateServiceOperations(),
	} {
		for name, op := range some {
			if _, twice := all[name]; twice {
				panic("the operation " + name + " is declared twice")
			}
			all[name] = op
		}
	}
	return all
}

func newOperation[In any](action string, resources func(*In) []string) frontdoor.Operation {
	return frontdoor.Op(action, func(_ context.Context, _ frontdoor.Caller, in *In) []string { return resources(in) })
}

// clusterResource returns the ARN for a request's name of a cluster, or the text
// itself if it is no ARN of ours.
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

func (s *Service) memberResources(typ string, cluster *string, refs ...string) []string {
	out := make([]string, 0, len(refs))
	for _, ref := range refs {
		out = append(out, s.memberResource(typ, cluster, ref))
	}
	return out
}

// memberResource returns the long ARN for a request's name of a task or container
// instance, or the text itself if it is not ours.
func (s *Service) memberResource(typ string, cluster *string, ref string) string {
	name, id, ok := s.resolveMember(typ, cluster, ref)
	if !ok {
		return ref
	}
	if typ == "task" {
		return s.site.TaskARN(name, id)
	}
	return s.site.InstanceARN(name, id)
}

// serviceResources returns the ARNs for a request's names of services, or the texts
// themselves if they are not ours.
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

// resolveMember resolves a request's name of a task or container instance.
func (s *Service) resolveMember(typ string, cluster *string, ref string) (name, id string, ok bool) {
	return lookup.Member(s.site, typ, cluster, ref)
}

func (s *Service) reportedResource(cluster, task *string) string {
	name, id, ok := s.resolveReported(cluster, aws.ToString(task))
	if !ok {
		return aws.ToString(task)
	}
	return s.site.TaskARN(name, id)
}

// resolveReported resolves the task that an agent reports on. If its ARN is long, the
// ARN determines the cluster: an agent's own setting may be out of date.
func (s *Service) resolveReported(cluster *string, task string) (name, id string, ok bool) {
	if a, err := fleet.ParseARN(task); err == nil && s.site.Owns(a) && a.Type == "task" {
		if in, id, long := strings.Cut(a.Rest, "/"); long {
			return in, id, fleet.IsID(id)
		}
	}
	return s.resolveMember("task", cluster, task)
}
