package ecs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/ashore/ashore/internal/aws/shape"
	"github.com/ashore/ashore/internal/control/capacity"
	"github.com/ashore/ashore/internal/ecs/lookup"
	"github.com/ashore/ashore/internal/ecs/refuse"
	"github.com/ashore/ashore/internal/ecs/tag"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

func providerNotFound(ref string) error {
	return refuse.Client("The specified capacity provider does not exist. Specify a valid name or ARN and try again. (capacity provider: %q)", ref)
}

func (s *Service) capacityProviderOperations() operations {
	return operations{
		"CreateCapacityProvider": newOperation("ecs:CreateCapacityProvider", func(in *sdk.CreateCapacityProviderInput) []string {
			return s.providerResources(in.Name, in.Cluster)
		}),
		"UpdateCapacityProvider": newOperation("ecs:UpdateCapacityProvider", func(in *sdk.UpdateCapacityProviderInput) []string {
			return s.providerResources(in.Name, in.Cluster)
		}),
		"DeleteCapacityProvider": newOperation("ecs:DeleteCapacityProvider", func(in *sdk.DeleteCapacityProviderInput) []string {
			return s.providerResources(in.CapacityProvider, in.Cluster)
		}),
		"DescribeCapacityProviders": newOperation("ecs:DescribeCapacityProviders", func(in *sdk.DescribeCapacityProvidersInput) []string {
			var out []string
			for i := range in.CapacityProviders {
				out = append(out, s.providerResource(&in.CapacityProviders[i]))
			}
			return out
		}),
	}
}

// CreateCapacityProvider creates a capacity provider: one with an Auto Scaling group,
// for any cluster, or one of managed instances, for one cluster.
func (s *Service) CreateCapacityProvider(ctx context.Context, in *sdk.CreateCapacityProviderInput) (*sdk.CreateCapacityProviderOutput, error) {
	name := aws.ToString(in.Name)
	if err := checkProviderName(name); err != nil {
		return nil, err
	}
	if err := tag.Check(in.Tags); err != nil {
		return nil, err
	}
	made, err := newProvider(in)
	if err != nil {
		return nil, err
	}
	made.CreatedAt = s.now()
	err = s.store.Update(ctx, func(tx *store.Tx) error {
		k := store.CapacityProviderKey(name)
		if had := store.Get(tx, k); had != nil && had.Status != types.CapacityProviderStatusInactive {
			return refuse.Client("The specified capacity provider already exists. To change the configuration of an existing capacity provider, update the capacity provider. (name: %q)", name)
		}
		if made.Managed != nil {
			if err := s.joinCluster(tx, made, in.Cluster); err != nil {
				return err
			}
		} else if err := checkGroupUnique(tx, made); err != nil {
			return err
		}
		return store.Put(tx, k, made)
	})
	if err != nil {
		return nil, err
	}
	out := s.providerOut(made, true)
	return &sdk.CreateCapacityProviderOutput{CapacityProvider: &out}, nil
}

func checkProviderName(name string) error {
	if name == "" {
		return refuse.Invalid("Capacity provider name can not be blank. (name)")
	}
	if !fleet.ValidName(name) {
		return refuse.Invalid("name %q is invalid: up to 255 letters (uppercase and lowercase), numbers, underscores, and hyphens are allowed.", name)
	}
	for _, prefix := range []string{"aws", "ecs", "fargate"} {
		if strings.HasPrefix(strings.ToLower(name), prefix) {
			return refuse.Invalid(`name %q is invalid: a capacity provider's name can't be prefixed with "aws", "ecs", or "fargate".`, name)
		}
	}
	return nil
}

// newProvider checks a request and returns the new capacity provider.
func newProvider(in *sdk.CreateCapacityProviderInput) (*fleet.CapacityProvider, error) {
	p := &fleet.CapacityProvider{
		Name: *in.Name, Status: types.CapacityProviderStatusActive, Update: types.CapacityProviderUpdateStatusCreateComplete, Tags: in.Tags,
	}
	var err error
	switch group, managed := in.AutoScalingGroupProvider, in.ManagedInstancesProvider; {
	case (group == nil) == (managed == nil):
		return nil, refuse.Invalid("Exactly one of autoScalingGroupProvider and managedInstancesProvider must be specified.")
	case group != nil:
		if aws.ToString(in.Cluster) != "" {
			return nil, refuse.Invalid("cluster: only a capacity provider with managedInstancesProvider belongs to a cluster. Associate one with autoScalingGroupProvider by PutClusterCapacityProviders.")
		}
		p.Type = types.CapacityProviderTypeEc2Autoscaling
		p.Group, err = newGroup(group)
	default:
		if aws.ToString(in.Cluster) == "" {
			return nil, refuse.Invalid("cluster: it is required for a capacity provider with managedInstancesProvider.")
		}
		p.Type = types.CapacityProviderTypeManagedInstances
		p.Managed, err = newManaged(managed)
	}
	return p, err
}

