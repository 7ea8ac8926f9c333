package conformance

import (
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

const (
	deploymentGuide = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-deployment.html"
	revisionGuide   = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-revision.html"
	stopGuide       = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stop-service-deployment.html"
)

// sameDeployment checks that a change makes no new deployment.
func (c *C) sameDeployment(change func(*ecs.UpdateServiceInput)) *types.Service {
	c.Helper()
	s := c.Service()
	got := c.updated(s, change)
	if primary(got) != primary(s) {
		c.Error("it made a new deployment")
	}
	return got
}

// newDeployment checks that a change of a service makes a new deployment.
func (c *C) newDeployment(s *types.Service, change func(*ecs.UpdateServiceInput)) *types.Service {
	c.Helper()
	got := c.updated(s, change)
	if primary(got) == primary(s) || primary(got) == "" {
		c.Error("it made no new deployment")
	}
	return got
}

var updateServiceCases = []Case{
	{Name: "UpdateService: a service that isn't there", Cite: "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html#API_UpdateService_Errors", Run: func(c *C) {
		_, err := c.ECS.UpdateService(c.Ctx(), &ecs.UpdateServiceInput{Cluster: aws.String(c.Cluster()), Service: aws.String("none")})
		c.Refused(err, "ServiceNotFoundException")
	}},
	{Name: "UpdateService: in no cluster", Cite: "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html#API_UpdateService_Errors", Run: func(c *C) {
		_, err := c.ECS.UpdateService(c.Ctx(), &ecs.UpdateServiceInput{Cluster: aws.String(c.Unique("none")), Service: aws.String("web")})
		c.Refused(err, "ClusterNotFoundException")
	}},
	{Name: "UpdateService: a deleted service", Cite: "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html#API_UpdateService_Errors", Run: func(c *C) {
		s := c.Service()
		_, err := c.ECS.DeleteService(c.Ctx(), &ecs.DeleteServiceInput{Cluster: s.ClusterArn, Service: s.ServiceName})
		c.OK(err)
		_, err = c.update(s, func(in *ecs.UpdateServiceInput) { in.DesiredCount = aws.Int32(1) })
		c.Refused(err, "ServiceNotActiveException")
	}},
	{Name: "UpdateService: desiredCount deploys nothing anew", Cite: "model: UpdateServiceInput.desiredCount", Run: func(c *C) {
		if s := c.sameDeployment(func(in *ecs.UpdateServiceInput) { in.DesiredCount = aws.Int32(2) }); s.DesiredCount != 2 || s.Deployments[0].DesiredCount != 2 {
			c.Errorf("%+v", s)
		}
	}},
	{Name: "UpdateService: the same task definition deploys nothing anew", Cite: updateParameters, Run: func(c *C) {
		s := c.Service()
		if got := c.updated(s, func(in *ecs.UpdateServiceInput) { in.TaskDefinition = s.TaskDefinition }); primary(got) != primary(s) {
			c.Error("it made a new deployment")
		}
	}},
	{Name: "UpdateService: the deployment configuration deploys nothing anew", Cite: "model: UpdateServiceInput.deploymentConfiguration", Run: func(c *C) {
		s := c.sameDeployment(func(in *ecs.UpdateServiceInput) {
			in.DeploymentConfiguration = &types.DeploymentConfiguration{MinimumHealthyPercent: aws.Int32(50)}
		})
		if d := s.DeploymentConfiguration; *d.MinimumHealthyPercent != 50 || *d.MaximumPercent != 200 {
			c.Errorf("%+v", d)
		}
	}},
	{Name: "UpdateService: the grace period deploys nothing anew", Cite: "model: UpdateServiceInput.healthCheckGracePeriodSeconds", Run: func(c *C) {
		if s := c.sameDeployment(func(in *ecs.UpdateServiceInput) { in.HealthCheckGracePeriodSeconds = aws.Int32(7) }); *s.HealthCheckGracePeriodSeconds != 7 {
			c.Errorf("%+v", s)
		}
	}},
	{Name: "UpdateService: placement deploys nothing anew", Cite: "model: UpdateServiceInput.placementStrategy", Run: func(c *C) {
		s := c.sameDeployment(func(in *ecs.UpdateServiceInput) {
			in.PlacementConstraints, in.PlacementStrategy = memberOf("attribute:a == b"), []types.PlacementStrategy{spread(zoneField)}
		})
		if len(s.PlacementConstraints) != 1 || len(s.PlacementStrategy) != 1 {
			c.Errorf("%+v", s)
		}
		if s = c.updated(s, func(in *ecs.UpdateServiceInput) {
			in.PlacementConstraints, in.PlacementStrategy = []types.PlacementConstraint{}, []types.PlacementStrategy{}
		}); len(s.PlacementConstraints) != 0 || len(s.PlacementStrategy) != 0 {
			c.Errorf("removed: %+v", s)
		}
	}},
	{Name: "UpdateService: the propagation of tags deploys nothing anew", Cite: "model: UpdateServiceInput.propagateTags", Run: func(c *C) {
		s := c.sameDeployment(func(in *ecs.UpdateServiceInput) {
			in.PropagateTags, in.EnableECSManagedTags = "SERVICE", aws.Bool(true)
		})
		if s.PropagateTags != "SERVICE" || !s.EnableECSManagedTags {
			c.Errorf("%+v", s)
		}
	}},
	{Name: "UpdateService: what isn't mentioned stays", Cite: updateServiceAPI, Run: func(c *C) {
		s := c.Service(func(in *ecs.CreateServiceInput) {
			in.PlacementConstraints, in.HealthCheckGracePeriodSeconds, in.PropagateTags = memberOf("attribute:a == b"), aws.Int32(9), "TASK_DEFINITION"
		})
		got := c.updated(s, func(*ecs.UpdateServiceInput) {})
		if len(got.PlacementConstraints) != 1 || *got.HealthCheckGracePeriodSeconds != 9 || got.PropagateTags != "TASK_DEFINITION" || got.AvailabilityZoneRebalancing != s.AvailabilityZoneRebalancing {
			c.Errorf("%+v", got)
		}
	}},
	{Name: "UpdateService: another task definition is a new deployment", Cite: "model: UpdateServiceInput.taskDefinition", Run: func(c *C) {
		definition := c.Sleeper()
		if s := c.newDeployment(c.Service(), func(in *ecs.UpdateServiceInput) { in.TaskDefinition = &definition }); !strings.HasSuffix(*s.TaskDefinition, definition) {
			c.Errorf("%+v", s)
		}
	}},
	{Name: "UpdateService: forceNewDeployment", Cite: "model: UpdateServiceInput.forceNewDeployment", Run: func(c *C) {
		c.newDeployment(c.Service(), func(in *ecs.UpdateServiceInput) { in.ForceNewDeployment = true })
	}},
	{Name: "UpdateService: an INACTIVE task definition", Cite: "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeregisterTaskDefinition.html", Run: func(c *C) {
		s, definition := c.Service(), c.Sleeper()
		_, err := c.ECS.DeregisterTaskDefinition(c.Ctx(), &ecs.DeregisterTaskDefinitionInput{TaskDefinition: &definition})
		c.OK(err)
		_, err = c.update(s, func(in *ecs.UpdateServiceInput) { in.TaskDefinition = &definition })
		c.Refused(err, "ClientException", "inactive")
	}},
	{Name: "UpdateService: desiredCount of a daemon", Cite: "model: CreateServiceInput.schedulingStrategy", Run: func(c *C) {
		_, err := c.update(c.Service(daemon), func(in *ecs.UpdateServiceInput) { in.DesiredCount = aws.Int32(1) })
		c.Refused(err, "InvalidParameterException", "daemon")
	}},
	{Name: "UpdateService: another strategy needs a new deployment", Cite: "model: UpdateServiceInput.capacityProviderStrategy", Run: func(c *C) {
		s, p := c.Service(), c.Provider()
		_, cluster, _ := strings.Cut(*s.ClusterArn, "/")
		item := types.CapacityProviderStrategyItem{CapacityProvider: p.Name, Weight: 1}
		_, err := c.putProviders(cluster, []string{*p.Name})
		c.OK(err)
		_, err = c.update(s, func(in *ecs.UpdateServiceInput) {
			in.CapacityProviderStrategy = []types.CapacityProviderStrategyItem{item}
		})
		c.Refused(err, "InvalidParameterException", "force a new deployment")
		got := c.newDeployment(s, func(in *ecs.UpdateServiceInput) {
			in.CapacityProviderStrategy, in.ForceNewDeployment = []types.CapacityProviderStrategyItem{item}, true
		})
		if len(got.CapacityProviderStrategy) != 1 || got.LaunchType != "" {
			c.Errorf("%+v", got)
		}
		got = c.newDeployment(got, func(in *ecs.UpdateServiceInput) {
			in.CapacityProviderStrategy, in.ForceNewDeployment = []types.CapacityProviderStrategyItem{}, true
		})
		if len(got.CapacityProviderStrategy) != 0 || got.LaunchType != "EC2" {
			c.Errorf("back: %+v", got)
		}
	}},
	{Name: "UpdateService: rebalancing that can't be", Cite: rebalancingGuide, Run: func(c *C) {
		_, err := c.update(c.Service(func(in *ecs.CreateServiceInput) { in.DeploymentConfiguration = percents(0, 100) }), func(in *ecs.UpdateServiceInput) {
			in.AvailabilityZoneRebalancing = "ENABLED"
		})
		c.Refused(err, "InvalidParameterException", "availabilityZoneRebalancing")
	}},
}

var otherServiceCases = []Case{
	{Name: "DescribeServices: a service that isn't there", Cite: "model: DescribeServicesOutput.failures", Run: func(c *C) {
		out, err := c.ECS.DescribeServices(c.Ctx(), &ecs.DescribeServicesInput{Cluster: aws.String(c.Cluster()), Services: []string{"none"}})
		c.OK(err)
		if len(out.Services) != 0 || len(out.Failures) != 1 || *out.Failures[0].Reason != "MISSING" || !strings.HasSuffix(*out.Failures[0].Arn, "/none") {
			c.Errorf("%+v", out)
		}
	}},
	{Name: "DescribeServices: eleven at once", Cite: "model: DescribeServicesInput.services", Run: func(c *C) {
		_, err := c.ECS.DescribeServices(c.Ctx(), &ecs.DescribeServicesInput{Cluster: aws.String(c.Cluster()), Services: strings.Split("a b c d e f g h i j k", " ")})
		c.Refused(err, "InvalidParameterException")
	}},
	{Name: "DescribeServices: none", Cite: "model: DescribeServicesInput.services", Run: func(c *C) {
		_, err := c.ECS.DescribeServices(c.Ctx(), &ecs.DescribeServicesInput{Cluster: aws.String(c.Cluster()), Services: []string{}})
		c.Refused(err, "InvalidParameterException")
	}},
	{Name: "DescribeServices: in no cluster", Cite: "model: DescribeServicesInput.cluster", Run: func(c *C) {
		_, err := c.ECS.DescribeServices(c.Ctx(), &ecs.DescribeServicesInput{Cluster: aws.String(c.Unique("none")), Services: []string{"a"}})
		c.Refused(err, "ClusterNotFoundException")
	}},
	{Name: "ListServices: pages of ten by default", Cite: "model: ListServicesInput.maxResults", Run: func(c *C) {
		in := c.aService()
		for n := range 12 {
			in.ServiceName = aws.String(fmt.Sprintf("s%02d", n))
			_, err := c.ECS.CreateService(c.Ctx(), in)
			c.OK(err)
		}
		first, err := c.ECS.ListServices(c.Ctx(), &ecs.ListServicesInput{Cluster: in.Cluster})
		c.OK(err)
		second, err := c.ECS.ListServices(c.Ctx(), &ecs.ListServicesInput{Cluster: in.Cluster, NextToken: first.NextToken})
		c.OK(err)
		if len(first.ServiceArns) != 10 || first.NextToken == nil || len(second.ServiceArns) != 2 || second.NextToken != nil {
			c.Errorf("%+v, %+v", first, second)
		}
		all := map[string]bool{}
		pages := ecs.NewListServicesPaginator(c.ECS, &ecs.ListServicesInput{Cluster: in.Cluster, MaxResults: aws.Int32(5)})
		for pages.HasMorePages() {
			p, err := pages.NextPage(c.Ctx())
			c.OK(err)
			for _, arn := range p.ServiceArns {
				all[arn] = true
			}
		}
		if len(all) != 12 {
			c.Errorf("%d of 12 by pages of five", len(all))
		}
	}},
	{Name: "ListServices: maxResults 101", Cite: "model: ListServicesInput.maxResults", Run: func(c *C) {
		_, err := c.ECS.ListServices(c.Ctx(), &ecs.ListServicesInput{Cluster: aws.String(c.Cluster()), MaxResults: aws.Int32(101)})
		c.Refused(err, "InvalidParameterException", "maxResults")
	}},
	{Name: "ListServices: a token of another listing", Cite: "model: ListServicesInput.nextToken", Run: func(c *C) {
		_, err := c.ECS.ListServices(c.Ctx(), &ecs.ListServicesInput{Cluster: aws.String(c.Cluster()), NextToken: aws.String("x")})
		c.Refused(err, "InvalidParameterException", "token")
	}},
	{Name: "ListServices: by scheduling strategy and launch type", Cite: "model: ListServicesInput.schedulingStrategy", Run: func(c *C) {
		s := c.Service()
		for want, in := range map[int]*ecs.ListServicesInput{
			0: {Cluster: s.ClusterArn, SchedulingStrategy: "DAEMON"},
			1: {Cluster: s.ClusterArn, SchedulingStrategy: "REPLICA", LaunchType: "EC2"},
		} {
			out, err := c.ECS.ListServices(c.Ctx(), in)
			c.OK(err)
			if len(out.ServiceArns) != want {
				c.Errorf("%+v: %v", in, out.ServiceArns)
			}
		}
		out, err := c.ECS.ListServices(c.Ctx(), &ecs.ListServicesInput{Cluster: s.ClusterArn, LaunchType: "EXTERNAL"})
		c.OK(err)
		if len(out.ServiceArns) != 0 {
			c.Errorf("%v", out.ServiceArns)
		}
	}},
	{Name: "ListServices: none that is deleted", Cite: deleteServiceAPI, Run: func(c *C) {
		s := c.Service()
		_, err := c.ECS.DeleteService(c.Ctx(), &ecs.DeleteServiceInput{Cluster: s.ClusterArn, Service: s.ServiceArn})
		c.OK(err)
		out, err := c.ECS.ListServices(c.Ctx(), &ecs.ListServicesInput{Cluster: s.ClusterArn})
		c.OK(err)
		if len(out.ServiceArns) != 0 {
			c.Errorf("%v", out.ServiceArns)
		}
	}},
	{Name: "ListServicesByNamespace: a namespace that isn't there", Cite: "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListServicesByNamespace.html#API_ListServicesByNamespace_Errors", Run: func(c *C) {
		_, err := c.ECS.ListServicesByNamespace(c.Ctx(), &ecs.ListServicesByNamespaceInput{Namespace: aws.String(c.Unique("none"))})
		c.Refused(err, "NamespaceNotFoundException")
	}},
	{Name: "DeleteService: refused while it is scaled above 0", Cite: deleteServiceAPI, Run: func(c *C) {
		s := c.Service(func(in *ecs.CreateServiceInput) { in.DesiredCount = aws.Int32(1) })
		_, err := c.ECS.DeleteService(c.Ctx(), &ecs.DeleteServiceInput{Cluster: s.ClusterArn, Service: s.ServiceName})
		c.Refused(err, "InvalidParameterException", "The service cannot be stopped while it is scaled above 0.")
	}},
	{Name: "DeleteService: by force", Cite: "model: DeleteServiceInput.force", Run: func(c *C) {
		s := c.Service(func(in *ecs.CreateServiceInput) { in.DesiredCount = aws.Int32(1) })
		out, err := c.ECS.DeleteService(c.Ctx(), &ecs.DeleteServiceInput{Cluster: s.ClusterArn, Service: s.ServiceName, Force: aws.Bool(true)})
		c.OK(err)
		if *out.Service.Status != "DRAINING" || out.Service.DesiredCount != 0 {
			c.Errorf("%+v", out.Service)
		}
	}},
	{Name: "DeleteService: a daemon needs no force", Cite: "model: DeleteServiceInput.force", Run: func(c *C) {
		s := c.Service(daemon)
		_, err := c.ECS.DeleteService(c.Ctx(), &ecs.DeleteServiceInput{Cluster: s.ClusterArn, Service: s.ServiceName})
		c.OK(err)
	}},
	{Name: "DeleteService: a service that isn't there", Cite: "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeleteService.html#API_DeleteService_Errors", Run: func(c *C) {
		_, err := c.ECS.DeleteService(c.Ctx(), &ecs.DeleteServiceInput{Cluster: aws.String(c.Cluster()), Service: aws.String("none")})
		c.Refused(err, "ServiceNotFoundException")
	}},
	{Name: "ListTasks: of a service that isn't there", Cite: "model: ListTasksInput.serviceName", Run: func(c *C) {
		_, err := c.ECS.ListTasks(c.Ctx(), &ecs.ListTasksInput{Cluster: aws.String(c.Cluster()), ServiceName: aws.String("none")})
		c.Refused(err, "ServiceNotFoundException")
	}},
	{Name: "TagResource: a service", Cite: "model: TagResourceInput.resourceArn", Run: func(c *C) {
		s := c.Service()
		_, err := c.ECS.TagResource(c.Ctx(), &ecs.TagResourceInput{ResourceArn: s.ServiceArn, Tags: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}})
		c.OK(err)
		if got := c.describeService(s).Tags; len(got) != 1 || *got[0].Key != "k" {
			c.Errorf("%+v", got)
		}
		_, err = c.ECS.UntagResource(c.Ctx(), &ecs.UntagResourceInput{ResourceArn: s.ServiceArn, TagKeys: []string{"k"}})
		c.OK(err)
		out, err := c.ECS.ListTagsForResource(c.Ctx(), &ecs.ListTagsForResourceInput{ResourceArn: s.ServiceArn})
		c.OK(err)
		if len(out.Tags) != 0 {
			c.Errorf("%+v", out.Tags)
		}
	}},
	{Name: "ListServiceDeployments: the newest first", Cite: deploymentGuide, Run: func(c *C) {
		s := c.Service()
		second := c.updated(s, func(in *ecs.UpdateServiceInput) { in.ForceNewDeployment = true })
		out, err := c.ECS.ListServiceDeployments(c.Ctx(), &ecs.ListServiceDeploymentsInput{Cluster: s.ClusterArn, Service: s.ServiceName})
		c.OK(err)
		if d := out.ServiceDeployments; len(d) != 2 || *d[0].ServiceDeploymentArn != *second.CurrentServiceDeployment || *d[1].ServiceDeploymentArn != *s.CurrentServiceDeployment {
			c.Errorf("%+v", d)
		}
	}},
	{Name: "ListServiceDeployments: of a service that isn't there", Cite: "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListServiceDeployments.html#API_ListServiceDeployments_Errors", Run: func(c *C) {
		_, err := c.ECS.ListServiceDeployments(c.Ctx(), &ecs.ListServiceDeploymentsInput{Cluster: aws.String(c.Cluster()), Service: aws.String("none")})
		c.Refused(err, "ServiceNotFoundException")
	}},
	{Name: "DescribeServiceDeployments: source and target", Cite: deploymentGuide, Run: func(c *C) {
		s := c.Service()
		second := c.updated(s, func(in *ecs.UpdateServiceInput) { in.ForceNewDeployment = true })
		out, err := c.ECS.DescribeServiceDeployments(c.Ctx(), &ecs.DescribeServiceDeploymentsInput{ServiceDeploymentArns: []string{*second.CurrentServiceDeployment}})
		c.OK(err)
		if d := out.ServiceDeployments; len(d) != 1 || *d[0].SourceServiceRevisions[0].Arn != *s.CurrentServiceRevisions[0].Arn ||
			*d[0].TargetServiceRevision.Arn == *s.CurrentServiceRevisions[0].Arn || d[0].DeploymentCircuitBreaker.Status != "DISABLED" || d[0].DeploymentCircuitBreaker.Threshold != 3 {
			c.Errorf("%+v", d)
		}
	}},
	{Name: "DescribeServiceDeployments: one that isn't there", Cite: "model: DescribeServiceDeploymentsOutput.failures", Run: func(c *C) {
		s := c.Service()
		out, err := c.ECS.DescribeServiceDeployments(c.Ctx(), &ecs.DescribeServiceDeploymentsInput{ServiceDeploymentArns: []string{*s.CurrentServiceDeployment + "0"}})
		c.OK(err)
		if len(out.Failures) != 1 || *out.Failures[0].Reason != "MISSING" {
			c.Errorf("%+v", out)
		}
	}},
	{Name: "DescribeServiceDeployments: what is no ARN of one", Cite: "model: DescribeServiceDeploymentsInput.serviceDeploymentArns", Run: func(c *C) {
		_, err := c.ECS.DescribeServiceDeployments(c.Ctx(), &ecs.DescribeServiceDeploymentsInput{ServiceDeploymentArns: []string{"web"}})
		c.Refused(err, "InvalidParameterException")
	}},
	{Name: "DescribeServiceRevisions: what the tasks are made from", Cite: revisionGuide, Run: func(c *C) {
		s := c.Service()
		out, err := c.ECS.DescribeServiceRevisions(c.Ctx(), &ecs.DescribeServiceRevisionsInput{ServiceRevisionArns: []string{*s.CurrentServiceRevisions[0].Arn}})
		c.OK(err)
		if r := out.ServiceRevisions; len(r) != 1 || *r[0].TaskDefinition != *s.TaskDefinition || r[0].LaunchType != "EC2" || len(r[0].ContainerImages) != 1 || *r[0].ServiceArn != *s.ServiceArn {
			c.Errorf("%+v", r)
		}
	}},
	{Name: "DescribeServiceRevisions: one that isn't there", Cite: "model: DescribeServiceRevisionsOutput.failures", Run: func(c *C) {
		s := c.Service()
		out, err := c.ECS.DescribeServiceRevisions(c.Ctx(), &ecs.DescribeServiceRevisionsInput{ServiceRevisionArns: []string{*s.CurrentServiceRevisions[0].Arn + "0"}})
		c.OK(err)
		if len(out.Failures) != 1 || *out.Failures[0].Reason != "MISSING" {
			c.Errorf("%+v", out)
		}
	}},
	{Name: "StopServiceDeployment: one that isn't there", Cite: "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_StopServiceDeployment.html#API_StopServiceDeployment_Errors", Run: func(c *C) {
		s := c.Service()
		_, err := c.ECS.StopServiceDeployment(c.Ctx(), &ecs.StopServiceDeploymentInput{ServiceDeploymentArn: aws.String(*s.CurrentServiceDeployment + "0")})
		c.Refused(err, "ServiceDeploymentNotFoundException")
	}},
	{Name: "StopServiceDeployment: one that a newer has replaced", Cite: stopGuide, Run: func(c *C) {
		s := c.Service(func(in *ecs.CreateServiceInput) {
			in.DesiredCount, in.PlacementConstraints = aws.Int32(1), memberOf("attribute:nowhere == here")
		})
		c.updated(s, func(in *ecs.UpdateServiceInput) { in.ForceNewDeployment = true })
		_, err := c.ECS.StopServiceDeployment(c.Ctx(), &ecs.StopServiceDeploymentInput{ServiceDeploymentArn: s.CurrentServiceDeployment})
		c.Refused(err, "ConflictException")
	}},
	{Name: "StopServiceDeployment: ABORT is no valid type", Cite: "model: StopServiceDeploymentInput.stopType", Run: func(c *C) {
		_, err := c.ECS.StopServiceDeployment(c.Ctx(), &ecs.StopServiceDeploymentInput{ServiceDeploymentArn: c.Service().CurrentServiceDeployment, StopType: "ABORT"})
		c.Refused(err, "InvalidParameterException", "ROLLBACK")
	}},
}
