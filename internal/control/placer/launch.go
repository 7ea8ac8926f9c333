package placer

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ashore/ashore/internal/aws/protocol/awsjson"
	"github.com/ashore/ashore/internal/ecs/definition"
	"github.com/ashore/ashore/internal/ecs/refuse"
	"github.com/ashore/ashore/internal/ecs/tag"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// Launch is a request for tasks, RunTask or StartTask. It is checked as far as that
// is possible without the state.
type Launch struct {
	cluster    *string
	definition string
	count      int      // RunTask
	instances  []string // StartTask: as the request names them
	start      bool     // StartTask

	launchType  types.LaunchType                     // empty: not asked for
	strategy    []types.CapacityProviderStrategyItem // empty: not asked for
	platform    string                               // platformVersion
	constraints []types.PlacementConstraint
	strategies  []types.PlacementStrategy
	overrides   *types.TaskOverride
	network     *types.NetworkConfiguration
	volumes     []types.TaskVolumeConfiguration
	group       string
	startedBy   string
	referenceID string
	tags        []types.Tag
	propagate   bool // the definition's tags too
	managedTags bool

	// Of a service:
	deployment string         // id
	after      int64          // serial of the task that the deployment launched last
	running    map[string]int // number of the deployment's tasks, by capacity provider

	caller  string // ARN
	token   string // hash of the clientToken; empty: none
	request string // hash of the parameters
}

// RunTaskLaunch converts an input of RunTask. caller is the ARN of the principal that
// calls. Errors are ECS's.
func RunTaskLaunch(in *sdk.RunTaskInput, caller string) (*Launch, error) {
	l := &Launch{
		cluster: in.Cluster, definition: aws.ToString(in.TaskDefinition), count: 1, launchType: in.LaunchType,
		strategy: in.CapacityProviderStrategy, platform: aws.ToString(in.PlatformVersion),
		constraints: in.PlacementConstraints, strategies: in.PlacementStrategy,
		overrides: in.Overrides, network: in.NetworkConfiguration, volumes: in.VolumeConfigurations,
		group: aws.ToString(in.Group), startedBy: aws.ToString(in.StartedBy),
		referenceID: aws.ToString(in.ReferenceId), tags: in.Tags, managedTags: in.EnableECSManagedTags, caller: caller,
	}
	if in.Count != nil {
		l.count = int(*in.Count)
	}
	switch {
	case l.count < 1 || l.count > 10:
		return nil, refuse.Invalid("count must be between 1 and 10, not %d.", l.count)
	case len(in.CapacityProviderStrategy) > 0 && in.LaunchType != "":
		return nil, refuse.Invalid("Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again.")
	case in.LaunchType == types.LaunchTypeManagedInstances:
		return nil, refuse.Invalid("launchType MANAGED_INSTANCES can't be asked for: leave launchType out and name the capacity provider of the managed instances in capacityProviderStrategy.")
	}
	if _, err := compileStrategies(l.strategies); err != nil {
		return nil, err
	}
	if _, err := compileConstraints(l.constraints); err != nil {
		return nil, err
	}
	if err := l.checkCommon(in.PropagateTags, in.EnableExecuteCommand); err != nil {
		return nil, err
	}
	if token := aws.ToString(in.ClientToken); token != "" {
		if len(token) > 64 || strings.ContainsFunc(token, func(r rune) bool { return r < 33 || r > 126 }) {
			return nil, refuse.Invalid("clientToken must have up to 64 ASCII characters in the range of 33-126.")
		}
		l.token = fleet.Hash("RunTask", token)
		bare := *in
		bare.ClientToken = nil
		params, err := awsjson.Marshal(&bare)
		if err != nil {
			return nil, err
		}
		l.request = fleet.Hash(string(params))
	}
	return l, nil
}

// StartTaskLaunch converts an input of StartTask. caller is the ARN of the principal
// that calls. Errors are ECS's.
func StartTaskLaunch(in *sdk.StartTaskInput, caller string) (*Launch, error) {
	l := &Launch{
		cluster: in.Cluster, definition: aws.ToString(in.TaskDefinition), instances: in.ContainerInstances, start: true,
		overrides: in.Overrides, network: in.NetworkConfiguration, volumes: in.VolumeConfigurations,
		group: aws.ToString(in.Group), startedBy: aws.ToString(in.StartedBy),
		referenceID: aws.ToString(in.ReferenceId), tags: in.Tags, managedTags: in.EnableECSManagedTags, caller: caller,
	}
	switch {
	case len(l.instances) == 0:
		return nil, refuse.NoInstances()
	case len(l.instances) > 10:
		return nil, refuse.Invalid("containerInstances must have at most 10 entries, not %d.", len(l.instances))
	}
	return l, l.checkCommon(in.PropagateTags, in.EnableExecuteCommand)
}

// maxStartedBy is in characters. The API reference allows letters, digits, hyphens,
// underscores and slashes; ECS takes any, and deployers send spaces.
const maxStartedBy = 128

// checkCommon checks what RunTask and StartTask have in common.
func (l *Launch) checkCommon(propagate types.PropagateTags, exec bool) error {
	switch propagate {
	case "", types.PropagateTagsNone:
	case types.PropagateTagsTaskDefinition:
		l.propagate = true
	case types.PropagateTagsService:
		return refuse.Invalid("propagateTags SERVICE is for tasks of a service: use TASK_DEFINITION.")
	default:
		return refuse.Invalid("propagateTags must be TASK_DEFINITION or NONE, not %q.", propagate)
	}
	switch {
	case l.definition == "":
		return refuse.Invalid("TaskDefinition can not be blank.")
	case exec:
		return refuse.Unsupported("enableExecuteCommand is not served yet: this installation has no ExecuteCommand.")
	case utf8.RuneCountInString(l.startedBy) > maxStartedBy:
		return refuse.Invalid("startedBy longer than %d.", maxStartedBy)
	case strings.HasPrefix(l.startedBy, "ecs-svc/"):
		return refuse.Invalid("startedBy %q: the prefix ecs-svc/ is for tasks that services start.", l.startedBy)
	case len(l.group) > 255:
		return refuse.Invalid("group can have at most 255 characters, not %d.", len(l.group))
	case strings.HasPrefix(l.group, "service:"):
		return refuse.Invalid("group %q belongs to a service: give another one, or none.", l.group)
	case len(l.referenceID) > 1024:
		return refuse.Invalid("referenceId can have at most 1024 characters, not %d.", len(l.referenceID))
	}
	if err := definition.CheckNetwork(l.network); err != nil {
		return err
	}
	return tag.Check(l.tags)
}

// taskID returns the id of the launch's task number n, from 0 on. It derives the id
// from the deployment or the token if there is one, so that a repetition collides and
// creates no second task.
func (l *Launch) taskID(cluster string, n int) string {
	switch {
	case l.deployment != "":
		return fleet.ServiceTaskID(l.deployment, l.after+int64(n)+1)
	case l.token == "":
		return fleet.NewID()
	}
	return fleet.DerivedID("RunTask", cluster, l.token, l.request, strconv.Itoa(n))
}
