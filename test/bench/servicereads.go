package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// bigServices is the number of services of the world for the measurement of reads. They
// want no tasks.
const bigServices = 1000

func serviceName(i int) string { return fmt.Sprintf("service-%04d", i) }

// createServices creates the services.
func createServices(ctx context.Context, api *ecs.Client) error {
	return each(ctx, bigServices, func(ctx context.Context, i int) error {
		_, err := api.CreateService(ctx, &ecs.CreateServiceInput{
			Cluster: aws.String(bigCluster), ServiceName: aws.String(serviceName(i)), TaskDefinition: aws.String(familyName(i % families)),
			DesiredCount: aws.Int32(0), Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("shop")}},
		})
		return err
	})
}

// serviceReads returns the measured calls about services, with page 9 of their list and
// the deployments of ten of them.
func serviceReads(ctx context.Context, api *ecs.Client) ([]read, error) {
	cluster := aws.String(bigCluster)
	var names, deployments, revisions []string
	for i := range 10 {
		names = append(names, serviceName(i))
		out, err := api.ListServiceDeployments(ctx, &ecs.ListServiceDeploymentsInput{Cluster: cluster, Service: &names[i]})
		if err != nil {
			return nil, err
		}
		if len(out.ServiceDeployments) != 1 {
			return nil, fmt.Errorf("%s has %d deployments, not 1", names[i], len(out.ServiceDeployments))
		}
		deployments = append(deployments, *out.ServiceDeployments[0].ServiceDeploymentArn)
		revisions = append(revisions, *out.ServiceDeployments[0].TargetServiceRevisionArn)
	}
	var token *string
	for range 9 {
		out, err := api.ListServices(ctx, &ecs.ListServicesInput{Cluster: cluster, MaxResults: aws.Int32(100), NextToken: token})
		if err != nil {
			return nil, err
		}
		if token = out.NextToken; token == nil {
			return nil, errors.New("ListServices: there is no page 9")
		}
	}
	return []read{
		{"ListServices", "page 9", func(ctx context.Context) error {
			out, err := api.ListServices(ctx, &ecs.ListServicesInput{Cluster: cluster, MaxResults: aws.Int32(100), NextToken: token})
			if err != nil {
				return err
			}
			return checkCount(len(out.ServiceArns), 100, nil)
		}},
		{"DescribeServices", "10 with TAGS", func(ctx context.Context) error {
			out, err := api.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: cluster, Services: names, Include: types.ServiceField("").Values()})
			if err != nil {
				return err
			}
			return checkCount(len(out.Services), len(names), nil)
		}},
		{"ListServiceDeployments", "of a service", func(ctx context.Context) error {
			out, err := api.ListServiceDeployments(ctx, &ecs.ListServiceDeploymentsInput{Cluster: cluster, Service: &names[7]})
			if err != nil {
				return err
			}
			return checkCount(len(out.ServiceDeployments), 1, nil)
		}},
		{"DescribeServiceDeployments", "10", func(ctx context.Context) error {
			out, err := api.DescribeServiceDeployments(ctx, &ecs.DescribeServiceDeploymentsInput{ServiceDeploymentArns: deployments})
			if err != nil {
				return err
			}
			return checkCount(len(out.ServiceDeployments), len(deployments), nil)
		}},
		{"DescribeServiceRevisions", "10", func(ctx context.Context) error {
			out, err := api.DescribeServiceRevisions(ctx, &ecs.DescribeServiceRevisionsInput{ServiceRevisionArns: revisions})
			if err != nil {
				return err
			}
			return checkCount(len(out.ServiceRevisions), len(revisions), nil)
		}},
		{"ListServicesByNamespace", "a namespace that is not there", func(ctx context.Context) error {
			_, err := api.ListServicesByNamespace(ctx, &ecs.ListServicesByNamespaceInput{Namespace: aws.String("none")})
			if _, missing := errors.AsType[*types.NamespaceNotFoundException](err); !missing {
				return fmt.Errorf("a namespace that is not there was found: %w", err)
			}
			return nil
		}},
	}, nil
}
