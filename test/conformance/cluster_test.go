package conformance

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

const (
	clusterAPI  = "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateCluster.html"
	describeAPI = "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeClusters.html"
	deleteAPI   = "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeleteCluster.html"
	putAPI      = "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_PutClusterCapacityProviders.html"
	updateAPI   = "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateCluster.html"
)

// describe returns a cluster with the parts that include names.
func (c *C) describe(cluster string, include ...types.ClusterField) types.Cluster {
	c.Helper()
	out, err := c.ECS.DescribeClusters(c.Ctx(), &ecs.DescribeClustersInput{Clusters: []string{cluster}, Include: include})
	c.OK(err)
	if len(out.Clusters) != 1 {
		c.Fatalf("%s: %+v", cluster, out.Failures)
	}
	return out.Clusters[0]
}

func insights(value string) []types.ClusterSetting {
	return []types.ClusterSetting{{Name: types.ClusterSettingNameContainerInsights, Value: &value}}
}

func strategyOf(items ...types.CapacityProviderStrategyItem) []types.CapacityProviderStrategyItem {
	return append([]types.CapacityProviderStrategyItem{}, items...)
}

func share(provider string, base, weight int32) types.CapacityProviderStrategyItem {
	return types.CapacityProviderStrategyItem{CapacityProvider: &provider, Base: base, Weight: weight}
}

func execConfig(e types.ExecuteCommandConfiguration) *types.ClusterConfiguration {
	return &types.ClusterConfiguration{ExecuteCommandConfiguration: &e}
}

// putProviders sets a cluster's providers and default strategy.
func (c *C) putProviders(cluster string, providers []string, items ...types.CapacityProviderStrategyItem) (*types.Cluster, error) {
	out, err := c.ECS.PutClusterCapacityProviders(c.Ctx(), &ecs.PutClusterCapacityProvidersInput{
		Cluster: &cluster, CapacityProviders: append([]string{}, providers...), DefaultCapacityProviderStrategy: strategyOf(items...),
	})
	if err != nil {
		return nil, err
	}
	return out.Cluster, nil
}

// awaitProviders waits until a cluster's providers are attached, which takes ECS some time.
func (c *C) awaitProviders(cluster string) {
	c.Helper()
	c.Eventually("the cluster's attachments are updated", func() bool {
		s := aws.ToString(c.describe(cluster, types.ClusterFieldAttachments).AttachmentsStatus)
		return s != "UPDATE_IN_PROGRESS"
	})
}

// refusedCluster is a case in which CreateCluster is refused.
func refusedCluster(name, cite string, change func(*ecs.CreateClusterInput), words ...string) Case {
	return Case{Name: "CreateCluster refuses " + name, Cite: cite, Run: func(c *C) {
		in := &ecs.CreateClusterInput{ClusterName: aws.String(c.Unique("conformance"))}
		change(in)
		_, err := c.ECS.CreateCluster(c.Ctx(), in)
		c.Refused(err, "InvalidParameterException", words...)
	}}
}

// refusedStrategy is a case in which a cluster's default strategy is refused.
func refusedStrategy(name, cite string, items []types.CapacityProviderStrategyItem, words ...string) Case {
	return Case{Name: "PutClusterCapacityProviders refuses " + name, Cite: cite, Run: func(c *C) {
		_, err := c.putProviders(c.Cluster(), []string{"FARGATE", "FARGATE_SPOT"}, items...)
		c.Refused(err, "InvalidParameterException", words...)
	}}
}

