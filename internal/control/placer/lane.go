package placer

import (
	"errors"
	"slices"
	"strings"

	"github.com/ashore/ashore/internal/control/capacity"
	"github.com/ashore/ashore/internal/ecs/definition"
	"github.com/ashore/ashore/internal/ecs/refuse"
	"github.com/ashore/ashore/internal/fleet"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// pool selects the hosts that may take a task, beside what the task needs of a host:
// those of a capacity provider, and those that offer what not every host offers. The
// zero pool is the whole cluster.
type pool struct {
	provider        string
	awsvpc, windows bool
	zone            string // empty: any
}

func poolOf(def *sdk.RegisterTaskDefinitionInput, provider string) pool {
	return pool{
		provider: provider, awsvpc: def.NetworkMode == types.NetworkModeAwsvpc,
		windows: def.RuntimePlatform != nil && definition.OnWindows(def.RuntimePlatform.OperatingSystemFamily),
	}
}

// contains reports whether a host belongs to the pool.
func (p pool) contains(i *fleet.Instance) bool {
	if p.provider != "" {
		of, belongs := i.Attribute(fleet.AttributeProvider)
		// Fargate's capacity is all hosts that belong to no other provider.
		if belongs && of != p.provider || !belongs && !capacity.IsFargate(p.provider) {
			return false
		}
	}
	return p.meetsAttributes(i)
}

// meetsAttributes reports whether a host belongs to the pool by everything but its
// capacity provider.
func (p pool) meetsAttributes(i *fleet.Instance) bool {
	if p.zone != "" {
		if z, _ := i.Attribute("ecs.availability-zone"); z != p.zone {
			return false
		}
	}
	if p.awsvpc {
		if _, ok := i.Attribute(definition.OffersAwsvpc); !ok {
			return false
		}
	}
	if p.windows {
		if os, _ := i.Attribute(definition.OSType); !strings.EqualFold(os, "windows") {
			return false
		}
	}
	return true
}

// lane is a part of a launch: its tasks have one launch type and go to the hosts of
// one pool.
type lane struct {
	pool
	launchType types.LaunchType
	name       string // the capacity provider that a strategy named
	waits      bool   // tasks that find no room wait for it
	count      int
}

// resolveLanes converts a launch type or a capacity provider strategy into lanes: how
// many tasks go where.
func (w *world) resolveLanes(l *Launch, c *fleet.Cluster, d *fleet.TaskDefinition) ([]lane, error) {
	strategy, field := l.strategy, "capacityProviderStrategy"
	if len(strategy) == 0 && l.launchType == "" {
		strategy, field = c.DefaultCapacityProviderStrategy, "defaultCapacityProviderStrategy"
	}
	if len(strategy) == 0 {
		one := lane{launchType: l.launchType, count: l.count, pool: poolOf(d.Definition, "")}
		switch one.launchType {
		case "":
			one.launchType = types.LaunchTypeEc2
		case types.LaunchTypeFargate:
			one.provider = fleet.ProviderFargate
		}
		return []lane{one}, checkCompatible(d, one.launchType)
	}
	err := capacity.Check(field, strategy, c.CapacityProviders)
	if err == nil {
		err = capacity.Usable(field, strategy)
	}
	if broken := (*capacity.Error)(nil); errors.As(err, &broken) {
		return nil, refuse.Invalid("%s", broken.Message)
	} else if err != nil {
		return nil, err
	}
	var out []lane
	for _, name := range capacity.Distribute(strategy, l.running, l.count) {
		i := slices.IndexFunc(out, func(l lane) bool { return l.name == name })
		if i >= 0 {
			out[i].count++
			continue
		}
		next := lane{name: name, count: 1, launchType: types.LaunchTypeFargate, pool: poolOf(d.Definition, name)}
		if !capacity.IsFargate(name) {
			p := w.snap.CapacityProvider(name)
			if p == nil || p.Status != types.CapacityProviderStatusActive {
				return nil, refuse.Invalid("%s: the capacity provider %s is not ACTIVE.", field, name)
			}
			next.waits = p.QueuesTasks()
			if next.launchType = types.LaunchTypeEc2; p.Managed != nil {
				next.launchType = types.LaunchTypeManagedInstances
			}
		}
		if err := checkCompatible(d, next.launchType); err != nil {
			return nil, err
		}
		out = append(out, next)
	}
	return out, nil
}

func checkCompatible(d *fleet.TaskDefinition, t types.LaunchType) error {
	if slices.Contains(d.Compatibilities, types.Compatibility(t)) {
		return nil
	}
	return refuse.Invalid("Task definition does not support launch_type %s.", t)
}

// applyTo checks what depends on the launch type, and sets the members of a task that
// follow from the lane.
func (l *lane) applyTo(o *Launch, def *sdk.RegisterTaskDefinitionInput, t *fleet.Task) error {
	t.LaunchType, t.CapacityProvider = l.launchType, l.name
	if l.launchType != types.LaunchTypeFargate {
		switch {
		case o.platform != "":
			return refuse.Invalid("The platform version must be null when specifying an %s launch type.", l.launchType)
		case o.overrides != nil && o.overrides.EphemeralStorage != nil:
			return refuse.Invalid("overrides.ephemeralStorage is only supported for tasks on FARGATE.")
		case o.network != nil && o.network.AwsvpcConfiguration.AssignPublicIp == types.AssignPublicIpEnabled:
			return refuse.Invalid("Assign public IP is not supported for this launch type.")
		}
		return nil
	}
	if len(o.constraints) > 0 {
		return refuse.Invalid("Placement constraints are not supported with FARGATE launch type.")
	}
	if len(o.strategies) > 0 {
		return refuse.Invalid("Placement strategies are not supported with FARGATE launch type.")
	}
	return definition.OnFargate(def, o.platform, t)
}
