package ecs

import (
	"cmp"
	"strings"

	"github.com/ashore/ashore/internal/ecs/lookup"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/identity"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// ResourceTags returns the tags that a snapshot has for the resource of an ARN, as the
// conditions of policies see them. It returns none if there is no such resource. An
// error says that a record of the resource can't be read.
func (s *Service) ResourceTags(snap *store.Snapshot, ref string) ([]identity.Tag, error) {
	a, err := fleet.ParseARN(ref)
	if err != nil || !s.site.Owns(a) {
		return nil, nil
	}
	var tags []types.Tag
	cluster, id, _ := strings.Cut(a.Rest, "/")
	switch a.Type {
	case "cluster":
		if c := snap.Cluster(a.Rest); c != nil {
			tags = c.Tags
		}
		err = store.Readable(snap, store.ClusterKey(a.Rest))
	case "capacity-provider":
		if p := snap.CapacityProvider(a.Rest); p != nil {
			tags = p.Tags
		}
		err = store.Readable(snap, store.CapacityProviderKey(a.Rest))
	case "task-definition":
		d, refErr := s.site.TaskDefinitionRef(ref)
		if refErr != nil || d.Revision == 0 {
			return nil, nil // a family has no tags
		}
		if _, st := snap.TaskDefinition(d.Family, d.Revision); st != nil {
			tags = st.Tags
		}
		err = store.Readable(snap, store.TaskDefinitionStateKey(d.Family, d.Revision))
	case "service":
		if svc := snap.Service(cluster, id); svc != nil {
			tags = svc.Tags
		}
		err = store.Readable(snap, store.ServiceKey(cluster, id))
	case "container-instance":
		if i := snap.Instance(cluster, id); i != nil {
			tags = i.Tags
		}
		err = store.Readable(snap, store.InstanceKey(cluster, id))
	case "task":
		if t := lookup.Task(snap, cluster, id); t != nil {
			tags = t.CurrentTags()
		}
		err = cmp.Or(store.Readable(snap, store.TaskKey(cluster, id)), store.Readable(snap, store.TaskAmendmentKey(cluster, id)),
			store.Readable(snap, store.WaitingTaskKey(cluster, id)))
	}
	out := make([]identity.Tag, len(tags))
	for i, t := range tags {
		out[i] = identity.Tag{Key: aws.ToString(t.Key), Value: aws.ToString(t.Value)}
	}
	return out, err
}
