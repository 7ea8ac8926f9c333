package ecs

import (
	"context"

	"github.com/ashore/ashore/internal/aws/shape"
	"github.com/ashore/ashore/internal/ecs/refuse"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/frontdoor"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

func (s *Service) serviceRevisionOperations() operations {
	return operations{
		// Namespaces are no resources of ECS.
		"ListServicesByNamespace": frontdoor.Op[sdk.ListServicesByNamespaceInput]("ecs:ListServicesByNamespace", nil),
		"DescribeServiceRevisions": newOperation("ecs:DescribeServiceRevisions", func(in *sdk.DescribeServiceRevisionsInput) []string {
			return in.ServiceRevisionArns
		}),
	}
}

// DescribeServiceRevisions describes service revisions by their ARNs.
func (s *Service) DescribeServiceRevisions(ctx context.Context, in *sdk.DescribeServiceRevisionsInput) (*sdk.DescribeServiceRevisionsOutput, error) {
	if err := s.checkARNs("service-revision", in.ServiceRevisionArns); err != nil {
		return nil, err
	}
	snap, err := s.store.Fresh(ctx)
	if err != nil {
		return nil, err
	}
	out := &sdk.DescribeServiceRevisionsOutput{ServiceRevisions: []types.ServiceRevision{}, Failures: []types.Failure{}}
	for _, arn := range in.ServiceRevisionArns {
		cluster, service, id, _ := s.serviceMember("service-revision", arn)
		if r := snap.ServiceRevision(cluster, service, id); r != nil {
			out.ServiceRevisions = append(out.ServiceRevisions, s.revisionOut(snap, r))
			continue
		}
		out.Failures = append(out.Failures, refuse.Failure(arn, refuse.Missing, ""))
	}
	return out, nil
}

func (s *Service) revisionOut(snap *store.Snapshot, r *fleet.ServiceRevision) types.ServiceRevision {
	out := types.ServiceRevision{
		ServiceRevisionArn: aws.String(s.site.ServiceRevisionARN(r.Cluster, r.Service, r.ID)), ServiceArn: aws.String(s.site.ServiceARN(r.Cluster, r.Service)),
		ClusterArn: aws.String(s.site.ClusterARN(r.Cluster)), CreatedAt: aws.Time(r.CreatedAt),
		TaskDefinition: aws.String(s.site.TaskDefinitionARN(r.Family, r.Revision)), LaunchType: r.LaunchType, CapacityProviderStrategy: r.CapacityProviders,
		PlatformVersion: shape.TextOrNil(r.PlatformVersion), PlatformFamily: shape.TextOrNil(r.PlatformFamily), NetworkConfiguration: r.Network, VolumeConfigurations: r.Volumes,
		LoadBalancers: []types.LoadBalancer{}, ServiceRegistries: []types.ServiceRegistry{}, ContainerImages: []types.ContainerImage{},
	}
	if d, _ := snap.TaskDefinition(r.Family, r.Revision); d != nil {
		for i := range d.Definition.ContainerDefinitions {
			c := &d.Definition.ContainerDefinitions[i]
			out.ContainerImages = append(out.ContainerImages, types.ContainerImage{ContainerName: c.Name, Image: c.Image})
		}
	}
	return out
}

// ListServicesByNamespace finds no namespace: service discovery is not served yet.
func (s *Service) ListServicesByNamespace(_ context.Context, in *sdk.ListServicesByNamespaceInput) (*sdk.ListServicesByNamespaceOutput, error) {
	if aws.ToString(in.Namespace) == "" {
		return nil, refuse.Invalid("namespace can not be blank.")
	}
	if _, err := parsePage(in.MaxResults, in.NextToken, "ListServicesByNamespace", *in.Namespace); err != nil {
		return nil, err
	}
	return nil, &types.NamespaceNotFoundException{Message: refuse.Text("The specified namespace %q wasn't found: service discovery is not served yet, so there are no namespaces.", *in.Namespace)}
}
