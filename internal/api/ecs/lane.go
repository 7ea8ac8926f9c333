package ecs

import (
	"errors"
	"slices"
	"strings"

	"github.com/ashore/ashore/internal/control/capacity"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// Attributes by which hosts say what they offer.
const (
	offersAwsvpc = "ashore.network-mode.awsvpc"
	osType       = "ecs.os-type"
)

// pool says which hosts may take a task, apart from what it needs of them: those
// of a capacity provider, and those that offer what not every host does. The
// zero pool is the whole cluster.
type pool struct {
	provider        string
	awsvpc, windows bool
	zone            string // empty: any
}

func poolOf(def *sdk.RegisterTaskDefinitionInput, provider string) pool {
	return pool{
		provider: provider, awsvpc: def.NetworkMode == types.NetworkModeAwsvpc,
		windows: def.RuntimePlatform != nil && windows(def.RuntimePlatform.OperatingSystemFamily),
	}
}

func (p pool) has(i *fleet.Instance) bool {
	if p.provider != "" {
		of, belongs := i.Attribute(fleet.AttributeProvider)
		// Fargate's capacity is whatever belongs to nobody else.
		if belongs && of != p.provider || !belongs && !capacity.IsFargate(p.provider) {
			return false
		}
	}
	return p.offers(i)
}

// offers leaves out whose host it is.
func (p pool) offers(i *fleet.Instance) bool {
	if p.zone != "" {
		if z, _ := i.Attribute("ecs.availability-zone"); z != p.zone {
			return false
		}
	}
	if p.awsvpc {
		if _, ok := i.Attribute(offersAwsvpc); !ok {
			return false
		}
	}
	if p.windows {
		if os, _ := i.Attribute(osType); !strings.EqualFold(os, "windows") {
			return false
		}
	}
	return true
}

// lane is where a part of a launch goes: with one launch type to the hosts of
// one pool.
type lane struct {
	pool
	launchType types.LaunchType
	name       string // of the capacity provider that a strategy named
	waits      bool   // tasks without room wait for it
	count      int
}

// lanes resolves a launch type or a capacity provider strategy: how many tasks
// go where.
func (r *round) lanes(o *order, c *fleet.Cluster, d *fleet.TaskDefinition) ([]lane, error) {
	strategy, field := o.strategy, "capacityProviderStrategy"
	if len(strategy) == 0 && o.launchType == "" {
		strategy, field = c.DefaultCapacityProviderStrategy, "defaultCapacityProviderStrategy"
	}
	if len(strategy) == 0 {
		l := lane{launchType: o.launchType, count: o.count, pool: poolOf(d.Definition, "")}
		switch l.launchType {
		case "":
			l.launchType = types.LaunchTypeEc2
		case types.LaunchTypeFargate:
			l.provider = fleet.ProviderFargate
		}
		return []lane{l}, suits(d, l.launchType)
	}
	err := capacity.Check(field, strategy, c.CapacityProviders)
	if err == nil {
		err = capacity.Usable(field, strategy)
	}
	if broken := (*capacity.Error)(nil); errors.As(err, &broken) {
		return nil, invalid("%s", broken.Message)
	} else if err != nil {
		return nil, err
	}
	var out []lane
	for _, name := range capacity.Distribute(strategy, o.running, o.count) {
		i := slices.IndexFunc(out, func(l lane) bool { return l.name == name })
		if i >= 0 {
			out[i].count++
			continue
		}
		l := lane{name: name, count: 1, launchType: types.LaunchTypeFargate, pool: poolOf(d.Definition, name)}
		if !capacity.IsFargate(name) {
			p := r.snap.CapacityProvider(name)
			if p == nil || p.Status != types.CapacityProviderStatusActive {
				return nil, invalid("%s: the capacity provider %s is not ACTIVE.", field, name)
			}
			l.waits = p.Waits()
			if l.launchType = types.LaunchTypeEc2; p.Managed != nil {
				l.launchType = types.LaunchTypeManagedInstances
			}
		}
		if err := suits(d, l.launchType); err != nil {
			return nil, err
		}
		out = append(out, l)
	}
	return out, nil
}

func suits(d *fleet.TaskDefinition, t types.LaunchType) error {
	if slices.Contains(d.Compatibilities, types.Compatibility(t)) {
		return nil
	}
	return invalid("Task definition does not support launch_type %s.", t)
}

// fits checks what depends on the launch type, and sets what a task of the lane
// shows of it.
func (l *lane) fits(o *order, def *sdk.RegisterTaskDefinitionInput, t *fleet.Task) error {
	t.LaunchType, t.CapacityProvider = l.launchType, l.name
	if l.launchType != types.LaunchTypeFargate {
		switch {
		case o.platform != "":
			return invalid("The platform version must be null when specifying an %s launch type.", l.launchType)
		case o.overrides != nil && o.overrides.EphemeralStorage != nil:
			return invalid("overrides.ephemeralStorage is only supported for tasks on FARGATE.")
		case o.network != nil && o.network.AwsvpcConfiguration.AssignPublicIp == types.AssignPublicIpEnabled:
			return invalid("Assign public IP is not supported for this launch type.")
		}
		return nil
	}
	if len(o.constraints) > 0 {
		return invalid("Placement constraints are not supported with FARGATE launch type.")
	}
	if len(o.strategies) > 0 {
		return invalid("Placement strategies are not supported with FARGATE launch type.")
	}
	return onFargate(o, def, t)
}

// onFargate checks a task's size and platform as Fargate offers them.
func onFargate(o *order, def *sdk.RegisterTaskDefinitionInput, t *fleet.Task) error {
	cpu, memory, err := taskSize(def, t.Overrides)
	if err != nil {
		return err
	}
	if !fargateOffers(cpu, memory) {
		return invalid("No Fargate configuration exists for given values: %d CPU, %d memory. See the Amazon ECS documentation for the valid values.", cpu, memory)
	}
	versions := []string{"1.4.0", "1.3.0"}
	t.PlatformFamily = "Linux"
	if def.RuntimePlatform != nil && windows(def.RuntimePlatform.OperatingSystemFamily) {
		versions = []string{"1.0.0"}
		t.PlatformFamily = string(def.RuntimePlatform.OperatingSystemFamily)
	}
	switch {
	case o.platform == "" || o.platform == "LATEST":
		t.PlatformVersion = versions[0]
	case slices.Contains(versions, o.platform):
		t.PlatformVersion = o.platform
	default:
		return &types.PlatformUnknownException{Message: aws.String("The specified platform version does not exist: platformVersion must be LATEST or one of " +
			strings.Join(versions, ", ") + " for " + t.PlatformFamily + ", not " + o.platform + ".")}
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

// fargateOffers says whether Fargate has tasks of that many CPU units and MiB.
func fargateOffers(cpu, memory int) bool {
	return fargateMemory[cpu].has(memory)
}

// validAwsvpc checks the network configuration against the definition's network
// mode.
func validAwsvpc(def *sdk.RegisterTaskDefinitionInput, n *types.NetworkConfiguration) error {
	switch awsvpc := def.NetworkMode == types.NetworkModeAwsvpc; {
	case awsvpc && n == nil:
		return invalid("Network Configuration must be provided when networkMode 'awsvpc' is specified.")
	case !awsvpc && n != nil:
		return invalid("Network Configuration is not valid for the given networkMode of this task definition.")
	}
	return nil
}

// validVolumeConfigurations checks what is configured at launch: each volume that
// the definition leaves to be, and no other.
func validVolumeConfigurations(def *sdk.RegisterTaskDefinitionInput, vs []types.TaskVolumeConfiguration) error {
	if len(vs) > 1 {
		return invalid("volumeConfigurations can have at most 1 entry, not %d.", len(vs))
	}
	open := func(name string) bool {
		return slices.ContainsFunc(def.Volumes, func(v types.Volume) bool {
			return aws.ToString(v.Name) == name && aws.ToBool(v.ConfiguredAtLaunch)
		})
	}
	for _, v := range vs {
		name := aws.ToString(v.Name)
		if !open(name) {
			return invalid("volumeConfigurations: %q is not a volume of the task definition that is configuredAtLaunch.", name)
		}
		if err := validEBS(name, v.ManagedEBSVolume); err != nil {
			return err
		}
	}
	for _, v := range def.Volumes {
		name := aws.ToString(v.Name)
		given := slices.ContainsFunc(vs, func(c types.TaskVolumeConfiguration) bool { return aws.ToString(c.Name) == name })
		if aws.ToBool(v.ConfiguredAtLaunch) && !given {
			return invalid("volumeConfigurations: the volume %s of the task definition is configuredAtLaunch, so it must be configured.", name)
		}
	}
	return nil
}

func validEBS(volume string, c *types.TaskManagedEBSVolumeConfiguration) error {
	if c == nil {
		return invalid("volumeConfigurations: managedEBSVolume of volume %s can not be blank.", volume)
	}
	switch {
	case aws.ToString(c.RoleArn) == "":
		return invalid("volumeConfigurations: managedEBSVolume.roleArn of volume %s can not be blank.", volume)
	case c.SizeInGiB == nil && aws.ToString(c.SnapshotId) == "":
		return invalid("volumeConfigurations: managedEBSVolume of volume %s needs a sizeInGiB or a snapshotId.", volume)
	case c.SizeInGiB != nil && (*c.SizeInGiB < 1 || *c.SizeInGiB > 16384):
		return invalid("volumeConfigurations: managedEBSVolume.sizeInGiB of volume %s must be between 1 and 16384, not %d.", volume, *c.SizeInGiB)
	case c.Throughput != nil && (*c.Throughput < 1 || *c.Throughput > 1000):
		return invalid("volumeConfigurations: managedEBSVolume.throughput of volume %s must be between 1 and 1000, not %d.", volume, *c.Throughput)
	}
	return nil
}
