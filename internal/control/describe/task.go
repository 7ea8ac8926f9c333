package describe

import (
	"strconv"
	"time"

	"github.com/ashore/ashore/internal/aws/shape"
	"github.com/ashore/ashore/internal/ecs/definition"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// Task describes a task, with its tags if tags is set.
func Task(site fleet.Site, v store.View, tags bool) types.Task {
	t := v.Task
	arn := site.TaskARN(t.Cluster, t.ID)
	out := types.Task{
		TaskArn: aws.String(arn), ClusterArn: aws.String(site.ClusterARN(t.Cluster)),
		TaskDefinitionArn: aws.String(site.TaskDefinitionARN(t.Family, t.Revision)),
		LastStatus:        aws.String(string(t.Status())), DesiredStatus: aws.String(string(t.Desired())),
		LaunchType: t.LaunchType, CreatedAt: aws.Time(t.CreatedAt), Group: shape.TextOrNil(t.Group), StartedBy: shape.TextOrNil(t.StartedBy),
		Cpu: aws.String(strconv.Itoa(t.Reserve.CPU)), Memory: aws.String(strconv.Itoa(t.Reserve.Memory)),
		EnableExecuteCommand: t.EnableExecuteCommand, HealthStatus: t.HealthStatus(v.Definition), Version: TaskVersion(t),
		Attachments: []types.Attachment{}, Attributes: []types.Attribute{}, Tags: []types.Tag{},
		InferenceAccelerators: []types.InferenceAccelerator{},
	}
	if t.Instance != "" {
		out.ContainerInstanceArn = aws.String(site.InstanceARN(t.Cluster, t.Instance))
	}
	out.CapacityProviderName, out.PlatformVersion, out.PlatformFamily = shape.TextOrNil(t.CapacityProvider), shape.TextOrNil(t.PlatformVersion), shape.TextOrNil(t.PlatformFamily)
	if e := t.EphemeralStorage; e != nil {
		out.EphemeralStorage = e
		out.FargateEphemeralStorage = &types.TaskEphemeralStorage{SizeInGiB: e.SizeInGiB}
	}
	if tags {
		out.Tags = shape.NotNil(t.CurrentTags())
	}
	if i := v.Instance; i != nil {
		if value, ok := i.Attribute("ecs.cpu-architecture"); ok {
			out.Attributes = append(out.Attributes, types.Attribute{Name: aws.String("ecs.cpu-architecture"), Value: aws.String(value)})
		}
		if value, ok := i.Attribute("ecs.availability-zone"); ok {
			out.AvailabilityZone = aws.String(value)
		}
	}
	if t.Stop != nil {
		out.StopCode, out.StoppedReason, out.StoppingAt = t.Stop.Code, shape.TextOrNil(t.Stop.Reason), aws.Time(t.Stop.At)
	}
	if r := t.Report; r != nil {
		out.Connectivity = types.ConnectivityDisconnected
		if c := v.Session; c != nil {
			out.Connectivity, out.ConnectivityAt = types.ConnectivityConnected, aws.Time(latest(t.CreatedAt, c.ConnectedSince()))
		}
		out.PullStartedAt, out.PullStoppedAt, out.StartedAt = timeOrNil(r.PullStartedAt), timeOrNil(r.PullStoppedAt), timeOrNil(r.StartedAt)
		out.ExecutionStoppedAt, out.StoppedAt = timeOrNil(r.ExecutionStoppedAt), timeOrNil(r.StoppedAt)
		if out.StoppingAt == nil {
			out.StoppingAt = timeOrNil(r.StoppingAt)
		}
		if r.Status == fleet.TaskStopped {
			out.StopCode, out.StoppedReason = r.StopCode, shape.TextOrNil(r.Reason)
		}
	}
	containers := t.Containers
	if t.Instance == "" && t.Report == nil {
		containers = nil // it waits; a task has containers once it has a host
	}
	out.Overrides = overridesOut(t.Task, containers)
	for _, tc := range containers {
		out.Containers = append(out.Containers, containerOut(site, t, v.Definition, tc, arn))
	}
	out.Containers = shape.NotNil(out.Containers)
	return out
}

// latest returns the later of two times: a task was not connected before it existed.
func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// TaskVersion returns a number that grows with each change of what is shown of a
// task: it counts the changes of the task's records.
func TaskVersion(t *fleet.TaskState) int64 {
	v := int64(1)
	if t.CapacityProvider != "" && t.Instance != "" {
		v++ // callers may have seen it while it waited for a host
	}
	if t.Stop != nil {
		v++
	}
	if t.Report != nil {
		v += t.Report.Version
	}
	if t.Health != nil {
		v += t.Health.Version
	}
	return v
}

// overridesOut returns a task's overrides. Like ECS it lists every container that the
// task has now, including those without overrides.
func overridesOut(t *fleet.Task, containers []fleet.TaskContainer) *types.TaskOverride {
	out := types.TaskOverride{}
	if t.Overrides != nil {
		out = *t.Overrides
	}
	out.InferenceAcceleratorOverrides = shape.NotNil(out.InferenceAcceleratorOverrides)
	if len(containers) == 0 {
		out.ContainerOverrides = shape.NotNil(out.ContainerOverrides)
		return &out
	}
	out.ContainerOverrides = nil
	for _, c := range containers {
		if o := definition.ContainerOverride(t.Overrides, c.Name); o != nil {
			out.ContainerOverrides = append(out.ContainerOverrides, *o)
		} else {
			out.ContainerOverrides = append(out.ContainerOverrides, types.ContainerOverride{Name: aws.String(c.Name)})
		}
	}
	out.ContainerOverrides = shape.NotNil(out.ContainerOverrides)
	return &out
}

func containerOut(site fleet.Site, t *fleet.TaskState, d *fleet.TaskDefinition, tc fleet.TaskContainer, arn string) types.Container {
	out := types.Container{
		ContainerArn: aws.String(site.ContainerARN(t.Cluster, t.ID, tc.ID)), TaskArn: aws.String(arn), Name: aws.String(tc.Name),
		LastStatus: aws.String(string(fleet.TaskPending)), HealthStatus: types.HealthStatusUnknown,
		NetworkBindings: []types.NetworkBinding{}, NetworkInterfaces: []types.NetworkInterface{}, Cpu: aws.String("0"),
	}
	if t.Status() == fleet.TaskStopped {
		out.LastStatus = aws.String(string(fleet.TaskStopped))
	} else {
		out.HealthStatus = t.Health.Of(tc.Name)
	}
	if d != nil {
		for i := range d.Definition.ContainerDefinitions {
			c := &d.Definition.ContainerDefinitions[i]
			if aws.ToString(c.Name) == tc.Name {
				definition.ContainerSize(&out, c, definition.ContainerOverride(t.Overrides, tc.Name))
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
		out.ExitCode, out.Reason, out.RuntimeId, out.ImageDigest = r.ExitCode, shape.TextOrNil(r.Reason), shape.TextOrNil(r.RuntimeID), shape.TextOrNil(r.ImageDigest)
		out.NetworkBindings = shape.NotNil(r.NetworkBindings)
	}
	return out
}

func timeOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
