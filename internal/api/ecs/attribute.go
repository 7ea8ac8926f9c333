package ecs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ashore/ashore/internal/aws/shape"
	"github.com/ashore/ashore/internal/ecs/refuse"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// maxAttributes is ECS's limit of custom attributes for a resource, and of attributes
// in a call.
const maxAttributes = fleet.MaxAttributes

// isAgentAttribute reports whether only the agent sets an attribute. Most of Ashore's
// own attributes are among these; the ones that a user may set do not count as
// custom.
func isAgentAttribute(name string) bool { return fleet.IsAgentAttribute(name) }

func isCustom(name string) bool {
	return !isAgentAttribute(name) && !strings.HasPrefix(name, "ashore.")
}

func countCustom(list []types.Attribute) int {
	n := 0
	for _, a := range list {
		if isCustom(aws.ToString(a.Name)) {
			n++
		}
	}
	return n
}

// checkAttribute checks a custom attribute's name and value.
func checkAttribute(where string, a types.Attribute) error {
	name := aws.ToString(a.Name)
	if !fleet.ValidAttributeName(name) {
		return refuse.Invalid("%s.name %q is invalid: it must have 1 to 128 letters (uppercase and lowercase), numbers, hyphens (-), underscores (_), forward slashes (/), back slashes (\\), or periods (.).", where, name)
	}
	if v := aws.ToString(a.Value); v != "" && !fleet.ValidAttributeValue(v) {
		return refuse.Invalid("%s.value %q is invalid: it must have 1 to 128 letters (uppercase and lowercase), numbers, hyphens (-), underscores (_), periods (.), at signs (@), forward slashes (/), back slashes (\\), colons (:), or spaces, and must not start or end with a space.", where, v)
	}
	return nil
}

func targetNotFound(format string, args ...any) error {
	return &types.TargetNotFoundException{Message: refuse.Text(format, args...)}
}

// attributeTargets returns the ARNs of the container instances that a request
// touches.
func (s *Service) attributeTargets(cluster *string, list []types.Attribute) []string {
	out := make([]string, 0, len(list))
	for _, a := range list {
		out = append(out, s.memberResource("container-instance", cluster, aws.ToString(a.TargetId)))
	}
	return out
}

func (s *Service) attributeOperations() operations {
	return operations{
		"PutAttributes": newOperation("ecs:PutAttributes", func(in *sdk.PutAttributesInput) []string {
			return s.attributeTargets(in.Cluster, in.Attributes)
		}),
		"DeleteAttributes": newOperation("ecs:DeleteAttributes", func(in *sdk.DeleteAttributesInput) []string {
			return s.attributeTargets(in.Cluster, in.Attributes)
		}),
		"ListAttributes": newOperation("ecs:ListAttributes", func(in *sdk.ListAttributesInput) []string {
			return []string{s.clusterResource(in.Cluster)}
		}),
	}
}

// PutAttributes sets custom attributes of container instances.
func (s *Service) PutAttributes(ctx context.Context, in *sdk.PutAttributesInput) (*sdk.PutAttributesOutput, error) {
	out := &sdk.PutAttributesOutput{Attributes: []types.Attribute{}}
	err := s.changeAttributes(ctx, in.Cluster, in.Attributes, func(i *fleet.Instance, a types.Attribute) error {
		name := *a.Name
		next := types.Attribute{Name: a.Name}
		if aws.ToString(a.Value) != "" {
			next.Value = a.Value
		}
		if at := attributeIndex(i, name); at >= 0 {
			i.Attributes[at] = next
			return nil
		}
		i.Attributes = append(i.Attributes, next)
		if n := countCustom(i.Attributes); n > maxAttributes {
			return &types.AttributeLimitExceededException{Message: refuse.Text(
				"attributes: the container instance %s can have at most %d custom attributes, and %s would be one more: delete one with DeleteAttributes first.",
				s.site.InstanceARN(i.Cluster, i.ID), maxAttributes, name)}
		}
		return nil
	}, func(applied []types.Attribute) { out.Attributes = applied })
	if err != nil {
		return nil, err
	}
	return out, nil
}

// DeleteAttributes removes custom attributes from container instances. It answers
// with those that existed.
func (s *Service) DeleteAttributes(ctx context.Context, in *sdk.DeleteAttributesInput) (*sdk.DeleteAttributesOutput, error) {
	for k, a := range in.Attributes {
		if aws.ToString(a.Value) != "" {
			return nil, refuse.Invalid("attributes[%d].value must not be given: an attribute is deleted by its name and target.", k)
		}
	}
	out := &sdk.DeleteAttributesOutput{Attributes: []types.Attribute{}}
	err := s.changeAttributes(ctx, in.Cluster, in.Attributes, func(i *fleet.Instance, a types.Attribute) error {
		at := attributeIndex(i, *a.Name)
		if at < 0 {
			return errNotThere
		}
		i.Attributes = slices.Delete(i.Attributes, at, at+1)
		return nil
	}, func(applied []types.Attribute) { out.Attributes = applied })
	if err != nil {
		return nil, err
	}
	return out, nil
}

// errNotThere leaves an attribute out of those that were applied.
var errNotThere = errors.New("the attribute is not there")