var clusterCases = []Case{
	{Name: "CreateCluster answers an ACTIVE cluster", Cite: clusterAPI, Run: func(c *C) {
		name := c.Cluster()
		got := c.describe(name)
		if aws.ToString(got.Status) != "ACTIVE" || aws.ToString(got.ClusterName) != name || !strings.HasSuffix(aws.ToString(got.ClusterArn), ":cluster/"+name) {
			c.Errorf("%+v", got)
		}
	}},
	{Name: "a new cluster has nothing in it", Cite: "model: Cluster.runningTasksCount", Run: func(c *C) {
		got := c.describe(c.Cluster())
		if got.RunningTasksCount+got.PendingTasksCount+got.RegisteredContainerInstancesCount+got.ActiveServicesCount != 0 {
			c.Errorf("%+v", got)
		}
	}},
	{Name: "CreateCluster twice answers the same cluster", Cite: clusterAPI, Run: func(c *C) {
		name := c.Cluster()
		again, err := c.ECS.CreateCluster(c.Ctx(), &ecs.CreateClusterInput{ClusterName: &name})
		c.OK(err)
		if aws.ToString(again.Cluster.ClusterArn) != aws.ToString(c.describe(name).ClusterArn) {
			c.Errorf("%+v", again.Cluster)
		}
	}},
	{Name: "CreateCluster twice with the same arguments is idempotent", Cite: clusterAPI, Run: func(c *C) {
		change := func(in *ecs.CreateClusterInput) { in.CapacityProviders = []string{"FARGATE"} }
		name := c.Cluster(change)
		in := &ecs.CreateClusterInput{ClusterName: &name}
		change(in)
		again, err := c.ECS.CreateCluster(c.Ctx(), in)
		c.OK(err)
		if !slices.Equal(again.Cluster.CapacityProviders, []string{"FARGATE"}) {
			c.Errorf("%+v", again.Cluster)
		}
	}},
	{Name: "CreateCluster of another cluster under the same name is refused", Cite: "https://github.com/hashicorp/terraform/issues/24615", Run: func(c *C) {
		name := c.Cluster()
		_, err := c.ECS.CreateCluster(c.Ctx(), &ecs.CreateClusterInput{ClusterName: &name, CapacityProviders: []string{"FARGATE"}})
		c.Refused(err, "InvalidParameterException", "Arguments on this idempotent request are inconsistent")
	}},
	{Name: "a cluster's name may have 255 characters", Cite: "model: CreateClusterInput.clusterName", Run: func(c *C) {
		name := c.Unique("c")
		name += strings.Repeat("x", 255-len(name))
		c.Cluster(func(in *ecs.CreateClusterInput) { in.ClusterName = &name })
		if got := aws.ToString(c.describe(name).ClusterName); got != name {
			c.Error(got)
		}
	}},
	refusedCluster("a name of 256 characters", "model: CreateClusterInput.clusterName", func(in *ecs.CreateClusterInput) {
		in.ClusterName = aws.String(strings.Repeat("x", 256))
	}),
	refusedCluster("a name with a space", "model: CreateClusterInput.clusterName", func(in *ecs.CreateClusterInput) { in.ClusterName = aws.String("a b") }),
	refusedCluster("a name with a dot", "model: CreateClusterInput.clusterName", func(in *ecs.CreateClusterInput) { in.ClusterName = aws.String("a.b") }),
	refusedCluster("a name with a slash", "model: CreateClusterInput.clusterName", func(in *ecs.CreateClusterInput) { in.ClusterName = aws.String("a/b") }),
	refusedCluster("an unknown setting", "model: ClusterSetting.name", func(in *ecs.CreateClusterInput) {
		in.Settings = []types.ClusterSetting{{Name: "insights", Value: aws.String("enabled")}}
	}, "name"),
	refusedCluster("an unknown value of containerInsights", "model: ClusterSetting.value", func(in *ecs.CreateClusterInput) { in.Settings = insights("on") }, "containerInsights"),
	refusedCluster("a tag that begins with aws:", "model: CreateClusterInput.tags", func(in *ecs.CreateClusterInput) {
		in.Tags = []types.Tag{{Key: aws.String("aws:x"), Value: aws.String("v")}}
	}, "tag"),
	refusedCluster("51 tags", "model: CreateClusterInput.tags", func(in *ecs.CreateClusterInput) {
		for i := range 51 {
			in.Tags = append(in.Tags, types.Tag{Key: aws.String(fmt.Sprint("k", i)), Value: aws.String("v")})
		}
	}, "tag"),
	refusedCluster("a capacity provider that is not there", clusterAPI, func(in *ecs.CreateClusterInput) {
		in.CapacityProviders = []string{"conformance-none"}
	}, "capacity provider"),
	refusedCluster("a strategy of a provider that is not the cluster's", clusterAPI, func(in *ecs.CreateClusterInput) {
		in.DefaultCapacityProviderStrategy = strategyOf(share("FARGATE", 0, 1))
	}, "associated with the cluster"),
	refusedCluster("logging OVERRIDE without logConfiguration", "model: ExecuteCommandConfiguration.logConfiguration", func(in *ecs.CreateClusterInput) {
		in.Configuration = execConfig(types.ExecuteCommandConfiguration{Logging: types.ExecuteCommandLoggingOverride})
	}, "logConfiguration"),
	refusedCluster("a log configuration without OVERRIDE", "model: ExecuteCommandConfiguration.logging", func(in *ecs.CreateClusterInput) {
		in.Configuration = execConfig(types.ExecuteCommandConfiguration{
			Logging: types.ExecuteCommandLoggingNone, LogConfiguration: &types.ExecuteCommandLogConfiguration{CloudWatchLogGroupName: aws.String("g")},
		})
	}, "logConfiguration"),
	refusedCluster("an unknown logging", "model: ExecuteCommandConfiguration.logging", func(in *ecs.CreateClusterInput) {
		in.Configuration = execConfig(types.ExecuteCommandConfiguration{Logging: "SOME"})
	}, "logging"),
	refusedCluster("a namespace with a slash", "model: ClusterServiceConnectDefaultsRequest.namespace", func(in *ecs.CreateClusterInput) {
		in.ServiceConnectDefaults = &types.ClusterServiceConnectDefaultsRequest{Namespace: aws.String("a/b")}
	}, "namespace"),
	{Name: "containerInsights is a setting of every cluster", Cite: "model: Cluster.settings", Run: func(c *C) {
		s := c.describe(c.Cluster(), types.ClusterFieldSettings).Settings
		if len(s) != 1 || s[0].Name != types.ClusterSettingNameContainerInsights || aws.ToString(s[0].Value) == "" {
			c.Errorf("%+v", s)
		}
	}},
	{Name: "containerInsights can be enhanced from the start", Cite: "model: ClusterSetting.value", Run: func(c *C) {
		s := c.describe(c.Cluster(func(in *ecs.CreateClusterInput) { in.Settings = insights("enhanced") }), types.ClusterFieldSettings).Settings
		if len(s) != 1 || aws.ToString(s[0].Value) != "enhanced" {
			c.Errorf("%+v", s)
		}
	}},
	{Name: "the configuration is kept", Cite: "model: CreateClusterInput.configuration", Run: func(c *C) {
		name := c.Cluster(func(in *ecs.CreateClusterInput) {
			in.Configuration = execConfig(types.ExecuteCommandConfiguration{Logging: types.ExecuteCommandLoggingOverride, LogConfiguration: &types.ExecuteCommandLogConfiguration{
				CloudWatchLogGroupName: aws.String("/group"), S3BucketName: aws.String("bucket"), S3KeyPrefix: aws.String("exec"),
			}})
		})
		e := c.describe(name, types.ClusterFieldConfigurations).Configuration.ExecuteCommandConfiguration
		if e.Logging != types.ExecuteCommandLoggingOverride || aws.ToString(e.LogConfiguration.S3KeyPrefix) != "exec" || aws.ToString(e.LogConfiguration.CloudWatchLogGroupName) != "/group" {
			c.Errorf("%+v", e)
		}
	}},
	{Name: "the logging of ExecuteCommand is DEFAULT where it isn't said", Cite: "model: ExecuteCommandConfiguration.logging", Run: func(c *C) {
		name := c.Cluster(func(in *ecs.CreateClusterInput) { in.Configuration = execConfig(types.ExecuteCommandConfiguration{}) })
		if e := c.describe(name, types.ClusterFieldConfigurations).Configuration.ExecuteCommandConfiguration; e.Logging != types.ExecuteCommandLoggingDefault {
			c.Errorf("%+v", e)
		}
	}},
	{Name: "tags of a cluster are kept", Cite: "model: CreateClusterInput.tags", Run: func(c *C) {
		name := c.Cluster(func(in *ecs.CreateClusterInput) {
			in.Tags = []types.Tag{{Key: aws.String("Key"), Value: aws.String("v")}, {Key: aws.String("key"), Value: aws.String("")}}
		})
		if tags := c.describe(name, types.ClusterFieldTags).Tags; len(tags) != 2 {
			c.Errorf("%+v", tags)
		}
	}},
	{Name: "DescribeClusters leaves out what include doesn't ask for", Cite: describeAPI, Run: func(c *C) {
		got := c.describe(c.Cluster(func(in *ecs.CreateClusterInput) {
			in.Tags = []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}
			in.Configuration = execConfig(types.ExecuteCommandConfiguration{Logging: types.ExecuteCommandLoggingNone})
		}))
		if len(got.Tags)+len(got.Settings)+len(got.Statistics)+len(got.Attachments) != 0 || got.Configuration != nil {
			c.Errorf("%+v", got)
		}
	}},
	{Name: "DescribeClusters takes names and ARNs", Cite: "model: DescribeClustersInput.clusters", Run: func(c *C) {
		a, b := c.Cluster(), c.Cluster()
		out, err := c.ECS.DescribeClusters(c.Ctx(), &ecs.DescribeClustersInput{Clusters: []string{a, *c.describe(b).ClusterArn}})
		c.OK(err)
		if len(out.Clusters) != 2 || len(out.Failures) != 0 {
			c.Errorf("%+v", out)
		}
	}},
	{Name: "DescribeClusters answers MISSING for what is not there", Cite: "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/api_failures_messages.html", Run: func(c *C) {
		name := c.Unique("none")
		out, err := c.ECS.DescribeClusters(c.Ctx(), &ecs.DescribeClustersInput{Clusters: []string{name}})
		c.OK(err)
		if len(out.Failures) != 1 || aws.ToString(out.Failures[0].Reason) != "MISSING" || !strings.HasSuffix(aws.ToString(out.Failures[0].Arn), ":cluster/"+name) {
			c.Errorf("%+v", out)
		}
	}},
	{Name: "DescribeClusters answers the ones there are beside MISSING", Cite: "model: DescribeClustersOutput.failures", Run: func(c *C) {
		out, err := c.ECS.DescribeClusters(c.Ctx(), &ecs.DescribeClustersInput{Clusters: []string{c.Unique("none"), c.Cluster()}})
		c.OK(err)
		if len(out.Failures) != 1 || len(out.Clusters) != 1 {
			c.Errorf("%+v", out)
		}
	}},
	{Name: "DescribeClusters without names means the default cluster", Cite: "model: DescribeClustersInput.clusters", Run: func(c *C) {
		out, err := c.ECS.DescribeClusters(c.Ctx(), &ecs.DescribeClustersInput{})
		c.OK(err)
		if len(out.Clusters)+len(out.Failures) != 1 {
			c.Fatalf("%+v", out)
		}
		for _, d := range out.Clusters {
			if aws.ToString(d.ClusterName) != "default" {
				c.Errorf("%+v", d)
			}
		}
	}},
	{Name: "DescribeClusters refuses 101 clusters", Cite: "model: DescribeClustersInput.clusters", Run: func(c *C) {
		_, err := c.ECS.DescribeClusters(c.Ctx(), &ecs.DescribeClustersInput{Clusters: slices.Repeat([]string{"x"}, 101)})
		c.Refused(err, "InvalidParameterException")
	}},
	{Name: "DescribeClusters refuses an unknown include", Cite: "model: DescribeClustersInput.include", Run: func(c *C) {
		_, err := c.ECS.DescribeClusters(c.Ctx(), &ecs.DescribeClustersInput{Include: []types.ClusterField{"EVERYTHING"}})
		c.Refused(err, "InvalidParameterException", "include")
	}},
	{Name: "STATISTICS count by launch type", Cite: "model: Cluster.statistics", Run: func(c *C) {
		var names []string
		for _, s := range c.describe(c.Cluster(), types.ClusterFieldStatistics).Statistics {
			names = append(names, *s.Name)
			if aws.ToString(s.Value) != "0" {
				c.Errorf("%s is %s", *s.Name, aws.ToString(s.Value))
			}
		}
		for _, want := range []string{"runningEC2TasksCount", "runningFargateTasksCount", "pendingEC2TasksCount", "pendingFargateTasksCount",
			"activeEC2ServiceCount", "activeFargateServiceCount", "drainingEC2ServiceCount", "drainingFargateServiceCount"} {
			if !slices.Contains(names, want) {
				c.Errorf("%s is missing from %v", want, names)
			}
		}
	}},
	{Name: "STATISTICS and counts show what runs", Cite: "model: Cluster.statistics", Needs: Fleet, Run: func(c *C) {
		cluster, _ := c.Fleet(Spec{})
		c.Run(cluster, c.Sleeper(), 2, func(in *ecs.RunTaskInput) { in.LaunchType = types.LaunchTypeEc2 })
		c.Eventually("two tasks run", func() bool { return c.describe(cluster).RunningTasksCount == 2 })
		got := c.describe(cluster, types.ClusterFieldStatistics)
		if got.PendingTasksCount != 0 || got.RegisteredContainerInstancesCount != 1 {
			c.Errorf("%+v", got)
		}
		for _, s := range got.Statistics {
			want := "0"
			if *s.Name == "runningEC2TasksCount" {
				want = "2"
			}
			if *s.Value != want {
				c.Errorf("%s is %s, want %s", *s.Name, *s.Value, want)
			}
		}
	}},
	{Name: "ListClusters lists a new cluster", Cite: "model: ListClustersOutput.clusterArns", Run: func(c *C) {
		arn := *c.describe(c.Cluster()).ClusterArn
		if all := c.clusters(100); !slices.Contains(all, arn) {
			c.Errorf("%s is not in %v", arn, all)
		}
	}},
	{Name: "ListClusters pages without loss or repetition", Cite: "model: ListClustersInput.nextToken", Run: func(c *C) {
		var want []string
		for range 5 {
			want = append(want, *c.describe(c.Cluster()).ClusterArn)
		}
		got := c.clusters(2)
		for _, arn := range want {
			if n := len(slices.DeleteFunc(slices.Clone(got), func(s string) bool { return s != arn })); n != 1 {
				c.Errorf("%s is listed %d times", arn, n)
			}
		}
	}},
	{Name: "ListClusters refuses maxResults of 0", Cite: "model: ListClustersInput.maxResults", Run: func(c *C) {
		_, err := c.ECS.ListClusters(c.Ctx(), &ecs.ListClustersInput{MaxResults: aws.Int32(0)})
		c.Refused(err, "InvalidParameterException", "maxResults")
	}},
	{Name: "ListClusters refuses maxResults of 101", Cite: "model: ListClustersInput.maxResults", Run: func(c *C) {
		_, err := c.ECS.ListClusters(c.Ctx(), &ecs.ListClustersInput{MaxResults: aws.Int32(101)})
		c.Refused(err, "InvalidParameterException", "maxResults")
	}},
	{Name: "ListClusters refuses a token that it did not give", Cite: "model: ListClustersInput.nextToken", Run: func(c *C) {
		_, err := c.ECS.ListClusters(c.Ctx(), &ecs.ListClustersInput{NextToken: aws.String("conformance")})
		c.Refused(err, "InvalidParameterException", "token")
	}},
	{Name: "DeleteCluster leaves an INACTIVE cluster", Cite: deleteAPI, Run: func(c *C) {
		name := c.Cluster()
		out, err := c.ECS.DeleteCluster(c.Ctx(), &ecs.DeleteClusterInput{Cluster: &name})
		c.OK(err)
		if aws.ToString(out.Cluster.Status) != "INACTIVE" {
			c.Errorf("%+v", out.Cluster)
		}
		if arn := *out.Cluster.ClusterArn; slices.Contains(c.clusters(100), arn) {
			c.Error("it is still listed")
		}
	}},
	{Name: "DeleteCluster takes an ARN", Cite: "model: DeleteClusterInput.cluster", Run: func(c *C) {
		arn := c.describe(c.Cluster()).ClusterArn
		_, err := c.ECS.DeleteCluster(c.Ctx(), &ecs.DeleteClusterInput{Cluster: arn})
		c.OK(err)
	}},
	{Name: "DeleteCluster of what was never there is refused", Cite: deleteAPI, Run: func(c *C) {
		_, err := c.ECS.DeleteCluster(c.Ctx(), &ecs.DeleteClusterInput{Cluster: aws.String(c.Unique("none"))})
		c.Refused(err, "ClusterNotFoundException", "Cluster not found.")
	}},
	{Name: "DeleteCluster is refused while container instances are there", Cite: deleteAPI, Needs: Fleet, Run: func(c *C) {
		cluster, _ := c.Fleet(Spec{})
		_, err := c.ECS.DeleteCluster(c.Ctx(), &ecs.DeleteClusterInput{Cluster: &cluster})
		c.Refused(err, "ClusterContainsContainerInstancesException", "Container Instances")
	}},
	{Name: "DeleteCluster is refused while tasks are active", Cite: deleteAPI, Needs: Fleet, Run: func(c *C) {
		cluster, _ := c.Fleet(Spec{})
		c.Run(cluster, c.Sleeper(), 1)
		_, err := c.ECS.DeleteCluster(c.Ctx(), &ecs.DeleteClusterInput{Cluster: &cluster})
		c.Refused(err, "ClusterContainsTasksException", "Tasks")
	}},
	{Name: "CreateCluster makes a deleted cluster anew", Cite: deleteAPI, Run: func(c *C) {
		name := c.Cluster(func(in *ecs.CreateClusterInput) {
			in.Settings, in.Tags, in.CapacityProviders = insights("enabled"), []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}, []string{"FARGATE"}
		})
		_, err := c.ECS.DeleteCluster(c.Ctx(), &ecs.DeleteClusterInput{Cluster: &name})
		c.OK(err)
		_, err = c.ECS.CreateCluster(c.Ctx(), &ecs.CreateClusterInput{ClusterName: &name})
		c.OK(err)
		if got := c.describe(name, types.ClusterFieldTags); aws.ToString(got.Status) != "ACTIVE" || len(got.Tags)+len(got.CapacityProviders) != 0 {
			c.Errorf("%+v", got)
		}
	}},
	{Name: "a deleted cluster takes no tasks", Cite: "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html", Run: func(c *C) {
		name, definition := c.Cluster(), c.Sleeper()
		_, err := c.ECS.DeleteCluster(c.Ctx(), &ecs.DeleteClusterInput{Cluster: &name})
		c.OK(err)
		_, err = c.ECS.RunTask(c.Ctx(), &ecs.RunTaskInput{Cluster: &name, TaskDefinition: &definition})
		c.Refused(err, "InvalidParameterException", "inactive")
	}},
	{Name: "UpdateCluster changes what is given and leaves the rest", Cite: updateAPI, Run: func(c *C) {
		name := c.Cluster(func(in *ecs.CreateClusterInput) { in.Settings = insights("disabled") })
		_, err := c.ECS.UpdateCluster(c.Ctx(), &ecs.UpdateClusterInput{Cluster: &name, Settings: insights("enabled")})
		c.OK(err)
		_, err = c.ECS.UpdateCluster(c.Ctx(), &ecs.UpdateClusterInput{Cluster: &name, Configuration: execConfig(types.ExecuteCommandConfiguration{Logging: types.ExecuteCommandLoggingNone})})
		c.OK(err)
		got := c.describe(name, types.ClusterFieldSettings, types.ClusterFieldConfigurations)
		if aws.ToString(got.Settings[0].Value) != "enabled" || got.Configuration.ExecuteCommandConfiguration.Logging != types.ExecuteCommandLoggingNone {
			c.Errorf("%+v", got)
		}
	}},
	{Name: "UpdateCluster of what is not there is refused", Cite: updateAPI, Run: func(c *C) {
		_, err := c.ECS.UpdateCluster(c.Ctx(), &ecs.UpdateClusterInput{Cluster: aws.String(c.Unique("none")), Settings: insights("enabled")})
		c.Refused(err, "ClusterNotFoundException", "Cluster not found.")
	}},
	{Name: "UpdateCluster refuses logging OVERRIDE without logConfiguration", Cite: "model: ExecuteCommandConfiguration.logConfiguration", Run: func(c *C) {
		_, err := c.ECS.UpdateCluster(c.Ctx(), &ecs.UpdateClusterInput{Cluster: aws.String(c.Cluster()), Configuration: execConfig(types.ExecuteCommandConfiguration{Logging: types.ExecuteCommandLoggingOverride})})
		c.Refused(err, "InvalidParameterException", "logConfiguration")
	}},
	{Name: "an empty namespace takes the Service Connect default away", Cite: "model: ClusterServiceConnectDefaultsRequest.namespace", Run: func(c *C) {
		name := c.Cluster()
		set := func(namespace string) *types.ClusterServiceConnectDefaults {
			_, err := c.ECS.UpdateCluster(c.Ctx(), &ecs.UpdateClusterInput{Cluster: &name, ServiceConnectDefaults: &types.ClusterServiceConnectDefaultsRequest{Namespace: &namespace}})
			c.OK(err)
			return c.describe(name).ServiceConnectDefaults
		}
		if d := set("conformance"); d == nil || aws.ToString(d.Namespace) == "" {
			c.Errorf("set: %+v", d)
		}
		if d := set(""); d != nil && aws.ToString(d.Namespace) != "" {
			c.Errorf("taken away: %+v", d)
		}
	}},
	{Name: "UpdateClusterSettings changes containerInsights", Cite: "model: UpdateClusterSettingsInput.settings", Run: func(c *C) {
		name := c.Cluster()
		out, err := c.ECS.UpdateClusterSettings(c.Ctx(), &ecs.UpdateClusterSettingsInput{Cluster: &name, Settings: insights("enhanced")})
		c.OK(err)
		if len(out.Cluster.Settings) != 1 || aws.ToString(out.Cluster.Settings[0].Value) != "enhanced" {
			c.Errorf("%+v", out.Cluster)
		}
	}},
	{Name: "UpdateClusterSettings refuses an unknown value", Cite: "model: ClusterSetting.value", Run: func(c *C) {
		_, err := c.ECS.UpdateClusterSettings(c.Ctx(), &ecs.UpdateClusterSettingsInput{Cluster: aws.String(c.Cluster()), Settings: insights("maybe")})
		c.Refused(err, "InvalidParameterException", "containerInsights")
	}},
	{Name: "UpdateClusterSettings of what is not there is refused", Cite: "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateClusterSettings.html", Run: func(c *C) {
		_, err := c.ECS.UpdateClusterSettings(c.Ctx(), &ecs.UpdateClusterSettingsInput{Cluster: aws.String(c.Unique("none")), Settings: insights("enabled")})
		c.Refused(err, "ClusterNotFoundException")
	}},
	{Name: "CreateCluster takes capacity providers and a default strategy", Cite: "model: CreateClusterInput.defaultCapacityProviderStrategy", Run: func(c *C) {
		got := c.describe(c.Cluster(func(in *ecs.CreateClusterInput) {
			in.CapacityProviders = []string{"FARGATE", "FARGATE_SPOT"}
			in.DefaultCapacityProviderStrategy = strategyOf(share("FARGATE", 1, 1), share("FARGATE_SPOT", 0, 4))
		}))
		d := got.DefaultCapacityProviderStrategy
		if len(got.CapacityProviders) != 2 || len(d) != 2 || d[0].Base != 1 || d[1].Weight != 4 {
			c.Errorf("%+v", got)
		}
	}},
	{Name: "PutClusterCapacityProviders replaces providers and strategy", Cite: putAPI, Run: func(c *C) {
		name := c.Cluster()
		_, err := c.putProviders(name, []string{"FARGATE", "FARGATE_SPOT"}, share("FARGATE_SPOT", 0, 1))
		c.OK(err)
		c.awaitProviders(name)
		got, err := c.putProviders(name, []string{"FARGATE"})
		c.OK(err)
		if !slices.Equal(got.CapacityProviders, []string{"FARGATE"}) || len(got.DefaultCapacityProviderStrategy) != 0 {
			c.Errorf("%+v", got)
		}
	}},
	{Name: "PutClusterCapacityProviders with empty lists takes all away", Cite: putAPI, Run: func(c *C) {
		name := c.Cluster(func(in *ecs.CreateClusterInput) { in.CapacityProviders = []string{"FARGATE"} })
		c.awaitProviders(name)
		got, err := c.putProviders(name, nil)
		c.OK(err)
		if len(got.CapacityProviders)+len(got.DefaultCapacityProviderStrategy) != 0 {
			c.Errorf("%+v", got)
		}
	}},
	{Name: "PutClusterCapacityProviders of what is not there is refused", Cite: putAPI, Run: func(c *C) {
		_, err := c.putProviders(c.Unique("none"), []string{"FARGATE"})
		c.Refused(err, "ClusterNotFoundException")
	}},
	{Name: "PutClusterCapacityProviders refuses a provider that is not there", Cite: "https://github.com/terraform-aws-modules/terraform-aws-ecs/issues/53", Run: func(c *C) {
		_, err := c.putProviders(c.Cluster(), []string{c.Unique("none")})
		c.Refused(err, "InvalidParameterException", "The specified capacity provider was not found.")
	}},
	refusedStrategy("two bases", "model: CapacityProviderStrategyItem.base", strategyOf(share("FARGATE", 1, 1), share("FARGATE_SPOT", 1, 1)), "base"),
	refusedStrategy("a negative base", "model: CapacityProviderStrategyItem.base", strategyOf(share("FARGATE", -1, 1)), "base"),
	refusedStrategy("a base above 100,000", "model: CapacityProviderStrategyItem.base", strategyOf(share("FARGATE", 100_001, 1)), "base"),
	refusedStrategy("a negative weight", "model: CapacityProviderStrategyItem.weight", strategyOf(share("FARGATE", 0, -1)), "weight"),
	refusedStrategy("a weight above 1,000", "model: CapacityProviderStrategyItem.weight", strategyOf(share("FARGATE", 0, 1001)), "weight"),
	refusedStrategy("more than 20 items", "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/cluster-capacity-providers.html", slices.Repeat(strategyOf(share("FARGATE", 0, 1)), 21)),
	refusedStrategy("a provider that is not the cluster's", putAPI, strategyOf(share("conformance-other", 0, 1)), "associated"),
	{Name: "a strategy item needs its provider", Cite: "model: CapacityProviderStrategyItem.capacityProvider", Run: func(c *C) {
		_, err := c.putProviders(c.Cluster(), []string{"FARGATE"}, share("", 0, 1))
		c.Refused(err, "InvalidParameterException", "capacity provider")
	}},
	{Name: "weight and base may be at their limits", Cite: "model: CapacityProviderStrategyItem.weight", Run: func(c *C) {
		got, err := c.putProviders(c.Cluster(), []string{"FARGATE", "FARGATE_SPOT"}, share("FARGATE", 100_000, 1000), share("FARGATE_SPOT", 0, 0))
		c.OK(err)
		if d := got.DefaultCapacityProviderStrategy; len(d) != 2 || d[0].Base != 100_000 || d[0].Weight != 1000 {
			c.Errorf("%+v", d)
		}
	}},
	{Name: "a cluster with Fargate's providers can be deleted", Cite: "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeleteCapacityProvider.html", Run: func(c *C) {
		name := c.Cluster(func(in *ecs.CreateClusterInput) { in.CapacityProviders = []string{"FARGATE", "FARGATE_SPOT"} })
		c.awaitProviders(name)
		_, err := c.ECS.DeleteCluster(c.Ctx(), &ecs.DeleteClusterInput{Cluster: &name})
		c.OK(err)
	}},
}

// clusters lists all clusters in pages of the given size.
func (c *C) clusters(size int32) []string {
	c.Helper()
	var all []string
	pages := ecs.NewListClustersPaginator(c.ECS, &ecs.ListClustersInput{MaxResults: &size})
	for pages.HasMorePages() {
		page, err := pages.NextPage(context.Background())
		c.OK(err)
		if len(page.ClusterArns) > int(size) {
			c.Errorf("a page of %d for %d", len(page.ClusterArns), size)
		}
		all = append(all, page.ClusterArns...)
	}
	return all
}

func TestCluster(t *testing.T) { run(t, clusterCases) }
