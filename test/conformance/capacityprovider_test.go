package conformance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

const (
	providerAPI         = "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateCapacityProvider.html"
	providerDeleteAPI   = "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeleteCapacityProvider.html"
	providerUpdateAPI   = "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateCapacityProvider.html"
	providerDescribeAPI = "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeCapacityProviders.html"
)

// Provider creates a capacity provider of an Auto Scaling group and returns it. It is
// deleted at the end. At another endpoint the group would have to exist, so cases that
// use it need Fleet.
func (c *C) Provider(change ...func(*ecs.CreateCapacityProviderInput)) *types.CapacityProvider {
	c.Helper()
	in := c.groupInput()
	for _, f := range change {
		f(in)
	}
	out, err := c.ECS.CreateCapacityProvider(c.Ctx(), in)
	c.OK(err)
	c.Cleanup(func() {
		_, err := c.ECS.DeleteCapacityProvider(context.Background(), &ecs.DeleteCapacityProviderInput{CapacityProvider: in.Name})
		var gone *types.ClientException
		if err != nil && !errors.As(err, &gone) {
			c.Errorf("cleaning up: %v", err)
		}
	})
	return out.CapacityProvider
}

func (c *C) groupInput() *ecs.CreateCapacityProviderInput {
	name := c.Unique("conformance")
	return &ecs.CreateCapacityProviderInput{Name: &name, AutoScalingGroupProvider: &types.AutoScalingGroupProvider{
		AutoScalingGroupArn: aws.String("arn:aws:autoscaling:us-east-1:123456789012:autoScalingGroup:57ffcb94-11f0-4d6d-bf60-3bac5EXAMPLE:autoScalingGroupName/" + name),
	}}
}

// managedIn changes a request to create a Managed Instances capacity provider.
func managedIn(cluster string) func(*ecs.CreateCapacityProviderInput) {
	return func(in *ecs.CreateCapacityProviderInput) {
		in.AutoScalingGroupProvider, in.Cluster = nil, &cluster
		in.ManagedInstancesProvider = &types.CreateManagedInstancesProviderConfiguration{
			InfrastructureRoleArn: aws.String("arn:aws:iam::123456789012:role/ecsInfrastructureRole"),
			InstanceLaunchTemplate: &types.InstanceLaunchTemplate{
				Ec2InstanceProfileArn: aws.String("arn:aws:iam::123456789012:instance-profile/ecsInstanceRole"),
				NetworkConfiguration:  &types.ManagedInstancesNetworkConfiguration{Subnets: []string{"subnet-0123456789abcdef0"}},
			},
		}
	}
}

func scaling(s types.ManagedScaling) func(*ecs.CreateCapacityProviderInput) {
	return func(in *ecs.CreateCapacityProviderInput) { in.AutoScalingGroupProvider.ManagedScaling = &s }
}

// providers describes capacity providers.
func (c *C) providers(in *ecs.DescribeCapacityProvidersInput) *ecs.DescribeCapacityProvidersOutput {
	c.Helper()
	out, err := c.ECS.DescribeCapacityProviders(c.Ctx(), in)
	c.OK(err)
	return out
}

func (c *C) provider(ref string, include ...types.CapacityProviderField) types.CapacityProvider {
	c.Helper()
	out := c.providers(&ecs.DescribeCapacityProvidersInput{CapacityProviders: []string{ref}, Include: include})
	if len(out.CapacityProviders) != 1 {
		c.Fatalf("%s: %+v", ref, out.Failures)
	}
	return out.CapacityProviders[0]
}

func (c *C) deleteProvider(ref string) *types.CapacityProvider {
	c.Helper()
	out, err := c.ECS.DeleteCapacityProvider(c.Ctx(), &ecs.DeleteCapacityProviderInput{CapacityProvider: &ref})
	c.OK(err)
	return out.CapacityProvider
}

// refusedProvider is a case in which CreateCapacityProvider is refused before anything
// outside of ECS is read.
func refusedProvider(name, cite string, change func(*C, *ecs.CreateCapacityProviderInput), words ...string) Case {
	return Case{Name: "CreateCapacityProvider refuses " + name, Cite: cite, Run: func(c *C) {
		in := c.groupInput()
		change(c, in)
		_, err := c.ECS.CreateCapacityProvider(c.Ctx(), in)
		c.Refused(err, "InvalidParameterException", words...)
	}}
}

