package ecs

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/ashore/ashore/internal/ecs/refuse"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

const (
	// defaultDeployments is how many service deployments a page has if the request
	// has no maxResults. maxARNs is how many service deployments, or revisions, one
	// call describes.
	defaultDeployments = 20
	maxARNs            = 20
)

// serviceMember resolves the ARN of a service-deployment or a service-revision.
func (s *Service) serviceMember(typ, arn string) (cluster, service, id string, ok bool) {
	a, err := fleet.ParseARN(arn)
	if err != nil || !s.site.Owns(a) || a.Type != typ {
		return "", "", "", false
	}
	parts := strings.Split(a.Rest, "/")
	if len(parts) != 3 || !fleet.ValidName(parts[0]) || !fleet.ValidName(parts[1]) || !fleet.ValidName(parts[2]) {
		return "", "", "", false
	}
	return parts[0], parts[1], parts[2], true
}

func (s *Service) checkARNs(typ string, arns []string) error {
	if len(arns) < 1 || len(arns) > maxARNs {
		return refuse.Invalid("Between 1 and %d ARNs of a %s can be described in one call, not %d.", maxARNs, typ, len(arns))
	}
	for _, arn := range arns {
		if _, _, _, ok := s.serviceMember(typ, arn); !ok {
			return refuse.Invalid("%q is not the ARN of a %s of account %s in %s.", arn, typ, s.site.Account, s.site.Region)
		}
	}
	return nil
}

func (s *Service) serviceDeploymentOperations() operations {
	return operations{
		"ListServiceDeployments": newOperation("ecs:ListServiceDeployments", func(in *sdk.ListServiceDeploymentsInput) []string {
			return s.serviceResources(in.Cluster, aws.ToString(in.Service))
		}),
		"DescribeServiceDeployments": newOperation("ecs:DescribeServiceDeployments", func(in *sdk.DescribeServiceDeploymentsInput) []string {
			return in.ServiceDeploymentArns
		}),
		"StopServiceDeployment": newOperation("ecs:StopServiceDeployment", func(in *sdk.StopServiceDeploymentInput) []string {
			return []string{aws.ToString(in.ServiceDeploymentArn)}
		}),
		"ContinueServiceDeployment": newOperation("ecs:ContinueServiceDeployment", func(in *sdk.ContinueServiceDeploymentInput) []string {
			return []string{aws.ToString(in.ServiceDeploymentArn)}
		}),
	}
}

// ListServiceDeployments lists a service's deployments, the newest first. A rollback
// is not listed: here it is the end of the deployment that it rolls back.
func (s *Service) ListServiceDeployments(ctx context.Context, in *sdk.ListServiceDeploymentsInput) (*sdk.ListServiceDeploymentsOutput, error) {
	p, err := parsePage(in.MaxResults, in.NextToken, "ListServiceDeployments", aws.ToString(in.Cluster), aws.ToString(in.Service), fmt.Sprint(in.Status), spanKey(in.CreatedAt))
	if err != nil {
		return nil, err
	}
	if in.MaxResults == nil {
		p.limit = defaultDeployments
	}
	snap, c, err := s.readCluster(ctx, in.Cluster)
	if err != nil {
		return nil, err
	}
	name, ok := s.serviceName(c.Name, aws.ToString(in.Service))
	svc := snap.Service(c.Name, name)
	if !ok || svc == nil {
		return nil, serviceNotFound()
	}
	from := int64(0)
	if p.after != "" {
		if from, err = strconv.ParseInt(p.after, 10, 64); err != nil {
			return nil, err
		}
	}
	out := &sdk.ListServiceDeploymentsOutput{ServiceDeployments: []types.ServiceDeploymentBrief{}}
	last := int64(0)
	for _, d := range requestedDeployments(snap, svc) {
		full, err := s.serviceDeploymentOut(snap, svc, d)
		if err != nil {
			return nil, err
		}
		if from > 0 && d.Number >= from || !isWithin(in.CreatedAt, d.Deployment.Deployment) || len(in.Status) > 0 && !slices.Contains(in.Status, full.Status) {
			continue
		}
		if len(out.ServiceDeployments) == p.limit {
			out.NextToken = p.tokenAfter(strconv.FormatInt(last, 10))
			break
		}
		last = d.Number
		out.ServiceDeployments = append(out.ServiceDeployments, types.ServiceDeploymentBrief{
			ServiceDeploymentArn: full.ServiceDeploymentArn, ServiceArn: full.ServiceArn, ClusterArn: full.ClusterArn, CreatedAt: full.CreatedAt,
			StartedAt: full.StartedAt, FinishedAt: full.FinishedAt, Status: full.Status, StatusReason: full.StatusReason,
			TargetServiceRevisionArn: full.TargetServiceRevision.Arn,
		})
	}
	return out, nil
}

// spanKey returns a filter by time in the form in which a page's token contains it.
func spanKey(span *types.CreatedAt) string {
	if span == nil {
		return ""
	}
	return fmt.Sprint(aws.ToTime(span.After).UnixMilli(), aws.ToTime(span.Before).UnixMilli())
}