func attributeIndex(i *fleet.Instance, name string) int {
	return slices.IndexFunc(i.Attributes, func(a types.Attribute) bool { return aws.ToString(a.Name) == name })
}

// changeAttributes runs do for each attribute's target, for all of them or none. It
// calls applied with the attributes for which do succeeded.
func (s *Service) changeAttributes(ctx context.Context, cluster *string, list []types.Attribute, do func(*fleet.Instance, types.Attribute) error, applied func([]types.Attribute)) error {
	switch {
	case len(list) == 0:
		return refuse.Invalid("attributes can not be empty.")
	case len(list) > maxAttributes:
		return refuse.Invalid("attributes can have at most %d entries, not %d.", maxAttributes, len(list))
	}
	for k, a := range list {
		where := fmt.Sprintf("attributes[%d]", k)
		if err := checkAttribute(where, a); err != nil {
			return err
		}
		target := aws.ToString(a.TargetId)
		switch {
		case isAgentAttribute(*a.Name):
			return refuse.Invalid("%s.name %q begins with ecs. or com.amazonaws., which are reserved: the agent sets such attributes.", where, *a.Name)
		case target == "":
			return refuse.Invalid("%s.targetId can not be blank.", where)
		case a.TargetType == "" && !fleet.IsARN(target):
			return refuse.Invalid("%s.targetType must be given where targetId %q is not a full ARN.", where, target)
		}
	}
	return s.store.Update(ctx, func(tx *store.Tx) error {
		c, err := s.clusterTx(tx, cluster)
		if err != nil {
			return err
		}
		next := map[string]*fleet.Instance{}
		changed := map[string]bool{}
		var done []types.Attribute
		for _, a := range list {
			_, id, ok := s.resolveMember("container-instance", &c.Name, *a.TargetId)
			if !ok {
				return targetNotFound("The target %s was not found in cluster %s.", *a.TargetId, c.Name)
			}
			i := next[id]
			if i == nil {
				old := store.Get(tx, store.InstanceKey(c.Name, id))
				if old == nil || old.Status == fleet.InstanceInactive {
					return targetNotFound("The target %s was not found in cluster %s.", *a.TargetId, c.Name)
				}
				// A transaction that places tasks there must not decide by the old attributes.
				if err := tx.Claim(store.HostGuard(c.Name, id)); err != nil {
					return err
				}
				copied := *old
				copied.Attributes = slices.Clone(old.Attributes)
				copied.Version++
				i = &copied
				next[id] = i
			}
			switch err := do(i, a); err {
			case nil:
				changed[id] = true
				done = append(done, types.Attribute{Name: a.Name, Value: a.Value, TargetId: aws.String(s.site.InstanceARN(c.Name, id))})
			case errNotThere:
			default:
				return err
			}
		}
		applied(shape.NotNil(done))
		for id := range changed {
			if err := store.Put(tx, store.InstanceKey(c.Name, id), next[id]); err != nil {
				return err
			}
		}
		return nil
	})
}

// ListAttributes lists the attributes of a cluster's container instances.
func (s *Service) ListAttributes(ctx context.Context, in *sdk.ListAttributesInput) (*sdk.ListAttributesOutput, error) {
	name, value := aws.ToString(in.AttributeName), aws.ToString(in.AttributeValue)
	switch {
	case in.TargetType != types.TargetTypeContainerInstance:
		return nil, refuse.Invalid("targetType must be container-instance, not %q.", in.TargetType)
	case value != "" && name == "":
		return nil, refuse.Invalid("attributeName must be given with attributeValue.")
	}
	if name != "" {
		if err := checkAttribute("attribute", types.Attribute{Name: in.AttributeName, Value: in.AttributeValue}); err != nil {
			return nil, err
		}
	}
	p, err := parsePage(in.MaxResults, in.NextToken, "ListAttributes", aws.ToString(in.Cluster), name, value)
	if err != nil {
		return nil, err
	}
	snap, c, err := s.readCluster(ctx, in.Cluster)
	if err != nil {
		return nil, err
	}
	// A page continues after one attribute of one instance.
	at, last, _ := strings.Cut(p.after, "/")
	out := &sdk.ListAttributesOutput{Attributes: []types.Attribute{}}
	list := p.newCollector()
	add := func(i *fleet.Instance, after string) bool {
		var names []string
		for _, a := range i.Attributes {
			n := aws.ToString(a.Name)
			if n > after && (name == "" || n == name) && (value == "" || aws.ToString(a.Value) == value) {
				names = append(names, n)
			}
		}
		slices.Sort(names)
		for _, n := range slices.Compact(names) {
			if !list.add(i.ID+"/"+n, n) {
				return false
			}
			a := i.Attributes[attributeIndex(i, n)]
			out.Attributes = append(out.Attributes, types.Attribute{Name: a.Name, Value: a.Value, TargetId: aws.String(s.site.InstanceARN(c.Name, i.ID))})
		}
		return true
	}
	if i := snap.Instance(c.Name, at); at != "" && i != nil && i.Status != fleet.InstanceInactive && !add(i, last) {
		out.NextToken = list.next
		return out, nil
	}
	for i := range snap.Instances(c.Name, at) {
		if i.Status != fleet.InstanceInactive && !add(i, "") {
			break
		}
	}
	out.NextToken = list.next
	return out, nil
}
