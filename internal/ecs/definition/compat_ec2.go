package definition

import (
	"slices"

	"github.com/ashore/ashore/internal/ecs/refuse"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

func ec2Refusal(def *sdk.RegisterTaskDefinitionInput) error {
	if requires(def, types.ResourceTypeNeuronDevice) {
		return refuse.Client("EC2 does not support resourceRequirements of the type NeuronDevice: only managed instances do.")
	}
	return nil
}

func externalRefusal(def *sdk.RegisterTaskDefinitionInput) error {
	switch {
	case def.NetworkMode == types.NetworkModeAwsvpc:
		return refuse.Client("External does not support network mode 'awsvpc'.")
	case hasVolume(def, func(v *types.Volume) bool { return v.EfsVolumeConfiguration != nil }):
		return refuse.Client("External does not support EFS volumes.")
	case hasVolume(def, func(v *types.Volume) bool { return v.FsxWindowsFileServerVolumeConfiguration != nil }):
		return refuse.Client("External does not support FSx volumes.")
	case hasVolume(def, func(v *types.Volume) bool { return v.S3filesVolumeConfiguration != nil }):
		return refuse.Client("External does not support S3 Files volumes.")
	case hasVolume(def, func(v *types.Volume) bool { return aws.ToBool(v.ConfiguredAtLaunch) }):
		return refuse.Client("External does not support volumes configured at launch.")
	case def.ProxyConfiguration != nil:
		return refuse.Client("External does not support 'proxyConfiguration'.")
	case len(def.InferenceAccelerators) > 0:
		return refuse.Client("External does not support 'inferenceAccelerators'.")
	case def.EphemeralStorage != nil:
		return refuse.Client("External does not support 'ephemeralStorage'.")
	case aws.ToBool(def.EnableFaultInjection):
		return refuse.Client("External does not support 'enableFaultInjection'.")
	case requires(def, types.ResourceTypeNeuronDevice):
		return refuse.Client("External does not support resourceRequirements of the type NeuronDevice.")
	}
	for i := range def.ContainerDefinitions {
		c := &def.ContainerDefinitions[i]
		if slices.ContainsFunc(c.ResourceRequirements, func(r types.ResourceRequirement) bool { return r.SharingStrategy != nil }) {
			return refuse.Client("External does not support GPU sharing: 'resourceRequirements.sharingStrategy' of container '%s'.", aws.ToString(c.Name))
		}
		// It is for Service Connect.
		if slices.ContainsFunc(c.PortMappings, func(p types.PortMapping) bool { return p.AppProtocol != "" }) {
			return refuse.Client("External does not support Service Connect: 'portMappings.appProtocol' of container '%s'.", aws.ToString(c.Name))
		}
	}
	return nil
}

func hasVolume(def *sdk.RegisterTaskDefinitionInput, is func(*types.Volume) bool) bool {
	return slices.ContainsFunc(def.Volumes, func(v types.Volume) bool { return is(&v) })
}

// requires reports whether a container needs a resource of the type.
func requires(def *sdk.RegisterTaskDefinitionInput, typ types.ResourceType) bool {
	return slices.ContainsFunc(def.ContainerDefinitions, func(c types.ContainerDefinition) bool {
		return requiresOf(&c, typ)
	})
}