func isWithin(span *types.CreatedAt, d *fleet.Deployment) bool {
	return span == nil || (span.After == nil || d.CreatedAt.After(*span.After)) && (span.Before == nil || d.CreatedAt.Before(*span.Before))
}

// DescribeServiceDeployments describes service deployments by their ARNs.
func (s *Service) DescribeServiceDeployments(ctx context.Context, in *sdk.DescribeServiceDeploymentsInput) (*sdk.DescribeServiceDeploymentsOutput, error) {
	if err := s.checkARNs("service-deployment", in.ServiceDeploymentArns); err != nil {
		return nil, err
	}
	snap, err := s.store.Fresh(ctx)
	if err != nil {
		return nil, err
	}
	out := &sdk.DescribeServiceDeploymentsOutput{ServiceDeployments: []types.ServiceDeployment{}, Failures: []types.Failure{}}
	for _, arn := range in.ServiceDeploymentArns {
		if svc, d, ok := s.findRequestedDeployment(snap, arn); ok {
			full, err := s.serviceDeploymentOut(snap, svc, d)
			if err != nil {
				return nil, err
			}
			out.ServiceDeployments = append(out.ServiceDeployments, full)
			continue
		}
		out.Failures = append(out.Failures, refuse.Failure(arn, refuse.Missing, ""))
	}
	return out, nil
}

// findRequestedDeployment finds, by its ARN, a deployment that a call requested.
func (s *Service) findRequestedDeployment(snap *store.Snapshot, arn string) (*fleet.Service, serviceDeployment, bool) {
	cluster, service, id, _ := s.serviceMember("service-deployment", arn)
	svc := snap.Service(cluster, service)
	if svc == nil {
		return nil, serviceDeployment{}, false
	}
	for _, d := range requestedDeployments(snap, svc) {
		if d.ID == id {
			return svc, d, true
		}
	}
	return nil, serviceDeployment{}, false
}

// StopServiceDeployment requests the rollback of a deployment that is under way.
func (s *Service) StopServiceDeployment(ctx context.Context, in *sdk.StopServiceDeploymentInput) (*sdk.StopServiceDeploymentOutput, error) {
	arn, stop := aws.ToString(in.ServiceDeploymentArn), in.StopType
	if stop == "" {
		stop = types.StopServiceDeploymentStopTypeRollback
	}
	if stop != types.StopServiceDeploymentStopTypeRollback {
		return nil, refuse.Invalid("stopType must be ROLLBACK, not %s.", stop)
	}
	cluster, service, id, ok := s.serviceMember("service-deployment", arn)
	if !ok {
		return nil, refuse.Invalid("%q is not the ARN of a service deployment of account %s in %s.", arn, s.site.Account, s.site.Region)
	}
	err := s.store.Update(ctx, func(tx *store.Tx) error {
		// Guard the service too: a rollback or a newer deployment writes it.
		store.Get(tx, store.ServiceKey(cluster, service))
		store.Get(tx, store.DeploymentStateKey(cluster, service, id))
		svc, d, ok := s.findRequestedDeployment(tx.Snapshot(), arn)
		if !ok {
			return deploymentNotFound()
		}
		k := store.DeploymentStopKey(cluster, service, id)
		switch status := d.status(svc); status {
		case types.ServiceDeploymentStatusPending, types.ServiceDeploymentStatusInProgress:
			store.Get(tx, k)
			return store.Put(tx, k, &fleet.DeploymentStop{Type: stop, At: s.now()})
		case types.ServiceDeploymentStatusRollbackRequested, types.ServiceDeploymentStatusRollbackInProgress:
			return nil // a repeated call changes nothing
		default:
			return &types.ConflictException{Message: refuse.Text("The service deployment can't be stopped: it is %s.", status), ResourceIds: []string{arn}}
		}
	})
	if err != nil {
		return nil, err
	}
	return &sdk.StopServiceDeploymentOutput{ServiceDeploymentArn: &arn}, nil
}

func deploymentNotFound() error {
	return &types.ServiceDeploymentNotFoundException{Message: aws.String("Service deployment not found.")}
}

// ContinueServiceDeployment refuses every deployment: none has lifecycle hooks, so
// none is ever paused at one.
func (s *Service) ContinueServiceDeployment(ctx context.Context, in *sdk.ContinueServiceDeploymentInput) (*sdk.ContinueServiceDeploymentOutput, error) {
	arn := aws.ToString(in.ServiceDeploymentArn)
	if _, _, _, ok := s.serviceMember("service-deployment", arn); !ok {
		return nil, refuse.Invalid("%q is not the ARN of a service deployment of account %s in %s.", arn, s.site.Account, s.site.Region)
	}
	snap, err := s.store.Fresh(ctx)
	if err != nil {
		return nil, err
	}
	if _, _, ok := s.findRequestedDeployment(snap, arn); !ok {
		return nil, deploymentNotFound()
	}
	return nil, refuse.Invalid("The service deployment is not paused at the lifecycle hook %q: lifecycle hooks are not served yet, so no deployment has any.", aws.ToString(in.HookId))
}
