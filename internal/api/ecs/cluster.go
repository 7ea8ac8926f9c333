package ecs

import (
	"context"
	"reflect"
	"slices"
	"strings"

	"github.com/ashore/ashore/internal/ecs/lookup"
	"github.com/ashore/ashore/internal/ecs/refuse"
	"github.com/ashore/ashore/internal/ecs/tag"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/frontdoor"
	"github.com/ashore/ashore/internal/identity"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

func (s *Service) clusterOperations() operations {
	return operations{
		"CreateCluster": newOperation("ecs:CreateCluster", func(in *sdk.CreateClusterInput) []string {
			return []string{s.clusterResource(in.ClusterName)}
		}).With(createClusterContext),
		"DescribeClusters": newOperation("ecs:DescribeClusters", func(in *sdk.DescribeClustersInput) []string {
			if len(in.Clusters) == 0 {
				return []string{s.clusterResource(nil)}
			}
			var out []string
			for i := range in.Clusters {
				out = append(out, s.clusterResource(&in.Clusters[i]))
			}
			return out
		}),
		"ListClusters":  frontdoor.Op[sdk.ListClustersInput]("ecs:ListClusters", nil),
		"DeleteCluster": newOperation("ecs:DeleteCluster", func(in *sdk.DeleteClusterInput) []string { return []string{s.clusterResource(in.Cluster)} }),
	}
}

// CreateCluster creates a cluster. The name of a deleted cluster can be used again.
// An existing cluster stays as it is; it is an error if the request differs from it.
func (s *Service) CreateCluster(ctx context.Context, in *sdk.CreateClusterInput) (*sdk.CreateClusterOutput, error) {
	name := aws.ToString(in.ClusterName)
	if name == "" {
		name = fleet.DefaultCluster
	}
	if !fleet.ValidName(name) {
		return nil, refuse.Invalid("clusterName %q is invalid: up to 255 letters (uppercase and lowercase), numbers, underscores, and hyphens are allowed.", name)
	}
	if err := tag.Check(in.Tags); err != nil {
		return nil, err
	}
	settings, err := checkClusterSettings(in.Settings)
	if err != nil {
		return nil, err
	}
	configuration, err := checkClusterConfiguration(in.Configuration)
	if err != nil {
		return nil, err
	}
	connect, err := checkConnectDefaults(in.ServiceConnectDefaults)
	if err != nil {
		return nil, err
	}
	var made *fleet.Cluster
	err = s.store.Update(ctx, func(tx *store.Tx) error {
		k := store.ClusterKey(name)
		was := store.Get(tx, k)
		active := was != nil && was.Status == fleet.ClusterActive
		var had []string
		if active {
			had = was.CapacityProviders
		}
		a, err := s.resolveAssociation(tx, name, had, in.CapacityProviders, slices.Clone(in.DefaultCapacityProviderStrategy))
		if err != nil {
			return err
		}
		made = &fleet.Cluster{
			Name: name, Status: fleet.ClusterActive, CreatedAt: s.now(),
			Settings: settings, Configuration: configuration, ServiceConnectDefaults: connect, Tags: in.Tags,
			CapacityProviders: a.providers, DefaultCapacityProviderStrategy: a.strategy,
		}
		if len(settings) == 0 {
			made.Settings = s.defaultClusterSettings(tx, frontdoor.CallerFrom(ctx).Principal.ARN)
		}
		if active {
			wanted := made
			made = was
			return checkSameCluster(was, wanted, in)
		}
		return store.Put(tx, k, made)
	})
	if err != nil {
		return nil, err
	}
	c := s.clusterOut(s.store.Snapshot(), made, changedFields)
	return &sdk.CreateClusterOutput{Cluster: &c}, nil
}

// createClusterContext returns the condition keys of CreateCluster.
func createClusterContext(_ frontdoor.Caller, in any, key string) []string {
	asked, ok := in.(*sdk.CreateClusterInput)
	if !ok || key != identity.KeyNameOnly {
		return nil
	}
	return identity.Bool(reflect.DeepEqual(asked, &sdk.CreateClusterInput{ClusterName: asked.ClusterName}))
}

// checkSameCluster checks that a request to create an existing cluster asks for
// nothing else than what exists. What the request does not mention may be anything.
// Tags are not compared: they do not affect what runs.
func checkSameCluster(was, wanted *fleet.Cluster, in *sdk.CreateClusterInput) error {
	for _, m := range []struct {
		name      string
		given     bool
		was, want any
	}{
		{"settings", len(in.Settings) > 0, was.Settings, wanted.Settings},
		{"configuration", in.Configuration != nil, was.Configuration, wanted.Configuration},
		{"capacityProviders", len(in.CapacityProviders) > 0, was.CapacityProviders, wanted.CapacityProviders},
		{"defaultCapacityProviderStrategy", len(in.DefaultCapacityProviderStrategy) > 0, was.DefaultCapacityProviderStrategy, wanted.DefaultCapacityProviderStrategy},
		{"serviceConnectDefaults", in.ServiceConnectDefaults != nil, was.ServiceConnectDefaults, wanted.ServiceConnectDefaults},
	} {
		if m.given && !reflect.DeepEqual(m.was, m.want) {
			return refuse.Invalid("Arguments on this idempotent request are inconsistent with arguments used in previous request(s). (%s: cluster %s has others; change it by UpdateCluster or PutClusterCapacityProviders)", m.name, was.Name)
		}
	}
	return nil
}

// DescribeClusters describes the clusters that a request names, or the default one.
func (s *Service) DescribeClusters(ctx context.Context, in *sdk.DescribeClustersInput) (*sdk.DescribeClustersOutput, error) {
	if len(in.Clusters) > 100 {
		return nil, refuse.Invalid("Clusters cannot exceed 100 elements.")
	}
	asked := func(f types.ClusterField) bool { return slices.Contains(in.Include, f) }
	fields := clusterFields{
		settings: asked(types.ClusterFieldSettings), configurations: asked(types.ClusterFieldConfigurations),
		statistics: asked(types.ClusterFieldStatistics), attachments: asked(types.ClusterFieldAttachments), tags: asked(types.ClusterFieldTags),
	}
	snap, err := s.store.Fresh(ctx)
	if err != nil {
		return nil, err
	}
	refs := in.Clusters
	if len(refs) == 0 {
		refs = []string{fleet.DefaultCluster}
	}
	out := &sdk.DescribeClustersOutput{Clusters: []types.Cluster{}, Failures: []types.Failure{}}
	for _, ref := range refs {
		name, ok := s.site.ClusterName(ref)
		if c := snap.Cluster(name); ok && c != nil {
			out.Clusters = append(out.Clusters, s.clusterOut(snap, c, fields))
			continue
		}
		out.Failures = append(out.Failures, refuse.Failure(s.clusterResource(&ref), refuse.Missing, lookup.UnreadableDetail(snap, store.ClusterKey(name))))
	}
	return out, nil
}

// ListClusters lists the ARNs of the clusters that are not deleted.
func (s *Service) ListClusters(ctx context.Context, in *sdk.ListClustersInput) (*sdk.ListClustersOutput, error) {
	p, err := parsePage(in.MaxResults, in.NextToken, "ListClusters")
	if err != nil {
		return nil, err
	}
	snap, err := s.store.Fresh(ctx)
	if err != nil {
		return nil, err
	}
	list := p.newCollector()
	for name, c := range snap.Clusters(p.after) {
		if c.Status == fleet.ClusterActive && !list.add(name, s.site.ClusterARN(name)) {
			break
		}
	}
	return &sdk.ListClustersOutput{ClusterArns: list.items, NextToken: list.next}, nil
}

// DeleteCluster deletes an empty cluster. It stays visible as INACTIVE.
func (s *Service) DeleteCluster(ctx context.Context, in *sdk.DeleteClusterInput) (*sdk.DeleteClusterOutput, error) {
	if aws.ToString(in.Cluster) == "" {
		return nil, refuse.Invalid("Cluster can not be blank.")
	}
	name, ok := s.site.ClusterName(*in.Cluster)
	if !ok {
		return nil, refuse.ClusterNotFound()
	}
	var gone *fleet.Cluster
	err := s.store.Update(ctx, func(tx *store.Tx) (err error) {
		gone, err = s.deleteCluster(tx, name)
		return err
	})
	if err != nil {
		return nil, err
	}
	c := s.clusterOut(s.store.Snapshot(), gone, clusterFields{})
	return &sdk.DeleteClusterOutput{Cluster: &c}, nil
}

func (s *Service) deleteCluster(tx *store.Tx, name string) (*fleet.Cluster, error) {
	k := store.ClusterKey(name)
	c := store.Get(tx, k)
	if c == nil {
		return nil, refuse.ClusterNotFound()
	}
	if c.Status == fleet.ClusterInactive {
		return c, nil
	}
	// A transaction that adds a task or an instance reads the cluster's record by key.
	// This one commits only if nothing was added below the cluster since its snapshot.
	// So the two can't both commit.
	tx.Unchanged(store.ClusterMembers(name))
	if err := tx.Snapshot().AllReadable(store.ClusterMembers(name)); err != nil {
		return nil, err
	}
	n := tx.Snapshot().Counts(name)
	if n.Pending+n.Running > 0 {
		return nil, &types.ClusterContainsTasksException{Message: aws.String("The Cluster cannot be deleted while Tasks are active.")}
	}
	// A DRAINING service has nothing but its tasks. Like ECS, Ashore still describes
	// it when its cluster is deleted.
	for svc := range tx.Snapshot().Services(name, "") {
		if svc.Status == fleet.ServiceActive {
			return nil, &types.ClusterContainsServicesException{Message: aws.String("The Cluster cannot be deleted while Services are active.")}
		}
	}
	if n.Instances > 0 {
		return nil, &types.ClusterContainsContainerInstancesException{Message: aws.String("The Cluster cannot be deleted while Container Instances are active or draining.")}
	}
	if own := clusterScoped(tx.Snapshot(), c); len(own) > 0 {
		return nil, &types.ClusterContainsCapacityProviderException{Message: aws.String("The Cluster cannot be deleted while Cluster Scoped Capacity Providers are attached to the cluster. (" + strings.Join(own, ", ") + ")")}
	}
	// The other providers are not associated with the cluster any more.
	next := *c
	next.Status, next.DeletedAt = fleet.ClusterInactive, s.now()
	next.CapacityProviders, next.DefaultCapacityProviderStrategy = nil, nil
	return &next, store.Put(tx, k, &next)
}

// readCluster finds the cluster that a read means, in the newest state.
func (s *Service) readCluster(ctx context.Context, ref *string) (*store.Snapshot, *fleet.Cluster, error) {
	snap, err := s.store.Fresh(ctx)
	if err != nil {
		return nil, nil, err
	}
	c, err := lookup.Cluster(snap, s.site, ref)
	return snap, c, err
}

// clusterTx finds the cluster that a request means, for a transaction. The
// transaction then commits only if the cluster is unchanged.
func (s *Service) clusterTx(tx *store.Tx, ref *string) (*fleet.Cluster, error) {
	return lookup.ClusterTx(tx, s.site, ref)
}
