package ecs

import (
	"context"
	"slices"
	"strconv"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/frontdoor"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// CreateCluster makes a cluster. One of that name that is there stays as it is.
func (s *Service) CreateCluster(ctx context.Context, in *sdk.CreateClusterInput) (*sdk.CreateClusterOutput, error) {
	name := aws.ToString(in.ClusterName)
	if name == "" {
		name = fleet.DefaultCluster
	}
	if !fleet.ValidName(name) {
		return nil, invalid("clusterName %q is invalid: up to 255 letters (uppercase and lowercase), numbers, underscores, and hyphens are allowed.", name)
	}
	if len(in.CapacityProviders)+len(in.DefaultCapacityProviderStrategy) > 0 {
		return nil, unsupported("capacityProviders and defaultCapacityProviderStrategy are not served yet: create the cluster without them.")
	}
	if err := validTags(in.Tags); err != nil {
		return nil, err
	}
	settings, err := clusterSettings(in.Settings)
	if err != nil {
		return nil, err
	}
	var made *fleet.Cluster
	err = s.store.Update(ctx, func(tx *store.Tx) error {
		k := store.ClusterKey(name)
		made = store.Get(tx, k)
		if made != nil && made.Status == fleet.ClusterActive {
			return nil
		}
		made = &fleet.Cluster{
			Name: name, Status: fleet.ClusterActive, CreatedAt: s.now(),
			Settings: settings, Configuration: in.Configuration, Tags: in.Tags,
		}
		if len(settings) == 0 {
			made.Settings = s.defaultClusterSettings(tx, frontdoor.CallerFrom(ctx).Principal.ARN)
		}
		if d := in.ServiceConnectDefaults; d != nil {
			made.ServiceConnectDefaults = &types.ClusterServiceConnectDefaults{Namespace: d.Namespace}
		}
		return store.Put(tx, k, made)
	})
	if err != nil {
		return nil, err
	}
	c := s.clusterOut(s.store.Snapshot(), made, clusterFields{settings: true, configurations: true, tags: true})
	return &sdk.CreateClusterOutput{Cluster: &c}, nil
}

// clusterSettings checks settings.
func clusterSettings(in []types.ClusterSetting) ([]types.ClusterSetting, error) {
	for _, c := range in {
		if c.Name != types.ClusterSettingNameContainerInsights {
			return nil, invalid("settings: name %q is unknown; it must be containerInsights.", c.Name)
		}
		if v := aws.ToString(c.Value); v != "enabled" && v != "disabled" && v != "enhanced" {
			return nil, invalid("settings: the value of containerInsights must be enhanced, enabled or disabled, not %q.", v)
		}
	}
	return in, nil
}

// defaultClusterSettings are those of a cluster that was made without any: what
// its maker's account settings say.
func (s *Service) defaultClusterSettings(tx *store.Tx, maker string) []types.ClusterSetting {
	v := s.accountSettingTx(tx, maker, types.SettingNameContainerInsights)
	return []types.ClusterSetting{{Name: types.ClusterSettingNameContainerInsights, Value: aws.String(v)}}
}

// DescribeClusters describes the clusters asked for, or the default one.
func (s *Service) DescribeClusters(ctx context.Context, in *sdk.DescribeClustersInput) (*sdk.DescribeClustersOutput, error) {
	if len(in.Clusters) > 100 {
		return nil, invalid("Clusters cannot exceed 100 elements.")
	}
	var fields clusterFields
	for _, f := range in.Include {
		switch f {
		case types.ClusterFieldSettings:
			fields.settings = true
		case types.ClusterFieldConfigurations:
			fields.configurations = true
		case types.ClusterFieldStatistics:
			fields.statistics = true
		case types.ClusterFieldTags:
			fields.tags = true
		case types.ClusterFieldAttachments:
		default:
			return nil, invalid("include: %q is unknown; it must be ATTACHMENTS, CONFIGURATIONS, SETTINGS, STATISTICS or TAGS.", f)
		}
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
		out.Failures = append(out.Failures, failure(s.clusterResource(&ref), missing, ""))
	}
	return out, nil
}

// ListClusters lists the ARNs of the clusters that are not deleted.
func (s *Service) ListClusters(ctx context.Context, in *sdk.ListClustersInput) (*sdk.ListClustersOutput, error) {
	p, err := pageOf(in.MaxResults, in.NextToken, "ListClusters")
	if err != nil {
		return nil, err
	}
	snap, err := s.store.Fresh(ctx)
	if err != nil {
		return nil, err
	}
	list := p.taker()
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
		return nil, invalid("Cluster can not be blank.")
	}
	name, ok := s.site.ClusterName(*in.Cluster)
	if !ok {
		return nil, clusterNotFound()
	}
	var gone *fleet.Cluster
	err := s.store.Update(ctx, func(tx *store.Tx) (err error) {
		gone, err = deleteCluster(tx, name)
		return err
	})
	if err != nil {
		return nil, err
	}
	c := s.clusterOut(s.store.Snapshot(), gone, clusterFields{})
	return &sdk.DeleteClusterOutput{Cluster: &c}, nil
}

