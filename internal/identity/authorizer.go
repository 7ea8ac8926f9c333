package identity

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
)

// Authorizer decides who may do what. The administrator may do everything; a
// host what an agent needs on its own instance.
type Authorizer struct{ store *store.Store }

// NewAuthorizer decides by what st says of instances and tasks.
func NewAuthorizer(st *store.Store) *Authorizer { return &Authorizer{st} }

// agentActions are all that an agent calls (ECS's managed policy for container
// instances has the same list), and what each touches.
var agentActions = map[string]scope{
	"ecs:CreateCluster":                 onDefaultCluster,
	"ecs:RegisterContainerInstance":     onOwnInstance | onNoInstance,
	"ecs:DiscoverPollEndpoint":          onOwnInstance,
	"ecs:Poll":                          onOwnInstance,
	"ecs:StartTelemetrySession":         onOwnInstance,
	"ecs:UpdateContainerInstancesState": onOwnInstance,
	"ecs:SubmitTaskStateChange":         onOwnTask,
	"ecs:SubmitContainerStateChange":    onOwnTask,
	"ecs:SubmitAttachmentStateChanges":  onOwnTask,
	"ecs:ListTagsForResource":           onOwnInstance | onOwnTask,
	"ecs:TagResource":                   onWhatItMakes,
}

// scope says which resources an action may touch. The host's own cluster is always
// tolerated, beside an instance or task too: agents name both.
type scope int

const (
	onOwnInstance scope = 1 << iota
	onOwnTask
	onDefaultCluster
	// onNoInstance leaves an instance that does not exist to the handler, whose
	// answer says more than a denial.
	onNoInstance
	// onWhatItMakes are tags that a call gives to what it makes, not those of a
	// call of their own: the making itself was allowed before.
	onWhatItMakes
)

type createActionKey struct{}

// WithCreateAction says that what is asked under ctx is part of an operation
// that makes something, IAM's condition key ecs:CreateAction.
func WithCreateAction(ctx context.Context, operation string) context.Context {
	return context.WithValue(ctx, createActionKey{}, operation)
}

func createAction(ctx context.Context) string {
	operation, _ := ctx.Value(createActionKey{}).(string)
	return operation
}

// Authorize returns nil if p may do action on all of resources, a *Denied if
// not, and another error where it can't tell.
func (a *Authorizer) Authorize(ctx context.Context, p Principal, action string, resources []string) error {
	switch p.Kind {
	case Admin:
		return nil
	case Host:
		scope, known := agentActions[action]
		if !known {
			return denied(p, action, "")
		}
		if scope == onWhatItMakes {
			if _, may := agentActions["ecs:"+createAction(ctx)]; may {
				return nil
			}
			return denied(p, action, strings.Join(resources, ", "))
		}
		for _, r := range resources {
			ok, err := a.within(ctx, p, scope, r)
			if err != nil {
				return err
			}
			if !ok {
				return a.elsewhere(p, r, denied(p, action, r))
			}
		}
		return nil
	}
	return denied(p, action, "")
}

// elsewhere says of a denial for a cluster that it is not the host's, and what an
// administrator does about it.
func (a *Authorizer) elsewhere(p Principal, resource string, why error) error {
	arn, err := fleet.ParseARN(resource)
	h := a.store.Snapshot().Host(p.Name)
	if err != nil || arn.Type != "cluster" || h == nil || h.In(arn.Rest) {
		return why
	}
	return &Denied{fmt.Sprintf("%s because the host %s belongs to the cluster %s. An administrator moves it by `ashore host assign %s --cluster %s`.",
		why, p.Name, h.Home(), p.Name, arn.Rest)}
}

func denied(p Principal, action, resource string) error {
	if resource == "" {
		return &Denied{fmt.Sprintf("User: %s is not authorized to perform: %s", p.ARN, action)}
	}
	return &Denied{fmt.Sprintf("User: %s is not authorized to perform: %s on resource: %s", p.ARN, action, resource)}
}

func (a *Authorizer) within(ctx context.Context, p Principal, scope scope, resource string) (bool, error) {
	if resource == "*" {
		return scope != onDefaultCluster, nil
	}
	site := a.store.Site()
	arn, err := fleet.ParseARN(resource)
	if err != nil || !site.Ours(arn) {
		return false, nil
	}
	cluster, id, long := strings.Cut(arn.Rest, "/")
	switch arn.Type {
	case "cluster":
		if scope == onDefaultCluster && arn.Rest != fleet.DefaultCluster {
			return false, nil
		}
		return a.settle(ctx, func(s *store.Snapshot) (own, exists bool, err error) {
			h := s.Host(p.Name)
			return h != nil && h.In(arn.Rest), true, store.Readable(s, store.HostKey(p.Name))
		}, false)
	case "container-instance":
		if scope&onOwnInstance == 0 || !long {
			return false, nil
		}
		return a.settle(ctx, func(s *store.Snapshot) (own, exists bool, err error) {
			if i := s.Instance(cluster, id); i != nil {
				return i.Principal == p.ARN, true, nil
			}
			return false, false, store.Readable(s, store.InstanceKey(cluster, id))
		}, scope&onNoInstance != 0)
	case "task":
		if scope&onOwnTask == 0 || !long {
			return false, nil
		}
		// A report on a task that is no more must reach the handler: an agent
		// repeats a refused one for ever, and its later ones wait behind it.
		return a.settle(ctx, func(s *store.Snapshot) (own, exists bool, err error) {
			t := s.Task(cluster, id)
			if t == nil {
				return false, s.WaitingTask(cluster, id) != nil, store.Readable(s, store.TaskKey(cluster, id)) // nobody's yet
			}
			if i := s.Instance(cluster, t.Instance); i != nil {
				return i.Principal == p.ARN, true, nil
			}
			return false, true, store.Readable(s, store.InstanceKey(cluster, t.Instance))
		}, true)
	}
	return false, nil
}

// settle asks the newest snapshot, and a fresh one before it says no: another
// server may have written the record a moment ago. missing is the answer for a
// record that does not exist. Of one that can't be read it can't tell.
func (a *Authorizer) settle(ctx context.Context, ask func(*store.Snapshot) (own, exists bool, err error), missing bool) (bool, error) {
	own, _, _ := ask(a.store.Snapshot())
	if own {
		return true, nil
	}
	s, err := a.store.Fresh(ctx)
	if err != nil {
		return false, err
	}
	own, exists, err := ask(s)
	return own || (!exists && missing), err
}

// Actions lists what a host's principal may call, for documents and tests.
func Actions() []string {
	var all []string
	for a := range agentActions {
		all = append(all, a)
	}
	slices.Sort(all)
	return all
}
