package ecs

import (
	"strconv"
	"time"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// taskOut describes a task as ECS does.
func (s *Service) taskOut(snap *store.Snapshot, t *fleet.TaskState, tags bool) types.Task {
	arn := s.site.TaskARN(t.Cluster, t.ID)
	out := types.Task{
		TaskArn: aws.String(arn), ClusterArn: aws.String(s.site.ClusterARN(t.Cluster)),
		TaskDefinitionArn: aws.String(s.site.TaskDefinitionARN(t.Family, t.Revision)),
		LastStatus:        aws.String(string(t.Status())), DesiredStatus: aws.String(string(t.Desired())),
		LaunchType: t.LaunchType, CreatedAt: aws.Time(t.CreatedAt), Group: text(t.Group), StartedBy: text(t.StartedBy),
		Cpu: aws.String(strconv.Itoa(t.Reserve.CPU)), Memory: aws.String(strconv.Itoa(t.Reserve.Memory)),
		EnableExecuteCommand: t.EnableExecuteCommand, HealthStatus: types.HealthStatusUnknown, Version: 1,
		Attachments: []types.Attachment{}, Attributes: []types.Attribute{}, Tags: []types.Tag{},
		InferenceAccelerators: []types.InferenceAccelerator{},
	}
	if t.Instance != "" {
		out.ContainerInstanceArn = aws.String(s.site.InstanceARN(t.Cluster, t.Instance))
	}
	out.CapacityProviderName, out.PlatformVersion, out.PlatformFamily = text(t.CapacityProvider), text(t.PlatformVersion), text(t.PlatformFamily)
	if e := t.EphemeralStorage; e != nil {
		out.EphemeralStorage = e
		out.FargateEphemeralStorage = &types.TaskEphemeralStorage{SizeInGiB: e.SizeInGiB}
	}
	if tags {
		out.Tags = orEmpty(t.CurrentTags())
	}
	if i := snap.Instance(t.Cluster, t.Instance); i != nil {
		if v, ok := i.Attribute("ecs.cpu-architecture"); ok {
			out.Attributes = append(out.Attributes, types.Attribute{Name: aws.String("ecs.cpu-architecture"), Value: aws.String(v)})
		}
		if v, ok := i.Attribute("ecs.availability-zone"); ok {
			out.AvailabilityZone = aws.String(v)
		}
	}
	if t.Stop != nil {
		out.StopCode, out.StoppedReason, out.StoppingAt = t.Stop.Code, text(t.Stop.Reason), aws.Time(t.Stop.At)
		out.Version++
	}
	if r := t.Report; r != nil {
		out.Version += r.Version
		out.Connectivity = types.ConnectivityDisconnected
		if c := snap.Session(t.Cluster, t.Instance); c != nil {
			out.Connectivity, out.ConnectivityAt = types.ConnectivityConnected, aws.Time(c.ConnectedAt)
		}
		out.PullStartedAt, out.PullStoppedAt, out.StartedAt = when(r.PullStartedAt), when(r.PullStoppedAt), when(r.StartedAt)
		out.ExecutionStoppedAt, out.StoppedAt = when(r.ExecutionStoppedAt), when(r.StoppedAt)
		if out.StoppingAt == nil {
			out.StoppingAt = when(r.StoppingAt)
		}
		if r.Status == fleet.TaskStopped {
			out.StopCode, out.StoppedReason = r.StopCode, text(r.Reason)
		}
	}
	out.Overrides = overridesOut(t.Task)
	d, _ := snap.TaskDefinition(t.Family, t.Revision)
	for _, tc := range t.Containers {
		out.Containers = append(out.Containers, s.containerOut(t, d, tc, arn))
	}
	out.Containers = orEmpty(out.Containers)
	return out
}

// overridesOut lists every container, as ECS does, also those without overrides.
func overridesOut(t *fleet.Task) *types.TaskOverride {
	out := types.TaskOverride{}
	if t.Overrides != nil {
		out = *t.Overrides
	}
	out.InferenceAcceleratorOverrides = orEmpty(out.InferenceAcceleratorOverrides)
	out.ContainerOverrides = nil
	for _, c := range t.Containers {
		if o := containerOverride(t.Overrides, c.Name); o != nil {
			out.ContainerOverrides = append(out.ContainerOverrides, *o)
		} else {
			out.ContainerOverrides = append(out.ContainerOverrides, types.ContainerOverride{Name: aws.String(c.Name)})
		}
	}
	out.ContainerOverrides = orEmpty(out.ContainerOverrides)
	return &out
}

func (s *Service) containerOut(t *fleet.TaskState, d *fleet.TaskDefinition, tc fleet.TaskContainer, arn string) types.Container {
	out := types.Container{
		ContainerArn: aws.String(s.site.ContainerARN(t.Cluster, t.ID, tc.ID)), TaskArn: aws.String(arn), Name: aws.String(tc.Name),
		LastStatus: aws.String(string(fleet.TaskPending)), HealthStatus: types.HealthStatusUnknown,
		NetworkBindings: []types.NetworkBinding{}, NetworkInterfaces: []types.NetworkInterface{}, Cpu: aws.String("0"),
	}
	if t.Status() == fleet.TaskStopped {
		out.LastStatus = aws.String(string(fleet.TaskStopped))
	}
	if d != nil {
		for i := range d.Definition.ContainerDefinitions {
			c := &d.Definition.ContainerDefinitions[i]
			if aws.ToString(c.Name) == tc.Name {
				containerSize(&out, c, containerOverride(t.Overrides, tc.Name))
			}
		}
	}
	if t.Report == nil {
		return out
	}
	for i := range t.Report.Containers {
		r := &t.Report.Containers[i]
		if r.Name != tc.Name {
			continue
		}
		out.LastStatus = aws.String(string(r.Status))
		out.ExitCode, out.Reason, out.RuntimeId, out.ImageDigest = r.ExitCode, text(r.Reason), text(r.RuntimeID), text(r.ImageDigest)
		out.NetworkBindings = orEmpty(r.NetworkBindings)
	}
	return out
}

// containerSize fills in what the definition and its overrides say.
func containerSize(out *types.Container, c *types.ContainerDefinition, o *types.ContainerOverride) {
	cpu, memory, soft := c.Cpu, c.Memory, c.MemoryReservation
	if o != nil {
		if o.Cpu != nil {
			cpu = *o.Cpu
		}
		if o.Memory != nil {
			memory = o.Memory
		}
		if o.MemoryReservation != nil {
			soft = o.MemoryReservation
		}
	}
	out.Image, out.Cpu = c.Image, aws.String(strconv.Itoa(int(cpu)))
	if memory != nil {
		out.Memory = aws.String(strconv.Itoa(int(*memory)))
	}
	if soft != nil {
		out.MemoryReservation = aws.String(strconv.Itoa(int(*soft)))
	}
}

// text is nil for an empty string: ECS leaves such members out.
func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func when(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
