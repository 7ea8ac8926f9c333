package ecs_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ashore/ashore/internal/api/apitest"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

func TestClusters(t *testing.T) {
	a := apitest.Start(t)
	ctx, c := t.Context(), a.Client
	out := apitest.Must[*sdk.CreateClusterOutput](t)(c.CreateCluster(ctx, &sdk.CreateClusterInput{
		ClusterName: aws.String("one"), Tags: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}},
		Settings: []types.ClusterSetting{{Name: types.ClusterSettingNameContainerInsights, Value: aws.String("enabled")}},
	})).Cluster
	if *out.ClusterArn != apitest.Site.ClusterARN("one") || *out.Status != "ACTIVE" || *out.Settings[0].Value != "enabled" || len(out.Tags) != 1 {
		t.Errorf("created: %+v", out)
	}
	again := apitest.Must[*sdk.CreateClusterOutput](t)(c.CreateCluster(ctx, &sdk.CreateClusterInput{ClusterName: aws.String("one")})).Cluster
	if *again.Settings[0].Value != "enabled" {
		t.Errorf("creating again changed it: %+v", again)
	}

	plain := apitest.Must[*sdk.DescribeClustersOutput](t)(c.DescribeClusters(ctx, &sdk.DescribeClustersInput{Clusters: []string{"one", *out.ClusterArn, "two", "arn:aws:ecs:eu-west-1:1:cluster/one"}}))
	if len(plain.Clusters) != 2 || len(plain.Failures) != 2 || len(plain.Clusters[0].Settings) != 0 || len(plain.Clusters[0].Tags) != 0 {
		t.Errorf("described: %+v", plain)
	}
	if f := plain.Failures[0]; *f.Arn != apitest.Site.ClusterARN("two") || *f.Reason != "MISSING" {
		t.Errorf("failure: %+v", f)
	}
	full := apitest.Must[*sdk.DescribeClustersOutput](t)(c.DescribeClusters(ctx, &sdk.DescribeClustersInput{
		Clusters: []string{"one"}, Include: types.ClusterField("").Values(),
	})).Clusters[0]
	if len(full.Settings) != 1 || len(full.Tags) != 1 || len(full.Statistics) == 0 {
		t.Errorf("included: %+v", full)
	}
	// Without names the default cluster is meant, here or not.
	if d := apitest.Must[*sdk.DescribeClustersOutput](t)(c.DescribeClusters(ctx, &sdk.DescribeClustersInput{})); len(d.Failures) != 1 || *d.Failures[0].Arn != apitest.Site.ClusterARN("default") {
		t.Errorf("default: %+v", d)
	}

	gone := apitest.Must[*sdk.DeleteClusterOutput](t)(c.DeleteCluster(ctx, &sdk.DeleteClusterInput{Cluster: aws.String("one")})).Cluster
	if *gone.Status != "INACTIVE" {
		t.Errorf("deleted: %+v", gone)
	}
	apitest.Must[*sdk.DeleteClusterOutput](t)(c.DeleteCluster(ctx, &sdk.DeleteClusterInput{Cluster: aws.String("one")}))
	if l := apitest.Must[*sdk.ListClustersOutput](t)(c.ListClusters(ctx, &sdk.ListClustersInput{})); len(l.ClusterArns) != 0 {
		t.Errorf("listed after deletion: %v", l.ClusterArns)
	}
	if d := apitest.Must[*sdk.DescribeClustersOutput](t)(c.DescribeClusters(ctx, &sdk.DescribeClustersInput{Clusters: []string{"one"}})); *d.Clusters[0].Status != "INACTIVE" {
		t.Errorf("described after deletion: %+v", d)
	}
	_, err := c.ListTasks(ctx, &sdk.ListTasksInput{Cluster: aws.String("one")})
	apitest.WantError[*types.InvalidParameterException](t, err, "inactive")
	apitest.CreateCluster(t, a, "one")
	if d := apitest.Must[*sdk.DescribeClustersOutput](t)(c.DescribeClusters(ctx, &sdk.DescribeClustersInput{Clusters: []string{"one"}})); *d.Clusters[0].Status != "ACTIVE" {
		t.Errorf("made again: %+v", d)
	}
}

func TestClusterRefusals(t *testing.T) {
	a := apitest.Start(t)
	ctx, c := t.Context(), a.Client
	_, err := c.DeleteCluster(ctx, &sdk.DeleteClusterInput{Cluster: aws.String("none")})
	apitest.WantError[*types.ClusterNotFoundException](t, err, "Cluster not found.")
	_, err = c.CreateCluster(ctx, &sdk.CreateClusterInput{ClusterName: aws.String("a b")})
	apitest.WantError[*types.InvalidParameterException](t, err, "clusterName")
	_, err = c.CreateCluster(ctx, &sdk.CreateClusterInput{ClusterName: aws.String("a/task/b")})
	apitest.WantError[*types.InvalidParameterException](t, err, "clusterName")
	_, err = c.ListTasks(ctx, &sdk.ListTasksInput{Cluster: aws.String("none/instance")})
	apitest.WantError[*types.ClusterNotFoundException](t, err, "Cluster not found.")
	_, err = c.CreateCluster(ctx, &sdk.CreateClusterInput{Tags: []types.Tag{{Key: aws.String("aws:x")}}})
	apitest.WantError[*types.InvalidParameterException](t, err, "reserved")

	apitest.CreateCluster(t, a, "busy")
	a.Register("h", "busy")
	_, err = c.DeleteCluster(ctx, &sdk.DeleteClusterInput{Cluster: aws.String("busy")})
	apitest.WantError[*types.ClusterContainsContainerInstancesException](t, err, "while Container Instances are active or draining")
}

func TestPages(t *testing.T) {
	a := apitest.Start(t)
	ctx, c := t.Context(), a.Client
	want := []string{}
	for i := range 7 {
		name := fmt.Sprint("c", i)
		apitest.CreateCluster(t, a, name)
		want = append(want, apitest.Site.ClusterARN(name))
	}
	for size := int32(1); size <= 8; size++ {
		var got []string
		var token *string
		for {
			out := apitest.Must[*sdk.ListClustersOutput](t)(c.ListClusters(ctx, &sdk.ListClustersInput{MaxResults: aws.Int32(size), NextToken: token}))
			if len(out.ClusterArns) > int(size) {
				t.Fatalf("a page of %d for %d", len(out.ClusterArns), size)
			}
			got = append(got, out.ClusterArns...)
			if token = out.NextToken; token == nil {
				break
			}
		}
		if strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("pages of %d: %v", size, got)
		}
	}
	for _, n := range []int32{0, 101, -1} {
		_, err := c.ListClusters(ctx, &sdk.ListClustersInput{MaxResults: aws.Int32(n)})
		apitest.WantError[*types.InvalidParameterException](t, err, "maxResults must be between 1 and 100")
	}
	first := apitest.Must[*sdk.ListClustersOutput](t)(c.ListClusters(ctx, &sdk.ListClustersInput{MaxResults: aws.Int32(1)}))
	for _, token := range []string{"x", "!!", *first.NextToken + "!"} {
		_, err := c.ListClusters(ctx, &sdk.ListClustersInput{NextToken: aws.String(token)})
		apitest.WantError[*types.InvalidParameterException](t, err, "Invalid token")
	}
	// A token is good for the listing that gave it only.
	_, err := c.ListTaskDefinitions(ctx, &sdk.ListTaskDefinitionsInput{NextToken: first.NextToken})
	apitest.WantError[*types.InvalidParameterException](t, err, "Invalid token")
}
