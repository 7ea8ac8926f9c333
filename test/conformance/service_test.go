package conformance

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

const (
	createServiceAPI = "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateService.html"
	updateServiceAPI = "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html"
	deleteServiceAPI = "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeleteService.html"
	rebalancingGuide = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-rebalancing.html"
	updateParameters = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/update-service-parameters.html"
)

// aService returns an input for a service without tasks in a cluster of its own.
func (c *C) aService(change ...func(*ecs.CreateServiceInput)) *ecs.CreateServiceInput {
	c.Helper()
	in := &ecs.CreateServiceInput{
		Cluster: aws.String(c.Cluster()), ServiceName: aws.String("web"), TaskDefinition: aws.String(c.Sleeper()), DesiredCount: aws.Int32(0),
	}
	for _, f := range change {
		f(in)
	}
	return in
}

// Service creates a service without tasks in a cluster of its own.
func (c *C) Service(change ...func(*ecs.CreateServiceInput)) *types.Service {
	c.Helper()
	out, err := c.ECS.CreateService(c.Ctx(), c.aService(change...))
	c.OK(err)
	return out.Service
}

func (c *C) refusesService(change func(*ecs.CreateServiceInput), code string, words ...string) {
	c.Helper()
	_, err := c.ECS.CreateService(c.Ctx(), c.aService(change))
	c.Refused(err, code, words...)
}

// update updates a service. It changes only what change sets.
func (c *C) update(s *types.Service, change func(*ecs.UpdateServiceInput)) (*types.Service, error) {
	in := &ecs.UpdateServiceInput{Cluster: s.ClusterArn, Service: s.ServiceName}
	change(in)
	out, err := c.ECS.UpdateService(c.Ctx(), in)
	if err != nil {
		return nil, err
	}
	return out.Service, nil
}

func (c *C) updated(s *types.Service, change func(*ecs.UpdateServiceInput)) *types.Service {
	c.Helper()
	out, err := c.update(s, change)
	c.OK(err)
	return out
}

func (c *C) describeService(s *types.Service) *types.Service {
	c.Helper()
	out, err := c.ECS.DescribeServices(c.Ctx(), &ecs.DescribeServicesInput{Cluster: s.ClusterArn, Services: []string{*s.ServiceArn}, Include: []types.ServiceField{types.ServiceFieldTags}})
	c.OK(err)
	if len(out.Services) != 1 {
		c.Fatalf("%+v", out)
	}
	return &out.Services[0]
}

// primary returns the id of a service's PRIMARY deployment.
func primary(s *types.Service) string {
	for _, d := range s.Deployments {
		if *d.Status == "PRIMARY" {
			return *d.Id
		}
	}
	return ""
}

func memberOf(expression string) []types.PlacementConstraint {
	return []types.PlacementConstraint{{Type: types.PlacementConstraintTypeMemberOf, Expression: &expression}}
}

func daemon(in *ecs.CreateServiceInput) {
	in.SchedulingStrategy, in.DesiredCount = types.SchedulingStrategyDaemon, nil
}

func percents(minimum, maximum int32) *types.DeploymentConfiguration {
	return &types.DeploymentConfiguration{MinimumHealthyPercent: &minimum, MaximumPercent: &maximum}
}

