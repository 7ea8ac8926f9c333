package definition

import (
	"slices"
	"strings"

	"github.com/ashore/ashore/internal/ecs/refuse"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// OnFargate checks a task's size and platform version by what Fargate offers, and
// sets what the task shows of them. An empty version means the newest.
func OnFargate(def *sdk.RegisterTaskDefinitionInput, platform string, t *fleet.Task) error {
	cpu, memory, err := TaskSize(def, t.Overrides)
	if err != nil {
		return err
	}
	if !fargateOffers(cpu, memory) {
		return refuse.Invalid("No Fargate configuration exists for given values: %d CPU, %d memory. See the Amazon ECS documentation for the valid values.", cpu, memory)
	}
	versions := []string{"1.4.0", "1.3.0"}
	t.PlatformFamily = "Linux"
	if def.RuntimePlatform != nil && OnWindows(def.RuntimePlatform.OperatingSystemFamily) {
		versions = []string{"1.0.0"}
		t.PlatformFamily = string(def.RuntimePlatform.OperatingSystemFamily)
	}
	switch {
	case platform == "" || platform == "LATEST":
		t.PlatformVersion = versions[0]
	case slices.Contains(versions, platform):
		t.PlatformVersion = platform
	default:
		return &types.PlatformUnknownException{Message: aws.String("The specified platform version does not exist: platformVersion must be LATEST or one of " +
			strings.Join(versions, ", ") + " for " + t.PlatformFamily + ", not " + platform + ".")}
	}
	t.EphemeralStorage = &types.EphemeralStorage{SizeInGiB: 20}
	switch {
	case t.Overrides != nil && t.Overrides.EphemeralStorage != nil:
		t.EphemeralStorage = t.Overrides.EphemeralStorage
	case def.EphemeralStorage != nil:
		t.EphemeralStorage = def.EphemeralStorage
	}
	if t.EphemeralStorage.SizeInGiB != 20 && t.PlatformVersion == "1.3.0" {
		return &types.PlatformTaskDefinitionIncompatibilityException{Message: aws.String("ephemeralStorage needs platformVersion 1.4.0 or later, not 1.3.0.")}
	}
	return nil
}

// fargateOffers reports whether Fargate offers a task of this size, in CPU units and
// MiB.
func fargateOffers(cpu, memory int) bool {
	return fargateMemory[cpu].has(memory)
}

// CheckNetworkMode checks the network configuration against the definition's network
// mode.
func CheckNetworkMode(def *sdk.RegisterTaskDefinitionInput, n *types.NetworkConfiguration) error {
	switch awsvpc := def.NetworkMode == types.NetworkModeAwsvpc; {
	case awsvpc && n == nil:
		return refuse.Invalid("Network Configuration must be provided when networkMode 'awsvpc' is specified.")
	case !awsvpc && n != nil:
		return refuse.Invalid("Network Configuration is not valid for the given networkMode of this task definition.")
	}
	return nil
}

// CheckNetwork checks a network configuration as far as that is possible without the
// definition.
func CheckNetwork(n *types.NetworkConfiguration) error {
	if n == nil {
		return nil
	}
	c := n.AwsvpcConfiguration
	switch {
	case c == nil:
		return refuse.Invalid("networkConfiguration.awsvpcConfiguration can not be blank.")
	case len(c.Subnets) == 0:
		return refuse.Invalid("subnets can not be empty.")
	case len(c.Subnets) > 16:
		return refuse.Invalid("subnets can have at most 16 items, not %d.", len(c.Subnets))
	case len(c.SecurityGroups) > 5:
		return refuse.Invalid("securityGroups can have at most 5 items, not %d.", len(c.SecurityGroups))
	case slices.Contains(c.Subnets, ""):
		return refuse.Invalid("subnets: a subnet's id can not be blank.")
	case slices.Contains(c.SecurityGroups, ""):
		return refuse.Invalid("securityGroups: a security group's id can not be blank.")
	}
	return nil
}

// CheckVolumes checks the volumes that are configured at launch: each volume that the
// definition leaves to the launch, and no other.
func CheckVolumes(def *sdk.RegisterTaskDefinitionInput, vs []types.TaskVolumeConfiguration) error {
	if len(vs) > 1 {
		return refuse.Invalid("volumeConfigurations can have at most 1 entry, not %d.", len(vs))
	}
	open := func(name string) bool {
		return slices.ContainsFunc(def.Volumes, func(v types.Volume) bool {
			return aws.ToString(v.Name) == name && aws.ToBool(v.ConfiguredAtLaunch)
		})
	}
	for _, v := range vs {
		name := aws.ToString(v.Name)
		if !open(name) {
			return refuse.Invalid("volumeConfigurations: %q is not a volume of the task definition that is configuredAtLaunch.", name)
		}
		if err := checkEBS(name, v.ManagedEBSVolume); err != nil {
			return err
		}
	}
	for _, v := range def.Volumes {
		name := aws.ToString(v.Name)
		given := slices.ContainsFunc(vs, func(c types.TaskVolumeConfiguration) bool { return aws.ToString(c.Name) == name })
		if aws.ToBool(v.ConfiguredAtLaunch) && !given {
			return refuse.Invalid("volumeConfigurations: the volume %s of the task definition is configuredAtLaunch, so it must be configured.", name)
		}
	}
	return nil
}

func checkEBS(volume string, c *types.TaskManagedEBSVolumeConfiguration) error {
	if c == nil {
		return refuse.Invalid("volumeConfigurations: managedEBSVolume of volume %s can not be blank.", volume)
	}
	switch {
	case aws.ToString(c.RoleArn) == "":
		return refuse.Invalid("volumeConfigurations: managedEBSVolume.roleArn of volume %s can not be blank.", volume)
	case c.SizeInGiB == nil && aws.ToString(c.SnapshotId) == "":
		return refuse.Invalid("volumeConfigurations: managedEBSVolume of volume %s needs a sizeInGiB or a snapshotId.", volume)
	case c.SizeInGiB != nil && (*c.SizeInGiB < 1 || *c.SizeInGiB > 16384):
		return refuse.Invalid("volumeConfigurations: managedEBSVolume.sizeInGiB of volume %s must be between 1 and 16384, not %d.", volume, *c.SizeInGiB)
	case c.Throughput != nil && (*c.Throughput < 1 || *c.Throughput > 1000):
		return refuse.Invalid("volumeConfigurations: managedEBSVolume.throughput of volume %s must be between 1 and 1000, not %d.", volume, *c.Throughput)
	}
	return nil
}