func refusedScaling(name, member string, s types.ManagedScaling) Case {
	return refusedProvider(name, "model: ManagedScaling."+member, func(_ *C, in *ecs.CreateCapacityProviderInput) { scaling(s)(in) }, member)
}

func refusedManaged(name, cite string, change func(*types.CreateManagedInstancesProviderConfiguration), words ...string) Case {
	return Case{Name: "CreateCapacityProvider of managed instances refuses " + name, Cite: cite, Needs: Fleet, Run: func(c *C) {
		in := c.groupInput()
		managedIn(c.Cluster())(in)
		change(in.ManagedInstancesProvider)
		_, err := c.ECS.CreateCapacityProvider(c.Ctx(), in)
		c.Refused(err, "InvalidParameterException", words...)
	}}
}

func named(name string) func(*C, *ecs.CreateCapacityProviderInput) {
	return func(_ *C, in *ecs.CreateCapacityProviderInput) { in.Name = &name }
}

var capacityProviderCases = []Case{
	{Name: "FARGATE and FARGATE_SPOT are always there", Cite: providerAPI, Run: func(c *C) {
		for _, name := range []string{"FARGATE", "FARGATE_SPOT"} {
			if p := c.provider(name); p.Status != types.CapacityProviderStatusActive || !strings.HasSuffix(aws.ToString(p.CapacityProviderArn), ":capacity-provider/"+name) {
				c.Errorf("%+v", p)
			}
		}
	}},
	{Name: "DescribeCapacityProviders lists Fargate's providers", Cite: providerDescribeAPI, Run: func(c *C) {
		got := c.allProviders(10)
		if !slices.Contains(got, "FARGATE") || !slices.Contains(got, "FARGATE_SPOT") {
			c.Errorf("%v", got)
		}
	}},
	{Name: "CreateCapacityProvider answers an ACTIVE provider with defaults", Cite: "https://docs.aws.amazon.com/cli/latest/reference/ecs/create-capacity-provider.html", Needs: Fleet, Run: func(c *C) {
		p := c.Provider(scaling(types.ManagedScaling{Status: types.ManagedScalingStatusEnabled, TargetCapacity: aws.Int32(100)}))
		s := p.AutoScalingGroupProvider.ManagedScaling
		if p.Status != types.CapacityProviderStatusActive || !strings.HasSuffix(*p.CapacityProviderArn, ":capacity-provider/"+*p.Name) ||
			*s.MinimumScalingStepSize != 1 || *s.MaximumScalingStepSize != 10000 || *s.InstanceWarmupPeriod != 300 {
			c.Errorf("%+v %+v", p, s)
		}
	}},
	{Name: "managed termination protection is off unless asked for", Cite: "model: AutoScalingGroupProvider.managedTerminationProtection", Needs: Fleet, Run: func(c *C) {
		if g := c.Provider().AutoScalingGroupProvider; g.ManagedTerminationProtection != types.ManagedTerminationProtectionDisabled {
			c.Errorf("%+v", g)
		}
	}},
	{Name: "the type of a provider with an Auto Scaling group is EC2_AUTOSCALING", Cite: "model: CapacityProvider.type", Needs: Fleet, Run: func(c *C) {
		if p := c.provider(*c.Provider().Name); p.Type != types.CapacityProviderTypeEc2Autoscaling || p.Cluster != nil {
			c.Errorf("%+v", p)
		}
	}},
	{Name: "tags of a capacity provider are kept, and shown when asked for", Cite: "model: DescribeCapacityProvidersInput.include", Needs: Fleet, Run: func(c *C) {
		name := *c.Provider(func(in *ecs.CreateCapacityProviderInput) {
			in.Tags = []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}
		}).Name
		if p := c.provider(name); len(p.Tags) != 0 {
			c.Errorf("not asked for: %+v", p.Tags)
		}
		if p := c.provider(name, types.CapacityProviderFieldTags); len(p.Tags) != 1 {
			c.Errorf("asked for: %+v", p.Tags)
		}
	}},
	{Name: "a second provider of the same name is refused", Cite: "https://github.com/aws/containers-roadmap/issues/632", Needs: Fleet, Run: func(c *C) {
		in := c.groupInput()
		in.Name = c.Provider().Name
		_, err := c.ECS.CreateCapacityProvider(c.Ctx(), in)
		c.Refused(err, "ClientException", "The specified capacity provider already exists.")
	}},
	{Name: "a second provider of the same Auto Scaling group is refused", Cite: "https://github.com/aws/containers-roadmap/issues/632", Needs: Fleet, Run: func(c *C) {
		in := c.groupInput()
		in.AutoScalingGroupProvider.AutoScalingGroupArn = c.Provider().AutoScalingGroupProvider.AutoScalingGroupArn
		_, err := c.ECS.CreateCapacityProvider(c.Ctx(), in)
		c.Refused(err, "ClientException", "The specified Auto Scaling group ARN is already being used by another capacity provider.")
	}},
	refusedProvider("a name that begins with aws", "model: CreateCapacityProviderInput.name", named("aws-x"), "name"),
	refusedProvider("a name that begins with ecs", "model: CreateCapacityProviderInput.name", named("ecsx"), "name"),
	refusedProvider("a name that begins with fargate", "model: CreateCapacityProviderInput.name", named("fargate_x"), "name"),
	refusedProvider("FARGATE as a name", "model: CreateCapacityProviderInput.name", named("FARGATE"), "name"),
	refusedProvider("an empty name", "model: CreateCapacityProviderInput.name", named(""), "name"),
	refusedProvider("a name with a dot", "model: CreateCapacityProviderInput.name", named("a.b"), "name"),
	refusedProvider("a name of 256 characters", "model: CreateCapacityProviderInput.name", named(strings.Repeat("x", 256)), "name"),
	refusedProvider("a provider of nothing", providerAPI, func(_ *C, in *ecs.CreateCapacityProviderInput) { in.AutoScalingGroupProvider = nil }),
	refusedProvider("a provider of both kinds", providerAPI, func(c *C, in *ecs.CreateCapacityProviderInput) {
		group := in.AutoScalingGroupProvider
		managedIn("default")(in)
		in.AutoScalingGroupProvider = group
	}),
	refusedProvider("managed instances without a cluster", "model: CapacityProvider.cluster", func(_ *C, in *ecs.CreateCapacityProviderInput) {
		managedIn("default")(in)
		in.Cluster = nil
	}, "cluster"),
	refusedProvider("an empty Auto Scaling group", "model: AutoScalingGroupProvider.autoScalingGroupArn", func(_ *C, in *ecs.CreateCapacityProviderInput) {
		in.AutoScalingGroupProvider.AutoScalingGroupArn = aws.String("")
	}),
	refusedProvider("the ARN of something else", "model: AutoScalingGroupProvider.autoScalingGroupArn", func(_ *C, in *ecs.CreateCapacityProviderInput) {
		in.AutoScalingGroupProvider.AutoScalingGroupArn = aws.String("arn:aws:s3:::bucket")
	}),
	refusedProvider("51 tags", "model: CreateCapacityProviderInput.tags", func(_ *C, in *ecs.CreateCapacityProviderInput) {
		for i := range 51 {
			in.Tags = append(in.Tags, types.Tag{Key: aws.String(fmt.Sprint("k", i)), Value: aws.String("v")})
		}
	}, "tag"),
	refusedScaling("a target capacity of 0", "targetCapacity", types.ManagedScaling{TargetCapacity: aws.Int32(0)}),
	refusedScaling("a target capacity of 101", "targetCapacity", types.ManagedScaling{TargetCapacity: aws.Int32(101)}),
	refusedScaling("a minimum step of 0", "minimumScalingStepSize", types.ManagedScaling{MinimumScalingStepSize: aws.Int32(0)}),
	refusedScaling("a minimum step of 10001", "minimumScalingStepSize", types.ManagedScaling{MinimumScalingStepSize: aws.Int32(10001)}),
	refusedScaling("a maximum step of 0", "maximumScalingStepSize", types.ManagedScaling{MaximumScalingStepSize: aws.Int32(0)}),
	refusedScaling("a maximum step of 10001", "maximumScalingStepSize", types.ManagedScaling{MaximumScalingStepSize: aws.Int32(10001)}),
	refusedScaling("a negative warm-up", "instanceWarmupPeriod", types.ManagedScaling{InstanceWarmupPeriod: aws.Int32(-1)}),
	refusedScaling("a warm-up above 10000 s", "instanceWarmupPeriod", types.ManagedScaling{InstanceWarmupPeriod: aws.Int32(10001)}),
	refusedScaling("an unknown status", "status", types.ManagedScaling{Status: "ON"}),
	{Name: "termination protection needs managed scaling", Cite: "model: AutoScalingGroupProvider.managedTerminationProtection", Run: func(c *C) {
		in := c.groupInput()
		in.AutoScalingGroupProvider.ManagedTerminationProtection = types.ManagedTerminationProtectionEnabled
		scaling(types.ManagedScaling{Status: types.ManagedScalingStatusDisabled})(in)
		_, err := c.ECS.CreateCapacityProvider(c.Ctx(), in)
		c.Refused(err, "ClientException", "managed termination protection")
	}},
	{Name: "DescribeCapacityProviders takes names and ARNs", Cite: "model: DescribeCapacityProvidersInput.capacityProviders", Run: func(c *C) {
		out := c.providers(&ecs.DescribeCapacityProvidersInput{CapacityProviders: []string{"FARGATE", *c.provider("FARGATE_SPOT").CapacityProviderArn}})
		if len(out.CapacityProviders) != 2 || len(out.Failures) != 0 {
			c.Errorf("%+v", out)
		}
	}},
	{Name: "DescribeCapacityProviders answers MISSING for what is not there", Cite: "model: DescribeCapacityProvidersOutput.failures", Run: func(c *C) {
		name := c.Unique("none")
		out := c.providers(&ecs.DescribeCapacityProvidersInput{CapacityProviders: []string{name}})
		if len(out.Failures) != 1 || aws.ToString(out.Failures[0].Reason) != "MISSING" || !strings.HasSuffix(aws.ToString(out.Failures[0].Arn), name) {
			c.Errorf("%+v", out)
		}
	}},
	{Name: "DescribeCapacityProviders with a cluster shows only its providers", Cite: "model: DescribeCapacityProvidersInput.cluster", Run: func(c *C) {
		cluster := c.Cluster(func(in *ecs.CreateClusterInput) { in.CapacityProviders = []string{"FARGATE_SPOT"} })
		out := c.providers(&ecs.DescribeCapacityProvidersInput{Cluster: &cluster})
		if len(out.CapacityProviders) != 1 || *out.CapacityProviders[0].Name != "FARGATE_SPOT" {
			c.Errorf("%+v", out)
		}
	}},
	{Name: "DescribeCapacityProviders with a cluster that is not there is refused", Cite: providerDescribeAPI, Run: func(c *C) {
		_, err := c.ECS.DescribeCapacityProviders(c.Ctx(), &ecs.DescribeCapacityProvidersInput{Cluster: aws.String(c.Unique("none"))})
		c.Refused(err, "ClusterNotFoundException")
	}},
	{Name: "DescribeCapacityProviders pages without loss or repetition", Cite: "model: DescribeCapacityProvidersInput.nextToken", Needs: Fleet, Run: func(c *C) {
		want := []string{"FARGATE", "FARGATE_SPOT"}
		for range 5 {
			want = append(want, *c.Provider().Name)
		}
		for _, size := range []int32{1, 2, 3, 10} {
			got := c.allProviders(size)
			for _, name := range want {
				if n := len(slices.DeleteFunc(slices.Clone(got), func(s string) bool { return s != name })); n != 1 {
					c.Errorf("pages of %d: %s is there %d times", size, name, n)
				}
			}
		}
	}},
	{Name: "a page of DescribeCapacityProviders has ten unless asked for fewer", Cite: "model: DescribeCapacityProvidersInput.maxResults", Needs: Fleet, Run: func(c *C) {
		for range 9 {
			c.Provider()
		}
		out := c.providers(&ecs.DescribeCapacityProvidersInput{})
		if len(out.CapacityProviders) != 10 || out.NextToken == nil {
			c.Errorf("%d, token %v", len(out.CapacityProviders), out.NextToken)
		}
	}},
	{Name: "DescribeCapacityProviders refuses maxResults of 0", Cite: "model: DescribeCapacityProvidersInput.maxResults", Run: func(c *C) {
		_, err := c.ECS.DescribeCapacityProviders(c.Ctx(), &ecs.DescribeCapacityProvidersInput{MaxResults: aws.Int32(0)})
		c.Refused(err, "InvalidParameterException", "maxResults")
	}},
	{Name: "DescribeCapacityProviders refuses maxResults of 11", Cite: "model: DescribeCapacityProvidersInput.maxResults", Run: func(c *C) {
		_, err := c.ECS.DescribeCapacityProviders(c.Ctx(), &ecs.DescribeCapacityProvidersInput{MaxResults: aws.Int32(11)})
		c.Refused(err, "InvalidParameterException", "maxResults")
	}},
	{Name: "DescribeCapacityProviders refuses a token that it did not give", Cite: "model: DescribeCapacityProvidersInput.nextToken", Run: func(c *C) {
		_, err := c.ECS.DescribeCapacityProviders(c.Ctx(), &ecs.DescribeCapacityProvidersInput{NextToken: aws.String("conformance")})
		c.Refused(err, "InvalidParameterException", "token")
	}},
	{Name: "DescribeCapacityProviders refuses 101 names", Cite: "model: DescribeCapacityProvidersInput.capacityProviders", Run: func(c *C) {
		_, err := c.ECS.DescribeCapacityProviders(c.Ctx(), &ecs.DescribeCapacityProvidersInput{CapacityProviders: slices.Repeat([]string{"FARGATE"}, 101)})
		c.Refused(err, "InvalidParameterException")
	}},
	{Name: "UpdateCapacityProvider changes what is given and leaves the rest", Cite: providerUpdateAPI, Needs: Fleet, Run: func(c *C) {
		p := c.Provider(scaling(types.ManagedScaling{Status: types.ManagedScalingStatusEnabled, TargetCapacity: aws.Int32(80), MinimumScalingStepSize: aws.Int32(2)}))
		_, err := c.ECS.UpdateCapacityProvider(c.Ctx(), &ecs.UpdateCapacityProviderInput{Name: p.Name, AutoScalingGroupProvider: &types.AutoScalingGroupProviderUpdate{
			ManagedScaling: &types.ManagedScaling{TargetCapacity: aws.Int32(90)}, ManagedDraining: types.ManagedDrainingDisabled,
		}})
		c.OK(err)
		c.Eventually("the provider is updated", func() bool {
			return c.provider(*p.Name).UpdateStatus == types.CapacityProviderUpdateStatusUpdateComplete
		})
		g := c.provider(*p.Name).AutoScalingGroupProvider
		if s := g.ManagedScaling; *s.TargetCapacity != 90 || *s.MinimumScalingStepSize != 2 || s.Status != types.ManagedScalingStatusEnabled || g.ManagedDraining != types.ManagedDrainingDisabled {
			c.Errorf("%+v %+v", g, s)
		}
	}},
	{Name: "UpdateCapacityProvider of what is not there is refused", Cite: providerUpdateAPI, Run: func(c *C) {
		_, err := c.ECS.UpdateCapacityProvider(c.Ctx(), &ecs.UpdateCapacityProviderInput{Name: aws.String(c.Unique("none")), AutoScalingGroupProvider: &types.AutoScalingGroupProviderUpdate{ManagedDraining: types.ManagedDrainingEnabled}})
		c.Refused(err, "ClientException", "The specified capacity provider does not exist.")
	}},
	{Name: "UpdateCapacityProvider keeps the rules of managed scaling", Cite: "model: ManagedScaling.targetCapacity", Needs: Fleet, Run: func(c *C) {
		_, err := c.ECS.UpdateCapacityProvider(c.Ctx(), &ecs.UpdateCapacityProviderInput{Name: c.Provider().Name, AutoScalingGroupProvider: &types.AutoScalingGroupProviderUpdate{ManagedScaling: &types.ManagedScaling{TargetCapacity: aws.Int32(200)}}})
		c.Refused(err, "InvalidParameterException", "targetCapacity")
	}},
	{Name: "UpdateCapacityProvider does not make a provider another kind", Cite: providerUpdateAPI, Needs: Fleet, Run: func(c *C) {
		_, err := c.ECS.UpdateCapacityProvider(c.Ctx(), &ecs.UpdateCapacityProviderInput{Name: c.Provider().Name, ManagedInstancesProvider: &types.UpdateManagedInstancesProviderConfiguration{
			InfrastructureRoleArn: aws.String("arn:aws:iam::123456789012:role/r"), InstanceLaunchTemplate: &types.InstanceLaunchTemplateUpdate{},
		}})
		c.Refused(err, "InvalidParameterException", "managedInstancesProvider")
	}},
	{Name: "UpdateCapacityProvider refuses Fargate's providers", Cite: providerUpdateAPI, Run: func(c *C) {
		_, err := c.ECS.UpdateCapacityProvider(c.Ctx(), &ecs.UpdateCapacityProviderInput{Name: aws.String("FARGATE"), AutoScalingGroupProvider: &types.AutoScalingGroupProviderUpdate{}})
		c.Refused(err, "ClientException")
	}},
	{Name: "DeleteCapacityProvider leaves an INACTIVE provider", Cite: "model: CapacityProvider.status", Needs: Fleet, Run: func(c *C) {
		name := *c.Provider().Name
		c.deleteProvider(name)
		c.Eventually("the provider is gone", func() bool {
			out := c.providers(&ecs.DescribeCapacityProvidersInput{CapacityProviders: []string{name}})
			return len(out.CapacityProviders) == 0 || out.CapacityProviders[0].Status == types.CapacityProviderStatusInactive &&
				out.CapacityProviders[0].UpdateStatus == types.CapacityProviderUpdateStatusDeleteComplete
		})
		if slices.Contains(c.allProviders(10), name) {
			c.Error("it is still listed")
		}
	}},
	{Name: "DeleteCapacityProvider takes an ARN", Cite: "model: DeleteCapacityProviderInput.capacityProvider", Needs: Fleet, Run: func(c *C) {
		c.deleteProvider(*c.Provider().CapacityProviderArn)
	}},
	{Name: "DeleteCapacityProvider of what is not there is refused", Cite: "https://github.com/hashicorp/terraform-provider-aws/blob/main/internal/service/ecs/capacity_provider.go", Run: func(c *C) {
		_, err := c.ECS.DeleteCapacityProvider(c.Ctx(), &ecs.DeleteCapacityProviderInput{CapacityProvider: aws.String(c.Unique("none"))})
		c.Refused(err, "ClientException", "The specified capacity provider does not exist. Specify a valid name or ARN and try again.")
	}},
	{Name: "Fargate's providers can't be deleted", Cite: providerDeleteAPI, Run: func(c *C) {
		_, err := c.ECS.DeleteCapacityProvider(c.Ctx(), &ecs.DeleteCapacityProviderInput{CapacityProvider: aws.String("FARGATE")})
		c.Refused(err, "ClientException")
	}},
	{Name: "a provider that a cluster has is not deleted and says why", Cite: "https://aws.amazon.com/premiumsupport/knowledge-center/ecs-capacity-provider-error/", Needs: Fleet, Run: func(c *C) {
		name := *c.Provider().Name
		cluster := c.Cluster(func(in *ecs.CreateClusterInput) { in.CapacityProviders = []string{name} })
		got := c.deleteProvider(name)
		want := "The capacity provider cannot be deleted because it is associated with cluster: " + cluster + ". Remove the capacity provider from the cluster and try again."
		if got.Status != types.CapacityProviderStatusActive || got.UpdateStatus != types.CapacityProviderUpdateStatusDeleteFailed || aws.ToString(got.UpdateStatusReason) != want {
			c.Errorf("%+v: %s", got, aws.ToString(got.UpdateStatusReason))
		}
		_, err := c.putProviders(cluster, nil)
		c.OK(err)
		if got := c.deleteProvider(name); got.UpdateStatus == types.CapacityProviderUpdateStatusDeleteFailed {
			c.Errorf("taken from the cluster: %+v", got)
		}
	}},
	{Name: "deleting the cluster sets its providers free", Cite: providerDeleteAPI, Needs: Fleet, Run: func(c *C) {
		name := *c.Provider().Name
		cluster := c.Cluster(func(in *ecs.CreateClusterInput) { in.CapacityProviders = []string{name} })
		_, err := c.ECS.DeleteCluster(c.Ctx(), &ecs.DeleteClusterInput{Cluster: &cluster})
		c.OK(err)
		if got := c.deleteProvider(name); got.UpdateStatus == types.CapacityProviderUpdateStatusDeleteFailed {
			c.Errorf("%+v", got)
		}
	}},
	{Name: "the name of a deleted provider can be used again", Cite: providerAPI, Needs: Fleet, Run: func(c *C) {
		name := c.Provider().Name
		c.deleteProvider(*name)
		p := c.Provider(func(in *ecs.CreateCapacityProviderInput) { in.Name = name })
		if p.Status != types.CapacityProviderStatusActive {
			c.Errorf("%+v", p)
		}
	}},
	{Name: "a strategy has either Fargate's providers or others", Cite: "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/cluster-capacity-providers.html", Needs: Fleet, Run: func(c *C) {
		name := *c.Provider().Name
		cluster := c.Cluster()
		_, err := c.putProviders(cluster, []string{"FARGATE", name}, share("FARGATE", 0, 1), share(name, 0, 1))
		c.Refused(err, "InvalidParameterException", "strategy")
		_, err = c.putProviders(cluster, []string{"FARGATE", name}, share(name, 0, 1))
		c.OK(err)
	}},
	{Name: "a managed instances provider is its cluster's from the start", Cite: "model: CreateCapacityProviderInput.cluster", Needs: Fleet, Run: func(c *C) {
		cluster := c.Cluster()
		p := c.Provider(managedIn(cluster))
		if p.Type != types.CapacityProviderTypeManagedInstances || aws.ToString(p.Cluster) != cluster {
			c.Errorf("%+v", p)
		}
		if got := c.describe(cluster).CapacityProviders; !slices.Contains(got, *p.Name) {
			c.Errorf("the cluster has %v", got)
		}
	}},
	{Name: "a managed instances provider has ECS's defaults", Cite: "model: InstanceLaunchTemplate.capacityOptionType", Needs: Fleet, Run: func(c *C) {
		m := c.Provider(managedIn(c.Cluster())).ManagedInstancesProvider
		if m.InstanceLaunchTemplate.CapacityOptionType != types.CapacityOptionTypeOnDemand || m.InstanceLaunchTemplate.Monitoring != types.ManagedInstancesMonitoringOptionsBasic {
			c.Errorf("%+v", m.InstanceLaunchTemplate)
		}
	}},
	{Name: "a managed instances provider is of no other cluster", Cite: "model: CapacityProvider.cluster", Needs: Fleet, Run: func(c *C) {
		name := *c.Provider(managedIn(c.Cluster())).Name
		_, err := c.putProviders(c.Cluster(), []string{name})
		c.Refused(err, "InvalidParameterException")
	}},
	{Name: "a cluster with a managed instances provider is not deleted", Cite: deleteAPI, Needs: Fleet, Run: func(c *C) {
		cluster := c.Cluster()
		c.Provider(managedIn(cluster))
		_, err := c.ECS.DeleteCluster(c.Ctx(), &ecs.DeleteClusterInput{Cluster: &cluster})
		c.Refused(err, "ClusterContainsCapacityProviderException", "Capacity Providers")
	}},
	{Name: "a managed instances provider for a cluster that is not there is refused", Cite: providerAPI, Needs: Fleet, Run: func(c *C) {
		in := c.groupInput()
		managedIn(c.Unique("none"))(in)
		_, err := c.ECS.CreateCapacityProvider(c.Ctx(), in)
		c.Refused(err, "ClusterNotFoundException")
	}},
	refusedManaged("no subnet", "model: ManagedInstancesNetworkConfiguration.subnets", func(m *types.CreateManagedInstancesProviderConfiguration) {
		m.InstanceLaunchTemplate.NetworkConfiguration.Subnets = nil
	}, "subnet"),
	refusedManaged("a role that is none", "model: CreateManagedInstancesProviderConfiguration.infrastructureRoleArn", func(m *types.CreateManagedInstancesProviderConfiguration) {
		m.InfrastructureRoleArn = aws.String("role")
	}, "infrastructureRoleArn"),
	refusedManaged("a delay above 3600 s", "model: InfrastructureOptimization.scaleInAfter", func(m *types.CreateManagedInstancesProviderConfiguration) {
		m.InfrastructureOptimization = &types.InfrastructureOptimization{ScaleInAfter: aws.Int32(3601)}
	}, "scaleInAfter"),
	refusedManaged("a range of CPUs upside down", "model: InstanceRequirementsRequest.vCpuCount", func(m *types.CreateManagedInstancesProviderConfiguration) {
		m.InstanceLaunchTemplate.InstanceRequirements = &types.InstanceRequirementsRequest{
			VCpuCount: &types.VCpuCountRangeRequest{Min: aws.Int32(4), Max: aws.Int32(2)}, MemoryMiB: &types.MemoryMiBRequest{Min: aws.Int32(1024)},
		}
	}, "vCpuCount"),
	refusedManaged("allowed and excluded types at once", "model: InstanceRequirementsRequest.allowedInstanceTypes", func(m *types.CreateManagedInstancesProviderConfiguration) {
		m.InstanceLaunchTemplate.InstanceRequirements = &types.InstanceRequirementsRequest{
			VCpuCount: &types.VCpuCountRangeRequest{Min: aws.Int32(1)}, MemoryMiB: &types.MemoryMiBRequest{Min: aws.Int32(1024)},
			AllowedInstanceTypes: []string{"m5.*"}, ExcludedInstanceTypes: []string{"c5.large"},
		}
	}, "InstanceTypes"),
	refusedManaged("an unknown capacity option", "model: InstanceLaunchTemplate.capacityOptionType", func(m *types.CreateManagedInstancesProviderConfiguration) {
		m.InstanceLaunchTemplate.CapacityOptionType = "FREE"
	}, "capacityOptionType"),
	{Name: "UpdateCapacityProvider changes a managed instances provider", Cite: "model: UpdateCapacityProviderInput.managedInstancesProvider", Needs: Fleet, Run: func(c *C) {
		cluster := c.Cluster()
		p := c.Provider(managedIn(cluster))
		_, err := c.ECS.UpdateCapacityProvider(c.Ctx(), &ecs.UpdateCapacityProviderInput{Name: p.Name, Cluster: &cluster, ManagedInstancesProvider: &types.UpdateManagedInstancesProviderConfiguration{
			InfrastructureRoleArn: aws.String("arn:aws:iam::123456789012:role/other"), PropagateTags: types.PropagateMITagsCapacityProvider,
			InstanceLaunchTemplate: &types.InstanceLaunchTemplateUpdate{StorageConfiguration: &types.ManagedInstancesStorageConfiguration{StorageSizeGiB: aws.Int32(100)}},
		}})
		c.OK(err)
		m := c.provider(*p.Name).ManagedInstancesProvider
		if !strings.HasSuffix(*m.InfrastructureRoleArn, "/other") || m.PropagateTags != types.PropagateMITagsCapacityProvider || *m.InstanceLaunchTemplate.StorageConfiguration.StorageSizeGiB != 100 || len(m.InstanceLaunchTemplate.NetworkConfiguration.Subnets) != 1 {
			c.Errorf("%+v", m)
		}
	}},
}

// allProviders lists all capacity providers in pages of the given size.
func (c *C) allProviders(size int32) []string {
	c.Helper()
	var all []string
	in := &ecs.DescribeCapacityProvidersInput{MaxResults: &size}
	for {
		out := c.providers(in)
		if len(out.CapacityProviders) > int(size) {
			c.Errorf("a page of %d for %d", len(out.CapacityProviders), size)
		}
		for _, p := range out.CapacityProviders {
			all = append(all, *p.Name)
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			return all
		}
	}
}

func TestCapacityProvider(t *testing.T) { run(t, capacityProviderCases) }