func deleteCluster(tx *store.Tx, name string) (*fleet.Cluster, error) {
	k := store.ClusterKey(name)
	c := store.Get(tx, k)
	if c == nil {
		return nil, clusterNotFound()
	}
	if c.Status == fleet.ClusterInactive {
		return c, nil
	}
	// Whoever adds a task or an instance reads the cluster's record by key, and
	// nothing below it may have appeared since this snapshot: the two can't both
	// commit.
	tx.Unchanged(store.ClusterMembers(name))
	n := tx.Snapshot().Counts(name)
	if n.Pending+n.Running > 0 {
		return nil, &types.ClusterContainsTasksException{Message: aws.String("The Cluster cannot be deleted while Tasks are active.")}
	}
	if n.Instances > 0 {
		return nil, &types.ClusterContainsContainerInstancesException{Message: aws.String("The Cluster cannot be deleted while Container Instances are active or draining.")}
	}
	next := *c
	next.Status = fleet.ClusterInactive
	return &next, store.Put(tx, k, &next)
}

// clusterNow finds the cluster that a read means, in the newest state.
func (s *Service) clusterNow(ctx context.Context, ref *string) (*store.Snapshot, *fleet.Cluster, error) {
	snap, err := s.store.Fresh(ctx)
	if err != nil {
		return nil, nil, err
	}
	c, err := s.activeCluster(snap.Cluster, ref)
	return snap, c, err
}

// activeCluster finds the cluster that a request means; it must be ACTIVE.
func (s *Service) activeCluster(get func(name string) *fleet.Cluster, ref *string) (*fleet.Cluster, error) {
	name, ok := s.site.ClusterName(aws.ToString(ref))
	if !ok || !fleet.ValidName(name) {
		return nil, clusterNotFound()
	}
	c := get(name)
	if c == nil {
		return nil, clusterNotFound()
	}
	if c.Status != fleet.ClusterActive {
		return nil, invalid("The referenced cluster was inactive.")
	}
	return c, nil
}

// clusterTx is activeCluster for a transaction, which then commits only while
// the cluster is as it was read.
func (s *Service) clusterTx(tx *store.Tx, ref *string) (*fleet.Cluster, error) {
	return s.activeCluster(func(name string) *fleet.Cluster { return store.Get(tx, store.ClusterKey(name)) }, ref)
}

type clusterFields struct{ settings, configurations, statistics, tags bool }

func (s *Service) clusterOut(snap *store.Snapshot, c *fleet.Cluster, f clusterFields) types.Cluster {
	n := snap.Counts(c.Name)
	out := types.Cluster{
		ClusterArn: aws.String(s.site.ClusterARN(c.Name)), ClusterName: aws.String(c.Name), Status: aws.String(string(c.Status)),
		RegisteredContainerInstancesCount: int32(n.Instances), PendingTasksCount: int32(n.Pending), RunningTasksCount: int32(n.Running),
		CapacityProviders:               orEmpty(c.CapacityProviders),
		DefaultCapacityProviderStrategy: orEmpty(c.DefaultCapacityProviderStrategy),
		ServiceConnectDefaults:          c.ServiceConnectDefaults,
		Settings:                        []types.ClusterSetting{}, Statistics: []types.KeyValuePair{}, Tags: []types.Tag{},
	}
	if f.settings {
		out.Settings = orEmpty(c.Settings)
	}
	if f.configurations {
		out.Configuration = c.Configuration
	}
	if f.tags {
		out.Tags = orEmpty(c.Tags)
	}
	if f.statistics {
		out.Statistics = clusterStatistics(snap, c.Name)
	}
	return out
}

// clusterStatistics counts tasks by launch type, under ECS's names.
func clusterStatistics(snap *store.Snapshot, cluster string) []types.KeyValuePair {
	launchTypes := []types.LaunchType{types.LaunchTypeEc2, types.LaunchTypeFargate, types.LaunchTypeExternal, types.LaunchTypeManagedInstances}
	names := []string{"EC2", "Fargate", "External", "ManagedInstances"}
	var running, pending [4]int
	for t := range snap.Tasks(cluster, "") {
		i := slices.Index(launchTypes, t.LaunchType)
		switch {
		case i < 0 || !t.Holds():
		case t.Status() == fleet.TaskRunning:
			running[i]++
		default:
			pending[i]++
		}
	}
	var out []types.KeyValuePair
	add := func(name string, n int) {
		out = append(out, types.KeyValuePair{Name: aws.String(name), Value: aws.String(strconv.Itoa(n))})
	}
	for i, n := range names {
		add("running"+n+"TasksCount", running[i])
		add("pending"+n+"TasksCount", pending[i])
	}
	for _, n := range names {
		add("active"+n+"ServiceCount", 0)
		add("draining"+n+"ServiceCount", 0)
	}
	return out
}

// orEmpty gives a list its empty form: ECS answers [] where it has nothing.
func orEmpty[S ~[]E, E any](s S) S {
	if s == nil {
		return S{}
	}
	return s
}
