package ecs

import (
	"errors"
	"strings"

	"github.com/ashore/ashore/internal/ecs/refuse"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// taggable is a resource with its tags, and the function that replaces them.
type taggable struct {
	tags []types.Tag
	put  func([]types.Tag) error
}

// noResource says that an ARN is well formed and names nothing. TagResource and
// UntagResource have an error of their own for that in the model, but
// ListTagsForResource does not.
type noResource struct{ error }

func resourceNotFound(kind string) error {
	return noResource{refuse.Invalid("The specified %s does not exist. Specify a valid %s in resourceArn and try again.", kind, kind)}
}

func (e noResource) Unwrap() error { return e.error }

// modelError converts a noResource into the type that those two operations have for
// it.
func modelError(err error) error {
	var none noResource
	var says *types.InvalidParameterException
	if errors.As(err, &none) && errors.As(none.error, &says) {
		return &types.ResourceNotFoundException{Message: says.Message}
	}
	return err
}

func inactiveResource(kind string) error {
	return refuse.Invalid("The specified %s is inactive. Specify an active %s and try again.", kind, kind)
}

// findTaggable finds the resource of an ARN. Tags need the long format: the short one
// does not contain the cluster.
func (s *Service) findTaggable(tx *store.Tx, ref string) (taggable, error) {
	if ref == "" {
		return taggable{}, refuse.Invalid("resourceArn can not be blank.")
	}
	a, err := fleet.ParseARN(ref)
	if err != nil || !s.site.Owns(a) || a.Partition != fleet.Partition {
		return taggable{}, refuse.Invalid("resourceArn %q is not the ARN of an ECS resource of account %s in %s.", ref, s.site.Account, s.site.Region)
	}
	cluster, id, long := strings.Cut(a.Rest, "/")
	switch a.Type {
	case "cluster":
		return s.taggableCluster(tx, a.Rest)
	case "capacity-provider":
		return taggableProvider(tx, a.Rest)
	case "task-definition":
		return s.taggableDefinition(tx, ref)
	case "service", "task", "container-instance":
		if !long {
			return taggable{}, refuse.Invalid("Long arn format must be used for tagging operations: resourceArn %q doesn't name the cluster.", ref)
		}
		if _, err := s.taggableCluster(tx, cluster); err != nil {
			return taggable{}, err
		}
	}
	switch a.Type {
	case "task":
		return taggableTask(tx, cluster, id)
	case "container-instance":
		return taggableInstance(tx, cluster, id)
	case "service":
		return taggableService(tx, cluster, id)
	case "task-set":
		return taggable{}, resourceNotFound(strings.ReplaceAll(a.Type, "-", " "))
	}
	return taggable{}, refuse.Invalid("resourceArn %q: capacity providers, clusters, container instances, services, task definitions and tasks can have tags, a %s can't.", ref, a.Type)
}

func (s *Service) taggableCluster(tx *store.Tx, name string) (taggable, error) {
	k := store.ClusterKey(name)
	c := store.Get(tx, k)
	if c == nil {
		return taggable{}, refuse.ClusterNotFound()
	}
	if c.Status != fleet.ClusterActive {
		return taggable{}, inactiveResource("cluster")
	}
	return taggable{c.Tags, func(tags []types.Tag) error {
		next := *c
		next.Tags = tags
		return store.Put(tx, k, &next)
	}}, nil
}

func taggableProvider(tx *store.Tx, name string) (taggable, error) {
	if name == fleet.ProviderFargate || name == fleet.ProviderFargateSpot {
		return taggable{nil, func([]types.Tag) error {
			return refuse.Invalid("resourceArn: the capacity provider %s is always there and can't have tags.", name)
		}}, nil
	}
	k := store.CapacityProviderKey(name)
	p := store.Get(tx, k)
	if p == nil {
		return taggable{}, resourceNotFound("capacity provider")
	}
	if p.Status != types.CapacityProviderStatusActive {
		return taggable{}, inactiveResource("capacity provider")
	}
	return taggable{p.Tags, func(tags []types.Tag) error {
		next := *p
		next.Tags = tags
		return store.Put(tx, k, &next)
	}}, nil
}

// taggableDefinition is a revision, an INACTIVE one too: it is there for as long
// as anything may refer to it.
func (s *Service) taggableDefinition(tx *store.Tx, arn string) (taggable, error) {
	ref, err := s.site.TaskDefinitionRef(arn)
	if err != nil || ref.Revision == 0 {
		return taggable{}, refuse.Invalid("resourceArn %q must name a task definition's family and revision.", arn)
	}
	if store.Get(tx, store.TaskDefinitionKey(ref.Family, ref.Revision)) == nil {
		return taggable{}, resourceNotFound("task definition")
	}
	k := store.TaskDefinitionStateKey(ref.Family, ref.Revision)
	st := store.Get(tx, k)
	if st == nil {
		st = &fleet.TaskDefinitionState{Status: types.TaskDefinitionStatusActive}
	}
	return taggable{st.Tags, func(tags []types.Tag) error {
		next := *st
		next.Tags = tags
		return store.Put(tx, k, &next)
	}}, nil
}

func taggableInstance(tx *store.Tx, cluster, id string) (taggable, error) {
	k := store.InstanceKey(cluster, id)
	i := store.Get(tx, k)
	if i == nil {
		return taggable{}, resourceNotFound("container instance")
	}
	if i.Status == fleet.InstanceInactive {
		return taggable{}, inactiveResource("container instance")
	}
	return taggable{i.Tags, func(tags []types.Tag) error {
		next := *i
		next.Tags = tags
		next.Version++
		return store.Put(tx, k, &next)
	}}, nil
}

func taggableService(tx *store.Tx, cluster, name string) (taggable, error) {
	k := store.ServiceKey(cluster, name)
	svc := store.Get(tx, k)
	if svc == nil {
		return taggable{}, resourceNotFound("service")
	}
	if svc.Status == fleet.ServiceInactive {
		return taggable{}, inactiveResource("service")
	}
	return taggable{svc.Tags, func(tags []types.Tag) error {
		next := *svc
		next.Tags = tags
		return store.Put(tx, k, &next)
	}}, nil
}

// taggableTask finds a task, also a STOPPED one. A task's own record is written once,
// so its tags are stored in its amendment. A task that waits for a host has only its
// own record.
func taggableTask(tx *store.Tx, cluster, id string) (taggable, error) {
	if t := store.Get(tx, store.TaskKey(cluster, id)); t != nil {
		k := store.TaskAmendmentKey(cluster, id)
		was := store.Get(tx, k)
		state := fleet.TaskState{Task: t, Amendment: was}
		return taggable{state.CurrentTags(), func(tags []types.Tag) error {
			next := fleet.TaskAmendment{}
			if was != nil {
				next = *was
			}
			next.Tagged, next.Tags = true, tags
			return store.Put(tx, k, &next)
		}}, nil
	}
	k := store.WaitingTaskKey(cluster, id)
	t := store.Get(tx, k)
	if t == nil {
		return taggable{}, resourceNotFound("task")
	}
	return taggable{t.Tags, func(tags []types.Tag) error {
		next := *t
		next.Tags = tags
		return store.Put(tx, k, &next)
	}}, nil
}