var createServiceCases = []Case{
	{Name: "CreateService: the defaults of a replica service", Cite: "model: DeploymentConfiguration.maximumPercent", Run: func(c *C) {
		s := c.describeService(c.Service())
		d := s.DeploymentConfiguration
		if s.SchedulingStrategy != "REPLICA" || *d.MinimumHealthyPercent != 100 || *d.MaximumPercent != 200 || s.LaunchType != "EC2" || *s.Status != "ACTIVE" ||
			s.DeploymentController.Type != "ECS" || s.PropagateTags != "NONE" || s.EnableECSManagedTags || d.DeploymentCircuitBreaker.Enable {
			c.Errorf("%+v", s)
		}
	}},
	{Name: "CreateService: the defaults of a daemon service", Cite: "model: DeploymentConfiguration.minimumHealthyPercent", Run: func(c *C) {
		s := c.describeService(c.Service(daemon))
		if d := s.DeploymentConfiguration; s.SchedulingStrategy != "DAEMON" || *d.MinimumHealthyPercent != 0 || *d.MaximumPercent != 100 {
			c.Errorf("%+v", s)
		}
	}},
	{Name: "CreateService: its PRIMARY deployment", Cite: "model: Deployment.status", Run: func(c *C) {
		s := c.Service(func(in *ecs.CreateServiceInput) { // it can't be complete before its answer
			in.DesiredCount = aws.Int32(1)
			in.PlacementConstraints = []types.PlacementConstraint{{Type: types.PlacementConstraintTypeMemberOf, Expression: aws.String("attribute:nowhere == true")}}
		})
		d := s.Deployments
		if len(d) != 1 || *d[0].Status != "PRIMARY" || !strings.HasPrefix(*d[0].Id, "ecs-svc/") || *d[0].TaskDefinition != *s.TaskDefinition || d[0].RolloutState != "IN_PROGRESS" {
			c.Errorf("%+v", d)
		}
	}},
	{Name: "CreateService: its ARN names the cluster", Cite: "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-account-settings.html", Run: func(c *C) {
		s := c.Service()
		_, cluster, _ := strings.Cut(*s.ClusterArn, "/")
		if !strings.HasSuffix(*s.ServiceArn, ":service/"+cluster+"/web") {
			c.Error(*s.ServiceArn)
		}
	}},
	{Name: "CreateService: the latest revision of a family", Cite: "model: CreateServiceInput.taskDefinition", Run: func(c *C) {
		s := c.Service(func(in *ecs.CreateServiceInput) {
			family, _, _ := strings.Cut(*in.TaskDefinition, ":")
			in.TaskDefinition = &family
		})
		if !strings.HasSuffix(*s.TaskDefinition, ":1") {
			c.Error(*s.TaskDefinition)
		}
	}},
	{Name: "CreateService: the same once more finds it", Cite: "model: CreateServiceInput.clientToken", Run: func(c *C) {
		in := c.aService(func(in *ecs.CreateServiceInput) { in.ClientToken = aws.String("token-1") })
		first, err := c.ECS.CreateService(c.Ctx(), in)
		c.OK(err)
		again, err := c.ECS.CreateService(c.Ctx(), in)
		c.OK(err)
		if primary(first.Service) != primary(again.Service) || !first.Service.CreatedAt.Equal(*again.Service.CreatedAt) {
			c.Errorf("%+v, then %+v", first.Service, again.Service)
		}
	}},
	{Name: "CreateService: another of the name is refused", Cite: deleteServiceAPI, Run: func(c *C) {
		in := c.aService()
		_, err := c.ECS.CreateService(c.Ctx(), in)
		c.OK(err)
		in.DesiredCount = aws.Int32(1)
		_, err = c.ECS.CreateService(c.Ctx(), in)
		c.Refused(err, "InvalidParameterException", "Creation of service was not idempotent.")
	}},
	{Name: "CreateService: another clientToken is another request", Cite: "model: CreateServiceInput.clientToken", Run: func(c *C) {
		in := c.aService(func(in *ecs.CreateServiceInput) { in.ClientToken = aws.String("token-1") })
		_, err := c.ECS.CreateService(c.Ctx(), in)
		c.OK(err)
		in.ClientToken = aws.String("token-2")
		_, err = c.ECS.CreateService(c.Ctx(), in)
		c.Refused(err, "InvalidParameterException", "not idempotent")
	}},
	{Name: "CreateService: a clientToken of 37 characters", Cite: "model: CreateServiceInput.clientToken", Run: func(c *C) {
		c.refusesService(func(in *ecs.CreateServiceInput) { in.ClientToken = aws.String(strings.Repeat("x", 37)) }, "InvalidParameterException", "clientToken")
	}},
	{Name: "CreateService: a name of 256 characters", Cite: "model: CreateServiceInput.serviceName", Run: func(c *C) {
		c.refusesService(func(in *ecs.CreateServiceInput) { in.ServiceName = aws.String(strings.Repeat("x", 256)) }, "InvalidParameterException", "serviceName")
	}},
	{Name: "CreateService: a name of 255 characters", Cite: "model: CreateServiceInput.serviceName", Run: func(c *C) {
		c.Service(func(in *ecs.CreateServiceInput) { in.ServiceName = aws.String(strings.Repeat("x_-", 85)) })
	}},
	{Name: "CreateService: a name with a dot", Cite: "model: CreateServiceInput.serviceName", Run: func(c *C) {
		c.refusesService(func(in *ecs.CreateServiceInput) { in.ServiceName = aws.String("a.b") }, "InvalidParameterException", "serviceName")
	}},
	{Name: "CreateService: in no cluster", Cite: "model: CreateServiceInput.cluster", Run: func(c *C) {
		c.refusesService(func(in *ecs.CreateServiceInput) { in.Cluster = aws.String(c.Unique("none")) }, "ClusterNotFoundException")
	}},
	{Name: "CreateService: of no task definition", Cite: "model: CreateServiceInput.taskDefinition", Run: func(c *C) {
		c.refusesService(func(in *ecs.CreateServiceInput) { in.TaskDefinition = aws.String(c.Unique("none")) }, "ClientException", "TaskDefinition not found")
	}},
	{Name: "CreateService: without a task definition", Cite: "model: CreateServiceInput.taskDefinition", Run: func(c *C) {
		c.refusesService(func(in *ecs.CreateServiceInput) { in.TaskDefinition = nil }, "InvalidParameterException", "TaskDefinition")
	}},
	{Name: "CreateService: of an INACTIVE task definition", Cite: "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeregisterTaskDefinition.html", Run: func(c *C) {
		c.refusesService(func(in *ecs.CreateServiceInput) {
			_, err := c.ECS.DeregisterTaskDefinition(c.Ctx(), &ecs.DeregisterTaskDefinitionInput{TaskDefinition: in.TaskDefinition})
			c.OK(err)
		}, "ClientException", "inactive")
	}},
	{Name: "CreateService: a replica service without desiredCount", Cite: "model: CreateServiceInput.desiredCount", Run: func(c *C) {
		c.refusesService(func(in *ecs.CreateServiceInput) { in.DesiredCount = nil }, "InvalidParameterException", "desiredCount")
	}},
	{Name: "CreateService: a negative desiredCount", Cite: "model: CreateServiceInput.desiredCount", Run: func(c *C) {
		c.refusesService(func(in *ecs.CreateServiceInput) { in.DesiredCount = aws.Int32(-1) }, "InvalidParameterException", "desiredCount")
	}},
	{Name: "CreateService: a daemon with desiredCount", Cite: "model: CreateServiceInput.schedulingStrategy", Run: func(c *C) {
		c.refusesService(func(in *ecs.CreateServiceInput) { daemon(in); in.DesiredCount = aws.Int32(1) }, "InvalidParameterException", "daemon", "desired count")
	}},
	{Name: "CreateService: a daemon with a placement strategy", Cite: "model: CreateServiceInput.schedulingStrategy", Run: func(c *C) {
		c.refusesService(func(in *ecs.CreateServiceInput) {
			daemon(in)
			in.PlacementStrategy = []types.PlacementStrategy{spread("instanceId")}
		}, "InvalidParameterException", "placementStrategy")
	}},
	{Name: "CreateService: a launch type and a strategy", Cite: "model: CreateServiceInput.capacityProviderStrategy", Run: func(c *C) {
		c.refusesService(func(in *ecs.CreateServiceInput) {
			in.LaunchType, in.CapacityProviderStrategy = "EC2", []types.CapacityProviderStrategyItem{{CapacityProvider: aws.String("FARGATE")}}
		}, "InvalidParameterException", "launch type", "capacity provider strategy")
	}},
	{Name: "CreateService: a provider that the cluster hasn't", Cite: "model: CreateServiceInput.capacityProviderStrategy", Run: func(c *C) {
		c.refusesService(func(in *ecs.CreateServiceInput) {
			in.CapacityProviderStrategy = []types.CapacityProviderStrategyItem{{CapacityProvider: aws.String("FARGATE")}}
		}, "InvalidParameterException", "capacity provider")
	}},
	{Name: "CreateService: the launch type MANAGED_INSTANCES", Cite: "model: CreateServiceInput.launchType", Run: func(c *C) {
		c.refusesService(func(in *ecs.CreateServiceInput) { in.LaunchType = "MANAGED_INSTANCES" }, "InvalidParameterException", "capacityProviderStrategy")
	}},
	{Name: "CreateService: a launch type that the definition doesn't suit", Cite: "model: CreateServiceInput.launchType", Run: func(c *C) {
		c.refusesService(func(in *ecs.CreateServiceInput) { in.LaunchType = "FARGATE" }, "InvalidParameterException", "FARGATE")
	}},
	{Name: "CreateService: the launch type EXTERNAL", Cite: "model: CreateServiceInput.launchType", Run: func(c *C) {
		if s := c.Service(func(in *ecs.CreateServiceInput) { in.LaunchType = "EXTERNAL" }); s.LaunchType != "EXTERNAL" || s.AvailabilityZoneRebalancing != "DISABLED" {
			c.Errorf("%+v", s)
		}
	}},
	{Name: "CreateService: maximumPercent below 100", Cite: "model: DeploymentConfiguration.maximumPercent", Run: func(c *C) {
		c.refusesService(func(in *ecs.CreateServiceInput) { in.DeploymentConfiguration = percents(0, 99) }, "InvalidParameterException", "maximumPercent")
	}},
	{Name: "CreateService: minimumHealthyPercent above 100", Cite: "model: DeploymentConfiguration.minimumHealthyPercent", Run: func(c *C) {
		c.refusesService(func(in *ecs.CreateServiceInput) { in.DeploymentConfiguration = percents(101, 200) }, "InvalidParameterException", "minimumHealthyPercent")
	}},
	{Name: "CreateService: percentages that leave no room", Cite: "model: DeploymentConfiguration.maximumPercent", Run: func(c *C) {
		c.refusesService(func(in *ecs.CreateServiceInput) { in.DeploymentConfiguration = percents(100, 100) }, "InvalidParameterException", "block deployments")
	}},
	{Name: "CreateService: a circuit breaker", Cite: "model: DeploymentCircuitBreaker.rollback", Run: func(c *C) {
		s := c.Service(func(in *ecs.CreateServiceInput) {
			in.DeploymentConfiguration = &types.DeploymentConfiguration{DeploymentCircuitBreaker: &types.DeploymentCircuitBreaker{Enable: true, Rollback: true}}
		})
		if b := c.describeService(s).DeploymentConfiguration; !b.DeploymentCircuitBreaker.Enable || !b.DeploymentCircuitBreaker.Rollback || *b.MaximumPercent != 200 {
			c.Errorf("%+v", b)
		}
	}},
	{Name: "CreateService: eleven placement constraints", Cite: "model: CreateServiceInput.placementConstraints", Run: func(c *C) {
		c.refusesService(func(in *ecs.CreateServiceInput) {
			in.PlacementConstraints = slices.Repeat(memberOf("attribute:a == b"), 11)
		}, "InvalidParameterException", "placementConstraints")
	}},
	{Name: "CreateService: six placement strategies", Cite: "model: CreateServiceInput.placementStrategy", Run: func(c *C) {
		c.refusesService(func(in *ecs.CreateServiceInput) {
			in.PlacementStrategy = slices.Repeat([]types.PlacementStrategy{spread("instanceId")}, 6)
		}, "InvalidParameterException", "placementStrategy")
	}},
	{Name: "CreateService: a constraint that is no expression", Cite: "model: PlacementConstraint.expression", Run: func(c *C) {
		c.refusesService(func(in *ecs.CreateServiceInput) { in.PlacementConstraints = memberOf("attribute:a ==") }, "InvalidParameterException", "expression")
	}},
	{Name: "CreateService: a network configuration without awsvpc", Cite: "model: CreateServiceInput.networkConfiguration", Run: func(c *C) {
		c.refusesService(func(in *ecs.CreateServiceInput) {
			in.NetworkConfiguration = &types.NetworkConfiguration{AwsvpcConfiguration: &types.AwsVpcConfiguration{Subnets: []string{"subnet-1"}}}
		}, "InvalidParameterException", "network")
	}},
	{Name: "CreateService: a negative grace period", Cite: "model: CreateServiceInput.healthCheckGracePeriodSeconds", Run: func(c *C) {
		c.refusesService(func(in *ecs.CreateServiceInput) { in.HealthCheckGracePeriodSeconds = aws.Int32(-1) }, "InvalidParameterException", "healthCheckGracePeriodSeconds")
	}},
	{Name: "CreateService: is rebalanced by default", Cite: "model: CreateServiceInput.availabilityZoneRebalancing", Run: func(c *C) {
		if s := c.Service(); s.AvailabilityZoneRebalancing != "ENABLED" {
			c.Error(s.AvailabilityZoneRebalancing)
		}
	}},
	{Name: "CreateService: rebalancing needs a maximum above 100", Cite: rebalancingGuide, Run: func(c *C) {
		c.refusesService(func(in *ecs.CreateServiceInput) {
			in.AvailabilityZoneRebalancing, in.DeploymentConfiguration = "ENABLED", percents(0, 100)
		}, "InvalidParameterException", "maximumPercent")
	}},
	{Name: "CreateService: rebalancing of a daemon", Cite: rebalancingGuide, Run: func(c *C) {
		c.refusesService(func(in *ecs.CreateServiceInput) { daemon(in); in.AvailabilityZoneRebalancing = "ENABLED" }, "InvalidParameterException", "availabilityZoneRebalancing")
	}},
	{Name: "CreateService: rebalancing needs zones to be spread over first", Cite: rebalancingGuide, Run: func(c *C) {
		c.refusesService(func(in *ecs.CreateServiceInput) {
			in.AvailabilityZoneRebalancing, in.PlacementStrategy = "ENABLED", []types.PlacementStrategy{binpack("memory"), spread(zoneField)}
		}, "InvalidParameterException", "placement strategy")
	}},
	{Name: "CreateService: a role without load balancers", Cite: "model: CreateServiceInput.role", Run: func(c *C) {
		c.refusesService(func(in *ecs.CreateServiceInput) { in.Role = aws.String("r") }, "InvalidParameterException", "role")
	}},
	{Name: "CreateService: 51 tags", Cite: "model: CreateServiceInput.tags", Run: func(c *C) {
		c.refusesService(func(in *ecs.CreateServiceInput) {
			for n := range 51 {
				in.Tags = append(in.Tags, types.Tag{Key: aws.String(fmt.Sprint("k", n)), Value: aws.String("")})
			}
		}, "InvalidParameterException", "tags")
	}},
	{Name: "CreateService: its tags, where they are asked for", Cite: "model: DescribeServicesInput.include", Run: func(c *C) {
		s := c.Service(func(in *ecs.CreateServiceInput) {
			in.Tags = []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}
		})
		out, err := c.ECS.DescribeServices(c.Ctx(), &ecs.DescribeServicesInput{Cluster: s.ClusterArn, Services: []string{"web"}})
		c.OK(err)
		if got := c.describeService(s); len(got.Tags) != 1 || *got.Tags[0].Value != "v" || len(out.Services[0].Tags) != 0 {
			c.Errorf("%+v, %+v", got.Tags, out.Services[0].Tags)
		}
	}},
	{Name: "DescribeServices: a name that is not there fails without its cluster", Cite: "https://github.com/aws-actions/amazon-ecs-deploy-task-definition/issues/312", Run: func(c *C) {
		out, err := c.ECS.DescribeServices(c.Ctx(), &ecs.DescribeServicesInput{Cluster: aws.String(c.Cluster()), Services: []string{"nosuch"}})
		c.OK(err)
		if len(out.Failures) != 1 || *out.Failures[0].Reason != "MISSING" || !strings.HasSuffix(*out.Failures[0].Arn, ":service/nosuch") {
			c.Errorf("%+v", out.Failures)
		}
	}},
	{Name: "CreateService: counts in its cluster", Cite: "model: Cluster.activeServicesCount", Run: func(c *C) {
		s := c.Service()
		_, cluster, _ := strings.Cut(*s.ClusterArn, "/")
		d := c.describe(cluster, types.ClusterFieldStatistics)
		stats := map[string]string{}
		for _, kv := range d.Statistics {
			stats[*kv.Name] = *kv.Value
		}
		if d.ActiveServicesCount != 1 || stats["activeEC2ServiceCount"] != "1" {
			c.Errorf("%d, %v", d.ActiveServicesCount, stats)
		}
	}},
	{Name: "DeleteCluster: refused while it has services", Cite: "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeleteCluster.html#API_DeleteCluster_Errors", Run: func(c *C) {
		s := c.Service()
		_, err := c.ECS.DeleteCluster(c.Ctx(), &ecs.DeleteClusterInput{Cluster: s.ClusterArn})
		c.Refused(err, "ClusterContainsServicesException", "services")
	}},
}

func TestService(t *testing.T) {
	run(t, slices.Concat(createServiceCases, updateServiceCases, otherServiceCases))
}
