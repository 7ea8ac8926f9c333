package ecs

import (
	"context"
	"slices"

	"github.com/ashore/ashore/internal/ecs/refuse"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

func (s *Service) clusterUpdateOperations() operations {
	return operations{
		"UpdateCluster": newOperation("ecs:UpdateCluster", func(in *sdk.UpdateClusterInput) []string { return []string{s.clusterResource(in.Cluster)} }),
		"UpdateClusterSettings": newOperation("ecs:UpdateClusterSettings", func(in *sdk.UpdateClusterSettingsInput) []string {
			return []string{s.clusterResource(in.Cluster)}
		}),
		"PutClusterCapacityProviders": newOperation("ecs:PutClusterCapacityProviders", func(in *sdk.PutClusterCapacityProvidersInput) []string {
			return []string{s.clusterResource(in.Cluster)}
		}),
	}
}

// UpdateCluster replaces those of a cluster's settings, configuration and Service
// Connect defaults that the request has.
func (s *Service) UpdateCluster(ctx context.Context, in *sdk.UpdateClusterInput) (*sdk.UpdateClusterOutput, error) {
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
	c, err := s.changeCluster(ctx, in.Cluster, changedFields, func(_ *store.Tx, c *fleet.Cluster) error {
		if len(settings) > 0 {
			c.Settings = settings
		}
		if configuration != nil {
			c.Configuration = configuration
		}
		if in.ServiceConnectDefaults != nil {
			c.ServiceConnectDefaults = connect
		}
		return nil
	})
	return &sdk.UpdateClusterOutput{Cluster: c}, err
}

// UpdateClusterSettings replaces a cluster's settings.
func (s *Service) UpdateClusterSettings(ctx context.Context, in *sdk.UpdateClusterSettingsInput) (*sdk.UpdateClusterSettingsOutput, error) {
	if len(in.Settings) == 0 {
		return nil, refuse.Invalid("settings: at least one setting is required.")
	}
	settings, err := checkClusterSettings(in.Settings)
	if err != nil {
		return nil, err
	}
	c, err := s.changeCluster(ctx, in.Cluster, changedFields, func(_ *store.Tx, c *fleet.Cluster) error {
		c.Settings = settings
		return nil
	})
	return &sdk.UpdateClusterSettingsOutput{Cluster: c}, err
}

// PutClusterCapacityProviders replaces a cluster's capacity providers and its default
// strategy. Providers that belong to the cluster alone stay, whether the request
// names them or not.
func (s *Service) PutClusterCapacityProviders(ctx context.Context, in *sdk.PutClusterCapacityProvidersInput) (*sdk.PutClusterCapacityProvidersOutput, error) {
	fields := changedFields
	fields.attachments = true
	var was, is fleet.Cluster
	c, err := s.changeCluster(ctx, in.Cluster, fields, func(tx *store.Tx, c *fleet.Cluster) error {
		was = *c
		err := s.putProviders(tx, c, in.CapacityProviders, in.DefaultCapacityProviderStrategy)
		is = *c
		return err
	})
	if err == nil {
		err = s.restoreUsed(ctx, &was, &is)
	}
	return &sdk.PutClusterCapacityProvidersOutput{Cluster: c}, err
}

func (s *Service) putProviders(tx *store.Tx, c *fleet.Cluster, refs []string, strategy []types.CapacityProviderStrategyItem) error {
	for _, name := range clusterScoped(tx.Snapshot(), c) {
		if !slices.Contains(refs, name) && !slices.Contains(refs, s.site.CapacityProviderARN(name)) {
			refs = append(refs[:len(refs):len(refs)], name)
		}
	}
	a, err := s.resolveAssociation(tx, c.Name, c.CapacityProviders, refs, slices.Clone(strategy))
	if err != nil {
		return err
	}
	if used := usedProviders(tx.Snapshot(), c, a.providers); len(used) > 0 {
		return providersInUse(used)
	}
	c.CapacityProviders, c.DefaultCapacityProviderStrategy = a.providers, a.strategy
	return nil
}

// changeCluster changes the record of an ACTIVE cluster. The request must name the
// cluster.
func (s *Service) changeCluster(ctx context.Context, ref *string, show clusterFields, change func(*store.Tx, *fleet.Cluster) error) (*types.Cluster, error) {
	if aws.ToString(ref) == "" {
		return nil, refuse.Invalid("Cluster can not be blank.")
	}
	var next fleet.Cluster
	err := s.store.Update(ctx, func(tx *store.Tx) error {
		c, err := s.clusterTx(tx, ref)
		if err != nil {
			return err
		}
		next = *c
		if err := change(tx, &next); err != nil {
			return err
		}
		return store.Put(tx, store.ClusterKey(next.Name), &next)
	})
	if err != nil {
		return nil, err
	}
	out := s.clusterOut(s.store.Snapshot(), &next, show)
	return &out, nil
}
