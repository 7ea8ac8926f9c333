package ecs

import (
	"slices"

	"github.com/ashore/ashore/internal/aws/shape"
)

// fromAgents are the operations by which agents register and report. What they
// send is taken as it is, and never refused for a value that is new to us: an
// agent repeats what was refused, for ever.
var fromAgents = []string{
	"RegisterContainerInstance", "DiscoverPollEndpoint", "SubmitTaskStateChange", "SubmitContainerStateChange", "SubmitAttachmentStateChanges",
}

// ownText are the required members for whose absence ECS has words of its own,
// which the handlers say.
var ownText = map[string][]string{
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

// checkOf refuses an input of an operation that lacks what the API's model
// requires, or has a value that an enum of the model doesn't know, however deep.
func checkOf(operation string) func(in any) error {
	if slices.Contains(fromAgents, operation) {
		return nil
	}
	refuse, own := invalid, ownText[operation]
	if operation == "RegisterTaskDefinition" {
		refuse = client
	}
	return func(in any) error {
		for v := range shape.Violations(in) {
			if v.Missing && slices.Contains(own, v.Member()) {
				continue
			}
			return refuse("%s", v)
		}
		return nil
	}
}
