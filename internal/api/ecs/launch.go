package ecs

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/ashore/ashore/internal/aws/json11"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// launch is a request for tasks, RunTask or StartTask, checked as far as it can
// be without the state.
type launch struct {
	cluster    *string
	definition string
	count      int      // RunTask
	instances  []string // StartTask: as the request names them
	start      bool     // StartTask

	launchType  types.LaunchType // empty: not asked for
	overrides   *types.TaskOverride
	network     *types.NetworkConfiguration
	group       string
	startedBy   string
	referenceID string
	tags        []types.Tag
	propagate   bool // the definition's tags too
	managedTags bool

	token   string // hash of the clientToken; empty: none
	request string // hash of the parameters
}

func runLaunch(in *sdk.RunTaskInput) (*launch, error) {
	l := &launch{
		cluster: in.Cluster, definition: aws.ToString(in.TaskDefinition), count: 1, launchType: in.LaunchType,
		overrides: in.Overrides, network: in.NetworkConfiguration, group: aws.ToString(in.Group), startedBy: aws.ToString(in.StartedBy),
		referenceID: aws.ToString(in.ReferenceId), tags: in.Tags, managedTags: in.EnableECSManagedTags,
	}
	if in.Count != nil {
		l.count = int(*in.Count)
	}
	switch {
	case l.count < 1 || l.count > 10:
		return nil, invalid("count must be between 1 and 10, not %d.", l.count)
	case len(in.CapacityProviderStrategy) > 0 && in.LaunchType != "":
		return nil, invalid("Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again.")
	case len(in.CapacityProviderStrategy) > 0:
		return nil, unsupported("capacityProviderStrategy is not served yet: leave it out, or give the launch type EC2 or EXTERNAL.")
	case len(in.PlacementConstraints) > 0:
		return nil, unsupported("placementConstraints are not served yet: leave them out, or choose container instances with StartTask.")
	case in.PlatformVersion != nil && *in.PlatformVersion != "":
		return nil, invalid("The platform version must be null when specifying an EC2 launch type.")
	case len(in.VolumeConfigurations) > 0:
		return nil, unsupported("volumeConfigurations are not served yet: leave them out.")
	}
	for _, p := range in.PlacementStrategy {
		if p.Type != types.PlacementStrategyTypeRandom {
			return nil, unsupported("placementStrategy %q is not served yet: leave it out, or use random, which is what happens without one.", p.Type)
		}
	}
	switch in.LaunchType {
	case "", types.LaunchTypeEc2, types.LaunchTypeExternal:
	case types.LaunchTypeFargate, types.LaunchTypeManagedInstances:
		return nil, unsupported("The launch type %s is not served yet: the hosts of this installation take EC2 and EXTERNAL.", in.LaunchType)
	default:
		return nil, invalid("launchType must be EC2, FARGATE, EXTERNAL or MANAGED_INSTANCES, not %q.", in.LaunchType)
	}
	if err := l.check(in.PropagateTags, in.EnableExecuteCommand); err != nil {
		return nil, err
	}
	if token := aws.ToString(in.ClientToken); token != "" {
		if len(token) > 64 || strings.ContainsFunc(token, func(r rune) bool { return r < 33 || r > 126 }) {
			return nil, invalid("clientToken must have up to 64 ASCII characters in the range of 33-126.")
		}
		l.token = hash("RunTask", token)
		bare := *in
		bare.ClientToken = nil
		params, err := json11.Marshal(&bare)
		if err != nil {
			return nil, err
		}
		l.request = hash(string(params))
	}
	return l, nil
}

func startLaunch(in *sdk.StartTaskInput) (*launch, error) {
	l := &launch{
		cluster: in.Cluster, definition: aws.ToString(in.TaskDefinition), instances: in.ContainerInstances, start: true,
		overrides: in.Overrides, network: in.NetworkConfiguration, group: aws.ToString(in.Group), startedBy: aws.ToString(in.StartedBy),
		referenceID: aws.ToString(in.ReferenceId), tags: in.Tags, managedTags: in.EnableECSManagedTags,
	}
	switch {
	case len(l.instances) == 0:
		return nil, invalid("Container instances cannot be empty.")
	case len(l.instances) > 10:
		return nil, invalid("containerInstances must have at most 10 entries, not %d.", len(l.instances))
	case len(in.VolumeConfigurations) > 0:
		return nil, unsupported("volumeConfigurations are not served yet: leave them out.")
	}
	return l, l.check(in.PropagateTags, in.EnableExecuteCommand)
}

