package ecs

import (
	"context"
	"slices"

	"github.com/ashore/ashore/internal/ecs/lookup"
	"github.com/ashore/ashore/internal/ecs/refuse"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// maxServices is how many services one call describes.
const maxServices = 10

func (s *Service) describeServicesOperations() operations {
	return operations{
		"DescribeServices": newOperation("ecs:DescribeServices", func(in *sdk.DescribeServicesInput) []string {
			return s.serviceResources(in.Cluster, in.Services...)
		}),
		"ListServices": newOperation("ecs:ListServices", func(in *sdk.ListServicesInput) []string {
			return []string{s.clusterResource(in.Cluster)}
		}),
	}
}

// DescribeServices describes a cluster's services, including deleted ones as long as
// their records exist.
func (s *Service) DescribeServices(ctx context.Context, in *sdk.DescribeServicesInput) (*sdk.DescribeServicesOutput, error) {
	switch {
	case len(in.Services) == 0:
		return nil, refuse.Invalid("Services cannot be empty.")
	case len(in.Services) > maxServices:
		return nil, refuse.Invalid("Services cannot have more than %d elements.", maxServices)
	}
	snap, c, err := s.readCluster(ctx, in.Cluster)
	if err != nil {
		return nil, err
	}
	out := &sdk.DescribeServicesOutput{Services: []types.Service{}, Failures: []types.Failure{}}
	for _, ref := range in.Services {
		name, ok := s.serviceName(c.Name, ref)
		if svc := snap.Service(c.Name, name); ok && svc != nil {
			one, err := s.serviceOut(snap, svc, slices.Contains(in.Include, types.ServiceFieldTags))
			if err != nil {
				return nil, err
			}
			out.Services = append(out.Services, one)
			continue
		}
		arn := ref
		if !fleet.IsARN(ref) {
			arn = s.site.ServiceShortARN(ref)
		}
		out.Failures = append(out.Failures, refuse.Failure(arn, refuse.Missing, lookup.UnreadableDetail(snap, store.ServiceKey(c.Name, name))))
	}
	return out, nil
}

// defaultServices is how many services a page has if the request has no maxResults.
const defaultServices = 10

// ListServices lists the ARNs of a cluster's services that are not deleted.
func (s *Service) ListServices(ctx context.Context, in *sdk.ListServicesInput) (*sdk.ListServicesOutput, error) {
	p, err := parsePage(in.MaxResults, in.NextToken, "ListServices", aws.ToString(in.Cluster), string(in.LaunchType), string(in.SchedulingStrategy),
		string(in.ResourceManagementType))
	if err != nil {
		return nil, err
	}
	if in.MaxResults == nil {
		p.limit = defaultServices
	}
	snap, c, err := s.readCluster(ctx, in.Cluster)
	if err != nil {
		return nil, err
	}
	list := p.newCollector()
	if in.ResourceManagementType == types.ResourceManagementTypeEcs { // express services: there are none
		return &sdk.ListServicesOutput{ServiceArns: list.items}, nil
	}
	for svc := range snap.Services(c.Name, p.after) {
		if svc.Status != fleet.ServiceActive || (in.SchedulingStrategy != "" && svc.Scheduling != in.SchedulingStrategy) {
			continue
		}
		if in.LaunchType != "" {
			if r := primaryRevision(snap, svc); r == nil || r.LaunchType != in.LaunchType {
				continue
			}
		}
		if !list.add(svc.Name, s.site.ServiceARN(c.Name, svc.Name)) {
			break
		}
	}
	return &sdk.ListServicesOutput{ServiceArns: list.items, NextToken: list.next}, nil
}
