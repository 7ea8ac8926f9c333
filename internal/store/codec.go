package store

import (
	_ "github.com/ashore/ashore/internal/aws/model/ecs" // unions and documents inside our records
	"github.com/ashore/ashore/internal/aws/protocol/awsjson"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// The SDK's types inside our records are stored by the AWS codec under their
// wire names; everything else by its own tags.
var (
	marshalers = json.WithMarshalers(json.JoinMarshalers(
		wireOut[types.ClusterSetting](), wireOut[types.ClusterConfiguration](), wireOut[types.CapacityProviderStrategyItem](),
		wireOut[types.ClusterServiceConnectDefaults](), wireOut[types.Tag](), wireOut[types.Resource](), wireOut[types.Attribute](),
		wireOut[types.TaskOverride](), wireOut[types.NetworkBinding](), wireOut[ecs.RegisterTaskDefinitionInput](),
		wireOut[types.AutoScalingGroupProvider](), wireOut[types.ManagedInstancesProvider](), wireOut[types.EphemeralStorage](),
		wireOut[types.AwsVpcConfiguration](), wireOut[types.TaskVolumeConfiguration](), wireOut[types.PlacementConstraint](),
		wireOut[types.PlacementStrategy](), wireOut[types.DeploymentConfiguration](), wireOut[types.NetworkConfiguration](),
		wireOut[types.ServiceVolumeConfiguration](),
	))
	unmarshalers = json.WithUnmarshalers(json.JoinUnmarshalers(
		wireIn[types.ClusterSetting](), wireIn[types.ClusterConfiguration](), wireIn[types.CapacityProviderStrategyItem](),
		wireIn[types.ClusterServiceConnectDefaults](), wireIn[types.Tag](), wireIn[types.Resource](), wireIn[types.Attribute](),
		wireIn[types.TaskOverride](), wireIn[types.NetworkBinding](), wireIn[ecs.RegisterTaskDefinitionInput](),
		wireIn[types.AutoScalingGroupProvider](), wireIn[types.ManagedInstancesProvider](), wireIn[types.EphemeralStorage](),
		wireIn[types.AwsVpcConfiguration](), wireIn[types.TaskVolumeConfiguration](), wireIn[types.PlacementConstraint](),
		wireIn[types.PlacementStrategy](), wireIn[types.DeploymentConfiguration](), wireIn[types.NetworkConfiguration](),
		wireIn[types.ServiceVolumeConfiguration](),
	))
)

func wireOut[T any]() *json.Marshalers {
	return json.MarshalToFunc(func(e *jsontext.Encoder, v *T) error {
		b, err := awsjson.Append(e.AvailableBuffer(), v)
		if err != nil {
			return err
		}
		return e.WriteValue(b)
	})
}

func wireIn[T any]() *json.Unmarshalers {
	return json.UnmarshalFromFunc(func(d *jsontext.Decoder, v *T) error {
		b, err := d.ReadValue()
		if err != nil {
			return err
		}
		return awsjson.Unmarshal(b, v)
	})
}

func marshal(v any) ([]byte, error) { return json.Marshal(v, marshalers) }

func unmarshal(data []byte, v any) error { return json.Unmarshal(data, v, unmarshalers) }
