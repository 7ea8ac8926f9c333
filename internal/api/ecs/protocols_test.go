package ecs_test

import (
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/schemas"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/aws/smithy-go/transport/http/protocol/awsjson"
	"github.com/aws/smithy-go/transport/http/protocol/awsquery"
	"github.com/aws/smithy-go/transport/http/protocol/rpcv2"

	"github.com/ashore/ashore/internal/api/apitest"
)

// Which protocol a client speaks makes no difference: the SDK's client gets the
// same answers and the same errors in each.
func TestEveryProtocol(t *testing.T) {
	a := apitest.Start(t)
	api := schemas.AmazonEC2ContainerServiceV20141113
	for name, p := range map[string]smithyhttp.ClientProtocol{
		"json11": awsjson.New11(api), "json10": awsjson.New10(api), "query": awsquery.New(api), "cbor": rpcv2.NewCBOR(api),
	} {
		t.Run(name, func(t *testing.T) {
			speak := func(o *ecs.Options) { o.Protocol = p }
			made, err := a.Client.CreateCluster(t.Context(), &ecs.CreateClusterInput{
				ClusterName: &name, Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("é b: c+d")}},
			}, speak)
			if err != nil {
				t.Fatal(err)
			}
			got, err := a.Client.DescribeClusters(t.Context(), &ecs.DescribeClustersInput{
				Clusters: []string{name, "none"}, Include: []types.ClusterField{types.ClusterFieldTags},
			}, speak)
			if err != nil {
				t.Fatal(err)
			}
			if len(got.Clusters) != 1 || *got.Clusters[0].ClusterArn != *made.Cluster.ClusterArn || len(got.Clusters[0].Tags) != 1 || *got.Clusters[0].Tags[0].Value != "é b: c+d" {
				t.Errorf("made %+v, described %+v", made.Cluster, got.Clusters)
			}
			if len(got.Failures) != 1 || *got.Failures[0].Reason != "MISSING" {
				t.Errorf("failures %+v", got.Failures)
			}
			_, err = a.Client.ListTasks(t.Context(), &ecs.ListTasksInput{Cluster: aws.String("none")}, speak)
			var missing *types.ClusterNotFoundException
			if !errors.As(err, &missing) || missing.ErrorMessage() != "Cluster not found." {
				t.Errorf("of a cluster that is not there: %v", err)
			}
		})
	}
}
