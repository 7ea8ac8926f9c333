package ecs

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/ashore/ashore/internal/aws/shape"
	"github.com/ashore/ashore/internal/ecs/refuse"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// agentOperations are the operations by which agents register and report. Their
// inputs are never refused for a value that is new to us: an agent would repeat a
// refused call for ever.
var agentOperations = []string{
	"RegisterContainerInstance", "DiscoverPollEndpoint", "SubmitTaskStateChange", "SubmitContainerStateChange", "SubmitAttachmentStateChanges",
}

// membersWithOwnText are, by operation, the required members whose absence ECS
// reports in its own words. The handlers check these.
var membersWithOwnText = map[string][]string{
	"DeleteCluster":               {"cluster"},
	"DeregisterContainerInstance": {"containerInstance"},
	"DeregisterTaskDefinition":    {"taskDefinition"},
	"DescribeContainerInstances":  {"containerInstances"},
	"DescribeTaskDefinition":      {"taskDefinition"},
	"DescribeTasks":               {"tasks"},
	"RegisterTaskDefinition":      {"containerDefinitions", "family"},
	"RunTask":                     {"taskDefinition"},
	"StartTask":                   {"containerInstances", "taskDefinition"},
	"StopTask":                    {"task"},
}

// newCheck returns the check of an operation's inputs. It refuses an input that lacks
// what the API's model requires, or that has a value which an enum of the model does
// not know, at any depth. It is nil for agentOperations.
func newCheck(operation string) func(in any) error {
	if slices.Contains(agentOperations, operation) {
		return nil
	}
	refused, own := refuse.Invalid, membersWithOwnText[operation]
	if operation == "RegisterTaskDefinition" {
		refused = refuse.Client
	}
	return func(in any) error {
		for v := range shape.Violations(in) {
			if v.Missing && slices.Contains(own, v.Member()) {
				continue
			}
			if text := enumText(operation, v); text != "" {
				return refused("%s", text)
			}
			return refused("%s", v)
		}
		return nil
	}
}

// enumText returns ECS's own text for a value that an enum does not know, or "" if
// that text is not known.
func enumText(operation string, v shape.Violation) string {
	switch v.Enum {
	case reflect.TypeFor[types.LaunchType]():
		return "launch type should be one of " + formatList(types.LaunchType("").Values())
	case reflect.TypeFor[types.SchedulingStrategy]():
		return "Scheduling strategy should be one of " + formatList(types.SchedulingStrategy("").Values())
	case reflect.TypeFor[types.SettingName]():
		return v.Value + " should be one of " + formatList(types.SettingName("").Values())
	case reflect.TypeFor[types.PidMode]():
		return fmt.Sprintf("%s is not a valid value for pidMode. The value must be one of [task,host]", v.Value)
	case reflect.TypeFor[types.IpcMode]():
		return fmt.Sprintf("%s is not a valid value for ipcMode. The value must be one of %s", v.Value, formatList(types.IpcMode("").Values()))
	case reflect.TypeFor[types.ContainerInstanceStatus]():
		if operation == "UpdateContainerInstancesState" {
			return stateText
		}
	}
	return ""
}

// formatList writes values as ECS's texts do.
func formatList[E ~string](values []E) string {
	names := make([]string, len(values))
	for i, v := range values {
		names[i] = string(v)
	}
	return "[" + strings.Join(names, ",") + "]"
}
