package identity

import (
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/iam"
)

// These are Ashore's own condition keys, in lower case. This package finds the values
// of the keys that relate a resource to the caller. Operations declare the values of
// the others.
const (
	// KeyNamesResource is false for a call without a resource that has an ARN.
	KeyNamesResource = "ashore:namesresource"
	// KeyOwnCluster says whether the host may use a cluster.
	KeyOwnCluster = "ashore:owncluster"
	// KeyOwnInstance says whether a container instance belongs to the caller. The key
	// does not exist for an instance that does not exist.
	KeyOwnInstance = "ashore:owninstance"
	// KeyOwnTask says whether a task is placed on the caller's container instance. The
	// key does not exist for a task that does not exist.
	KeyOwnTask = "ashore:owntask"
	// KeyOwnSettings says whether account settings belong to the caller.
	KeyOwnSettings = "ashore:ownsettings"
	// KeyNameOnly says whether a cluster is created with nothing but a name.
	KeyNameOnly = "ashore:nameonly"
	// KeyAnotherAgent says whether another process than the caller is connected as the
	// container instance.
	KeyAnotherAgent = "ashore:anotheragent"
	// KeyCreateAction is the operation that tags the resources that it creates. The key
	// is ECS's.
	KeyCreateAction = "ecs:createaction"
	// KeyRequestTag, followed by a tag's name, is the tag's value in the request.
	KeyRequestTag = "aws:requesttag/"
	// KeyTagKeys are the names of all tags in the request.
	KeyTagKeys = "aws:tagkeys"
	// resourceTag is the text between a service, or "aws", and the name of a resource's
	// tag.
	resourceTag = ":resourcetag/"
)

// Bool returns the values of a condition key of type Bool.
func Bool(v bool) []string {
	if v {
		return yes
	}
	return no
}

var yes, no = []string{"true"}, []string{"false"}

// managed has the policies of each kind of principal.
type managed map[Kind][]*iam.Policy

func newManaged(site fleet.Site) managed {
	return managed{
		Admin: {must(iam.New("AshoreAdministrator", iam.Statement{Sid: "Everything", Effect: iam.Allow, Action: []string{"*"}, Resource: []string{"*"}}))},
		Host:  {must(iam.New("AshoreHost", hostStatements(site)...))},
	}
}

// must panics on an error. It is for policies that this package itself writes.
func must(p *iam.Policy, err error) *iam.Policy {
	if err != nil {
		panic(err)
	}
	return p
}

// hostStatements returns what an agent needs: the actions of ECS's managed policy for
// container instances, on the host's own resources. A call for an instance or a task
// also names the host's cluster.
func hostStatements(site fleet.Site) []iam.Statement {
	ours := func(resource string) []string {
		return []string{"arn:*:ecs:" + site.Region + ":" + site.Account + ":" + resource}
	}
	when := func(key string) map[string]map[string][]string {
		return map[string]map[string][]string{"Bool": {key: {"true"}}}
	}
	// unlessAnothers is met by the caller's resources and by missing ones. For a missing
	// resource the handler's error says more than a denial.
	unlessAnothers := func(key string) map[string]map[string][]string {
		return map[string]map[string][]string{"BoolIfExists": {key: {"true"}}}
	}
	onInstances := []string{"ecs:DiscoverPollEndpoint", "ecs:Poll", "ecs:StartTelemetrySession", "ecs:UpdateContainerInstancesState", "ecs:ListTagsForResource"}
	register := []string{"ecs:RegisterContainerInstance"}
	reports := []string{"ecs:SubmitTaskStateChange", "ecs:SubmitContainerStateChange", "ecs:SubmitAttachmentStateChanges"}
	all := append(append(append([]string{}, onInstances...), register...), reports...)
	return []iam.Statement{
		{Sid: "NoResource", Effect: iam.Allow, Action: all, Resource: []string{"*"}, Condition: map[string]map[string][]string{"Bool": {KeyNamesResource: {"false"}}}},
		{Sid: "OwnCluster", Effect: iam.Allow, Action: all, Resource: ours("cluster/*"), Condition: when(KeyOwnCluster)},
		{Sid: "OwnInstance", Effect: iam.Allow, Action: onInstances, Resource: ours("container-instance/*/*"), Condition: when(KeyOwnInstance)},
		{Sid: "Register", Effect: iam.Allow, Action: register, Resource: ours("container-instance/*/*"), Condition: unlessAnothers(KeyOwnInstance)},
		// An agent repeats a refused report for ever, and its later reports wait for
		// it. So a report on a removed task must reach the handler.
		{Sid: "OwnTask", Effect: iam.Allow, Action: append([]string{"ecs:ListTagsForResource"}, reports...), Resource: ours("task/*/*"), Condition: unlessAnothers(KeyOwnTask)},
		{Sid: "DefaultCluster", Effect: iam.Allow, Action: []string{"ecs:CreateCluster"}, Resource: ours("cluster/" + fleet.DefaultCluster),
			Condition: map[string]map[string][]string{"Bool": {KeyOwnCluster: {"true"}, KeyNameOnly: {"true"}}}},
		// This allows tags on created resources, and not a TagResource call of its own.
		// The statements above allow the creation itself.
		{Sid: "TagWhatItMakes", Effect: iam.Allow, Action: []string{"ecs:TagResource"}, Resource: []string{"*"},
			Condition: map[string]map[string][]string{"StringEquals": {KeyCreateAction: {"CreateCluster", "RegisterContainerInstance"}}}},
		// If the disk of one machine is a copy of another's, both call as the same
		// host.
		{Sid: "AnotherAgent", Effect: iam.Deny, Action: reports, Resource: []string{"*"}, Condition: when(KeyAnotherAgent)},
	}
}