// checkGroupUnique checks that no other provider has the same Auto Scaling group.
func checkGroupUnique(tx *store.Tx, made *fleet.CapacityProvider) error {
	tx.Unchanged(store.CapacityProviders)
	for name, p := range tx.Snapshot().CapacityProviders("") {
		if name != made.Name && p.Status != types.CapacityProviderStatusInactive && p.Group != nil &&
			aws.ToString(p.Group.AutoScalingGroupArn) == aws.ToString(made.Group.AutoScalingGroupArn) {
			return refuse.Client("The specified Auto Scaling group ARN is already being used by another capacity provider. Specify a unique Auto Scaling group ARN and try again. (autoScalingGroupProvider.autoScalingGroupArn: used by %s)", name)
		}
	}
	return nil
}

// joinCluster associates a provider of managed instances with its cluster.
func (s *Service) joinCluster(tx *store.Tx, p *fleet.CapacityProvider, ref *string) error {
	c, err := s.clusterTx(tx, ref)
	if err != nil {
		return err
	}
	if len(c.CapacityProviders) >= maxProviders {
		return refuse.Invalid("The maximum number of capacity providers per cluster has been exceeded. (cluster: %s has %d, at most %d)", c.Name, len(c.CapacityProviders), maxProviders)
	}
	p.Cluster = c.Name
	next := *c
	next.CapacityProviders = append(slices.Clone(c.CapacityProviders), p.Name)
	return store.Put(tx, store.ClusterKey(c.Name), &next)
}

// UpdateCapacityProvider changes the parameters of a capacity provider.
func (s *Service) UpdateCapacityProvider(ctx context.Context, in *sdk.UpdateCapacityProviderInput) (*sdk.UpdateCapacityProviderOutput, error) {
	if (in.AutoScalingGroupProvider == nil) == (in.ManagedInstancesProvider == nil) {
		return nil, refuse.Invalid("Exactly one of autoScalingGroupProvider and managedInstancesProvider must be specified.")
	}
	var next fleet.CapacityProvider
	err := s.store.Update(ctx, func(tx *store.Tx) error {
		p, err := s.findOwnProvider(tx, "name", in.Name, in.Cluster, "updated")
		if err != nil {
			return err
		}
		next = *p
		switch {
		case p.Group != nil && in.AutoScalingGroupProvider != nil:
			next.Group, err = updateGroup(p.Group, in.AutoScalingGroupProvider)
		case p.Managed != nil && in.ManagedInstancesProvider != nil:
			next.Managed, err = updateManaged(p.Managed, in.ManagedInstancesProvider)
		case p.Group != nil:
			err = refuse.Invalid("managedInstancesProvider: %s is a capacity provider with autoScalingGroupProvider.", p.Name)
		default:
			err = refuse.Invalid("autoScalingGroupProvider: %s is a capacity provider with managedInstancesProvider.", p.Name)
		}
		if err != nil {
			return err
		}
		next.Update, next.UpdateReason = types.CapacityProviderUpdateStatusUpdateComplete, ""
		return store.Put(tx, store.CapacityProviderKey(p.Name), &next)
	})
	if err != nil {
		return nil, err
	}
	out := s.providerOut(&next, true)
	return &sdk.UpdateCapacityProviderOutput{CapacityProvider: &out}, nil
}

// findOwnProvider finds the provider that a change means. It must be ACTIVE and not
// one of Fargate's, and if the request names a cluster, it must belong to that
// cluster.
func (s *Service) findOwnProvider(tx *store.Tx, field string, ref, cluster *string, verb string) (*fleet.CapacityProvider, error) {
	if aws.ToString(ref) == "" {
		return nil, refuse.Invalid("Capacity provider can not be blank. (%s)", field)
	}
	name, ok := s.site.CapacityProviderName(*ref)
	if !ok || !fleet.ValidName(name) {
		return nil, providerNotFound(*ref)
	}
	if capacity.IsFargate(name) {
		return nil, refuse.Client("The specified capacity provider is reserved and cannot be %s. (%s: %s)", verb, field, name)
	}
	p := store.Get(tx, store.CapacityProviderKey(name))
	if p == nil || p.Status == types.CapacityProviderStatusInactive {
		return nil, providerNotFound(*ref)
	}
	if aws.ToString(cluster) == "" {
		return p, nil
	}
	c, err := s.clusterTx(tx, cluster)
	if err != nil {
		return nil, err
	}
	if p.Cluster != "" && p.Cluster != c.Name {
		return nil, providerNotFound(*ref)
	}
	return p, nil
}