// check is what RunTask and StartTask have in common.
func (l *launch) check(propagate types.PropagateTags, exec bool) error {
	switch propagate {
	case "", types.PropagateTagsNone:
	case types.PropagateTagsTaskDefinition:
		l.propagate = true
	case types.PropagateTagsService:
		return invalid("propagateTags SERVICE is for tasks of a service: use TASK_DEFINITION.")
	default:
		return invalid("propagateTags must be TASK_DEFINITION or NONE, not %q.", propagate)
	}
	switch {
	case l.definition == "":
		return invalid("TaskDefinition can not be blank.")
	case exec:
		return unsupported("enableExecuteCommand is not served yet: this installation has no ExecuteCommand.")
	case len(l.startedBy) > 128:
		return invalid("startedBy can have at most 128 characters, not %d.", len(l.startedBy))
	case len(l.group) > 255:
		return invalid("group can have at most 255 characters, not %d.", len(l.group))
	case strings.HasPrefix(l.group, "service:"):
		return invalid("group %q belongs to a service: give another one, or none.", l.group)
	case len(l.referenceID) > 1024:
		return invalid("referenceId can have at most 1024 characters, not %d.", len(l.referenceID))
	}
	return validTags(l.tags)
}

// weight bounds the comparisons and operations that the launch adds to a
// transaction: task and host guard for each task, and what is read once.
func (l *launch) weight() int { return 2*max(l.count, len(l.instances)) + 4 }

// taskID is the id of the launch's n-th task: derived from the token where
// there is one, so that a repetition collides instead of doubling.
func (l *launch) taskID(cluster string, n int) string {
	if l.token == "" {
		return fleet.NewID()
	}
	return fleet.DerivedID("RunTask", cluster, l.token, l.request, strconv.Itoa(n))
}

func hash(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:])
}

// validOverrides checks overrides against the definition and returns them with
// the task's cpu and memory in units and MiB.
func validOverrides(def *sdk.RegisterTaskDefinitionInput, o *types.TaskOverride) (*types.TaskOverride, error) {
	if o == nil {
		return nil, nil
	}
	size, err := json11.Marshal(o)
	if err != nil {
		return nil, err
	}
	if len(size) > 8192 {
		return nil, invalid("overrides can have at most 8192 characters, not %d.", len(size))
	}
	known := map[string]*types.ContainerDefinition{}
	for i := range def.ContainerDefinitions {
		known[aws.ToString(def.ContainerDefinitions[i].Name)] = &def.ContainerDefinitions[i]
	}
	seen := map[string]bool{}
	for i := range o.ContainerOverrides {
		co := &o.ContainerOverrides[i]
		name := aws.ToString(co.Name)
		c := known[name]
		switch {
		case name == "":
			return nil, invalid("Container override name should not be null or empty.")
		case c == nil:
			return nil, invalid("Override for container named %s is not a container in the TaskDefinition.", name)
		case seen[name]:
			return nil, invalid("overrides: the container %s is given twice.", name)
		case co.Cpu != nil && *co.Cpu < 0:
			return nil, invalid("overrides: the cpu of container %s must not be negative.", name)
		case co.Memory != nil && *co.Memory < 4, co.MemoryReservation != nil && *co.MemoryReservation < 4:
			return nil, invalid("overrides: memory and memoryReservation of container %s must be at least 4 MiB.", name)
		}
		seen[name] = true
		memory, soft := c.Memory, c.MemoryReservation
		if co.Memory != nil {
			memory = co.Memory
		}
		if co.MemoryReservation != nil {
			soft = co.MemoryReservation
		}
		if memory != nil && soft != nil && *memory < *soft {
			return nil, invalid("overrides: the memory of container %s (%d) must not be less than its memoryReservation (%d).", name, *memory, *soft)
		}
		for _, e := range co.Environment {
			if n := aws.ToString(e.Name); n == "" || strings.ContainsAny(n, "=\x00") {
				return nil, invalid("overrides: the environment of container %s has the invalid name %q.", name, n)
			}
		}
	}
	if len(o.InferenceAcceleratorOverrides) > 0 {
		return nil, unsupported("overrides.inferenceAcceleratorOverrides are not served: leave them out.")
	}
	if o.EphemeralStorage != nil {
		return nil, invalid("overrides.ephemeralStorage is only supported for tasks on FARGATE.")
	}
	out := *o
	cpu, err := cpuUnits(aws.ToString(o.Cpu))
	if err != nil {
		return nil, err
	}
	memory, err := memoryMiB(aws.ToString(o.Memory))
	if err != nil {
		return nil, err
	}
	if cpu > 0 {
		out.Cpu = aws.String(strconv.Itoa(cpu))
	}
	if memory > 0 {
		out.Memory = aws.String(strconv.Itoa(memory))
	}
	return &out, nil
}
