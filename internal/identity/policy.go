package identity

import (
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/iam"
)

// Condition keys of Ashore's own, in lower case as they are asked for. What a
// resource is to the caller this package finds out; the others an operation declares.
const (
	// KeyNamesResource is false for a call that touches nothing which has an ARN.
	KeyNamesResource = "ashore:namesresource"
	// KeyOwnCluster says whether a cluster is any of the host's business.
	KeyOwnCluster = "ashore:owncluster"
	// KeyOwnInstance says whether a container instance is the caller's. An instance
	// that does not exist has no such key.
	KeyOwnInstance = "ashore:owninstance"
	// KeyOwnTask says whether a task is placed on the caller's container instance. A
	// task that does not exist has no such key.
	KeyOwnTask = "ashore:owntask"
	// KeyOwnSettings says whether account settings are the caller's own.
	KeyOwnSettings = "ashore:ownsettings"
	// KeyNameOnly says whether a cluster is asked for by its name alone.
	KeyNameOnly = "ashore:nameonly"
	// KeyAnotherAgent says whether another process than the one that calls is
	// connected as the container instance.
	KeyAnotherAgent = "ashore:anotheragent"
	// KeyCreateAction is the operation that gives tags to what it makes. The key is
	// ECS's.
	KeyCreateAction = "ecs:createaction"
)

// Bool are the values of a condition key that says yes or no.
func Bool(v bool) []string {
	if v {
		return yes
	}
	return no
}

var yes, no = []string{"true"}, []string{"false"}

// managed are the policies of the principals that there are.
type managed map[Kind][]*iam.Policy

func newManaged(site fleet.Site) managed {
	return managed{
		Admin: {must(iam.New("AshoreAdministrator", iam.Statement{Sid: "Everything", Effect: iam.Allow, Action: []string{"*"}, Resource: []string{"*"}}))},
		Host:  {must(iam.New("AshoreHost", hostStatements(site)...))},
	}
}

// must is for policies that this package writes itself.
func must(p *iam.Policy, err error) *iam.Policy {
	if err != nil {
		panic(err)
	}
	return p
}

// hostStatements are what an agent needs: the actions of ECS's managed policy for
// container instances, on what is the host's own. Beside an instance or a task a call
// names the host's own cluster, too.
func hostStatements(site fleet.Site) []iam.Statement {
	ours := func(resource string) []string {
		return []string{"arn:*:ecs:" + site.Region + ":" + site.Account + ":" + resource}
	}
	when := func(key string) map[string]map[string][]string {
		return map[string]map[string][]string{"Bool": {key: {"true"}}}
	}
	// Of what does not exist the handler says more than a denial could.
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
		// An agent repeats a report that is refused for ever, and its later ones wait
		// behind it: one on a task that is no more must reach the handler.
		{Sid: "OwnTask", Effect: iam.Allow, Action: append([]string{"ecs:ListTagsForResource"}, reports...), Resource: ours("task/*/*"), Condition: unlessAnothers(KeyOwnTask)},
		{Sid: "DefaultCluster", Effect: iam.Allow, Action: []string{"ecs:CreateCluster"}, Resource: ours("cluster/" + fleet.DefaultCluster),
			Condition: map[string]map[string][]string{"Bool": {KeyOwnCluster: {"true"}, KeyNameOnly: {"true"}}}},
		// Tags that a call gives to what it makes, not those of a call of their own: the
		// making itself is allowed by the statements above.
		{Sid: "TagWhatItMakes", Effect: iam.Allow, Action: []string{"ecs:TagResource"}, Resource: []string{"*"},
			Condition: map[string]map[string][]string{"StringEquals": {KeyCreateAction: {"CreateCluster", "RegisterContainerInstance"}}}},
		// Where the disk of one machine is a copy of another's, both call as one host.
		{Sid: "AnotherAgent", Effect: iam.Deny, Action: reports, Resource: []string{"*"}, Condition: when(KeyAnotherAgent)},
	}
}