// DeleteCapacityProvider deletes a capacity provider that nothing needs. If something
// needs it, the provider stays and its update status says so, as in ECS: that is no
// error of the call.
func (s *Service) DeleteCapacityProvider(ctx context.Context, in *sdk.DeleteCapacityProviderInput) (*sdk.DeleteCapacityProviderOutput, error) {
	var next *fleet.CapacityProvider
	var was *fleet.Cluster
	err := s.store.Update(ctx, func(tx *store.Tx) (err error) {
		if next, err = s.deleteProvider(tx, in); err == nil {
			was = tx.Snapshot().Cluster(next.Cluster)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if next.Status == types.CapacityProviderStatusInactive && was != nil {
		is := *was
		is.CapacityProviders = without(was.CapacityProviders, next.Name)
		err := s.restoreUsed(ctx, was, &is)
		if _, used := errors.AsType[*types.ResourceInUseException](err); used {
			next = restoreProvider(next)
		} else if err != nil {
			return nil, err
		}
	}
	out := s.providerOut(next, true)
	return &sdk.DeleteCapacityProviderOutput{CapacityProvider: &out}, nil
}

func (s *Service) deleteProvider(tx *store.Tx, in *sdk.DeleteCapacityProviderInput) (*fleet.CapacityProvider, error) {
	p, err := s.findOwnProvider(tx, "capacityProvider", in.CapacityProvider, in.Cluster, "deleted")
	if err != nil {
		return nil, err
	}
	why, err := releaseProvider(tx, p)
	if err != nil {
		return nil, err
	}
	next := *p
	if why != "" {
		next.Update, next.UpdateReason = types.CapacityProviderUpdateStatusDeleteFailed, why
	} else {
		next.Status, next.DeletedAt = types.CapacityProviderStatusInactive, s.now()
		next.Update, next.UpdateReason = types.CapacityProviderUpdateStatusDeleteComplete, ""
	}
	return &next, store.Put(tx, store.CapacityProviderKey(p.Name), &next)
}

// releaseProvider returns why a provider can't be deleted, or removes it from the
// cluster that it belongs to.
func releaseProvider(tx *store.Tx, p *fleet.CapacityProvider) (why string, err error) {
	if p.Cluster == "" {
		// A transaction that associates it with a cluster writes its record, and conflicts.
		for name, c := range tx.Snapshot().Clusters("") {
			if c.Status == fleet.ClusterActive && slices.Contains(c.CapacityProviders, p.Name) {
				return fmt.Sprintf("The capacity provider cannot be deleted because it is associated with cluster: %s. Remove the capacity provider from the cluster and try again.", name), nil
			}
		}
		return "", nil
	}
	k := store.ClusterKey(p.Cluster)
	c := store.Get(tx, k)
	if c == nil || c.Status != fleet.ClusterActive {
		return "", nil
	}
	if tx.Snapshot().ProviderTasks(c.Name, p.Name) > 0 {
		return fmt.Sprintf("The capacity provider cannot be deleted because tasks of cluster: %s use it. Stop them and try again.", c.Name), nil
	}
	if slices.ContainsFunc(c.DefaultCapacityProviderStrategy, func(i types.CapacityProviderStrategyItem) bool { return aws.ToString(i.CapacityProvider) == p.Name }) {
		return fmt.Sprintf("The capacity provider cannot be deleted because it is in the default capacity provider strategy of cluster: %s. Remove it from the strategy and try again.", c.Name), nil
	}
	next := *c
	next.CapacityProviders = without(c.CapacityProviders, p.Name)
	return "", store.Put(tx, k, &next)
}

func without(names []string, name string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == name })
}

// maxDescribed is how many capacity providers one page of descriptions has.
const maxDescribed = 10

// DescribeCapacityProviders describes the providers that a request names, or all that
// are not deleted, those of Fargate first.
func (s *Service) DescribeCapacityProviders(ctx context.Context, in *sdk.DescribeCapacityProvidersInput) (*sdk.DescribeCapacityProvidersOutput, error) {
	if len(in.CapacityProviders) > 100 {
		return nil, refuse.Invalid("capacityProviders: at most 100 capacity providers can be described in one call, not %d.", len(in.CapacityProviders))
	}
	if n := in.MaxResults; n != nil && (*n < 1 || *n > maxDescribed) {
		return nil, refuse.Invalid("maxResults must be between 1 and %d, not %d.", maxDescribed, *n)
	}
	p, err := parsePage(in.MaxResults, in.NextToken, append([]string{"DescribeCapacityProviders", aws.ToString(in.Cluster)}, in.CapacityProviders...)...)
	if err != nil {
		return nil, err
	}
	p.limit = min(p.limit, maxDescribed)
	snap, err := s.store.Fresh(ctx)
	if err != nil {
		return nil, err
	}
	shown := func(string) bool { return true }
	if aws.ToString(in.Cluster) != "" {
		c, err := lookup.ActiveCluster(snap.Cluster, s.site, in.Cluster)
		if err != nil {
			return nil, err
		}
		shown = func(name string) bool { return slices.Contains(c.CapacityProviders, name) }
	}
	out := &sdk.DescribeCapacityProvidersOutput{CapacityProviders: []types.CapacityProvider{}, Failures: []types.Failure{}}
	tags := slices.Contains(in.Include, types.CapacityProviderFieldTags)
	if len(in.CapacityProviders) > 0 {
		s.describeProviders(out, p, snap, in.CapacityProviders, shown, tags)
	} else {
		s.listProviders(out, p, snap, shown, tags)
	}
	return out, nil
}

// describeProviders answers for providers by name or ARN. A page continues by the
// index in the request.
func (s *Service) describeProviders(out *sdk.DescribeCapacityProvidersOutput, p page, snap *store.Snapshot, refs []string, shown func(string) bool, tags bool) {
	from := 0
	if n, err := strconv.Atoi(p.after); err == nil {
		from = min(max(n, 0), len(refs))
	}
	to := min(from+p.limit, len(refs))
	for _, ref := range refs[from:to] {
		name, ok := s.site.CapacityProviderName(ref)
		if c := lookup.Provider(snap, name); ok && c != nil && shown(name) {
			out.CapacityProviders = append(out.CapacityProviders, s.providerOut(c, tags))
			continue
		}
		out.Failures = append(out.Failures, refuse.Failure(s.providerResource(&ref), refuse.Missing, ""))
	}
	if to < len(refs) {
		out.NextToken = p.tokenAfter(strconv.Itoa(to))
	}
}

func (s *Service) listProviders(out *sdk.DescribeCapacityProvidersOutput, p page, snap *store.Snapshot, shown func(string) bool, tags bool) {
	// No provider of one's own sorts before these: their names are reserved.
	const own = "~"
	last := ""
	add := func(key string, c *fleet.CapacityProvider) (goOn bool) {
		if c.Status == types.CapacityProviderStatusInactive || !shown(c.Name) {
			return true
		}
		if len(out.CapacityProviders) == p.limit {
			out.NextToken = p.tokenAfter(last)
			return false
		}
		out.CapacityProviders = append(out.CapacityProviders, s.providerOut(c, tags))
		last = key
		return true
	}
	for _, name := range []string{capacity.Fargate, capacity.FargateSpot} {
		if p.after < name && !add(name, lookup.Provider(snap, name)) {
			return
		}
	}
	for name, c := range snap.CapacityProviders(strings.TrimPrefix(afterOwn(p.after, own), own)) {
		if !add(own+name, c) {
			return
		}
	}
}

// afterOwn returns where a listing continues among the providers that users created:
// at their beginning, unless it is there already.
func afterOwn(after, own string) string {
	if strings.HasPrefix(after, own) {
		return after
	}
	return ""
}

func (s *Service) providerOut(p *fleet.CapacityProvider, tags bool) types.CapacityProvider {
	out := types.CapacityProvider{
		CapacityProviderArn: aws.String(s.site.CapacityProviderARN(p.Name)), Name: aws.String(p.Name), Status: p.Status, Type: p.Type,
		UpdateStatus: p.Update, AutoScalingGroupProvider: p.Group, ManagedInstancesProvider: p.Managed, Tags: []types.Tag{},
	}
	if p.UpdateReason != "" {
		out.UpdateStatusReason = aws.String(p.UpdateReason)
	}
	if p.Cluster != "" {
		out.Cluster = aws.String(p.Cluster)
	}
	if tags {
		out.Tags = shape.NotNil(p.Tags)
	}
	return out
}

// providerResource returns the ARN for a request's name of a capacity provider, or
// the text itself if it is no ARN of ours.
func (s *Service) providerResource(ref *string) string {
	name, ok := s.site.CapacityProviderName(aws.ToString(ref))
	if !ok {
		return *ref
	}
	return s.site.CapacityProviderARN(name)
}

// providerResources returns the ARNs of a capacity provider and of the cluster that a
// request names with it.
func (s *Service) providerResources(ref, cluster *string) []string {
	out := []string{s.providerResource(ref)}
	if aws.ToString(cluster) != "" {
		out = append(out, s.clusterResource(cluster))
	}
	return out
}
