package placer

import (
	"github.com/ashore/ashore/internal/ecs/definition"
	"github.com/ashore/ashore/internal/ecs/lookup"
	"github.com/ashore/ashore/internal/ecs/refuse"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// CheckService checks that tasks of a service's revision can be created at all, as
// RunTask does for its tasks. It returns the platform family that Fargate has for
// them, or "".
func (p *Placer) CheckService(tx *store.Tx, svc *fleet.Service, rev *fleet.ServiceRevision, d *fleet.TaskDefinition) (platformFamily string, err error) {
	def := d.Definition
	if err := definition.CheckNetwork(rev.Network); err != nil {
		return "", err
	}
	if n := len(svc.Constraints) + len(def.PlacementConstraints); n > maxConstraints {
		return "", refuse.Invalid("placementConstraints: a task can have at most %d constraints, not %d, the task definition's included.", maxConstraints, n)
	}
	l := &Launch{
		cluster: &svc.Cluster, platform: rev.PlatformVersion, strategies: svc.Strategies, constraints: svc.Constraints,
		network: rev.Network, volumes: taskVolumes(rev.Volumes), group: fleet.ServiceGroup(svc.Name), caller: svc.CreatedBy,
	}
	round := newRound(p, tx)
	task, err := newBatch(round, l, svc.Cluster).newTask(d, nil)
	if err != nil {
		return "", err
	}
	for _, in := range lanesOf(tx.Snapshot(), rev, def) {
		if svc.Scheduling == types.SchedulingStrategyDaemon && in.launchType == types.LaunchTypeFargate {
			return "", refuse.Invalid("The daemon scheduling strategy is not supported with FARGATE launch type.")
		}
		t := task
		if err := checkCompatible(d, in.launchType); err != nil {
			return "", err
		}
		if err := in.applyTo(l, def, &t); err != nil {
			return "", err
		}
		if t.PlatformFamily != "" {
			platformFamily = t.PlatformFamily
		}
	}
	// Hosts that offer what the tasks need may come later.
	return platformFamily, round.checkServable(svc.Cluster, d, nil, pool{})
}

// lanesOf returns the lanes that tasks of a service's revision may take.
func lanesOf(snap *store.Snapshot, rev *fleet.ServiceRevision, def *sdk.RegisterTaskDefinitionInput) []lane {
	if t := rev.LaunchType; t != "" {
		l := lane{launchType: t, pool: poolOf(def, "")}
		if t == types.LaunchTypeFargate {
			l.provider = fleet.ProviderFargate
		}
		return []lane{l}
	}
	var out []lane
	for _, item := range rev.CapacityProviders {
		name := *item.CapacityProvider
		out = append(out, lane{name: name, launchType: lookup.ProviderLaunchType(snap, name), pool: poolOf(def, name)})
	}
	return out
}

// taskVolumes converts a service's volume configurations into those of each of its
// tasks. They are the same, except that a task's configuration also says whether the
// volume ends with the task.
func taskVolumes(in []types.ServiceVolumeConfiguration) []types.TaskVolumeConfiguration {
	var out []types.TaskVolumeConfiguration
	for _, v := range in {
		t := types.TaskVolumeConfiguration{Name: v.Name}
		if m := v.ManagedEBSVolume; m != nil {
			t.ManagedEBSVolume = &types.TaskManagedEBSVolumeConfiguration{
				RoleArn: m.RoleArn, Encrypted: m.Encrypted, FilesystemType: m.FilesystemType, Iops: m.Iops, KmsKeyId: m.KmsKeyId,
				SizeInGiB: m.SizeInGiB, SnapshotId: m.SnapshotId, TagSpecifications: m.TagSpecifications, Throughput: m.Throughput,
				VolumeInitializationRate: m.VolumeInitializationRate, VolumeType: m.VolumeType,
			}
		}
		out = append(out, t)
	}
	return out
}
