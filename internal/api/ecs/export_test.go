package ecs

import (
	"context"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
)

// The transactions of some operations, for tests that let another one commit
// between decision and commit.

func DeleteClusterTx(s *Service, tx *store.Tx, name string) error {
	_, err := s.deleteCluster(tx, name)
	return err
}

func RegisterTx(s *Service, tx *store.Tx, in *RegisterContainerInstanceInput) error {
	capacity, err := parseCapacity(in.TotalResources, in.PlatformDevices)
	if err != nil {
		return err
	}
	_, err = s.register(tx, &registration{in: in, capacity: capacity})
	return err
}

func DeregisterTx(s *Service, tx *store.Tx, cluster, id string) error {
	return s.deregisterIdle(tx, cluster, id)
}

// OwnText is what checkOf leaves to the handlers.
var OwnText = membersWithOwnText

// PutProvidersTx is the transaction of PutClusterCapacityProviders.
func PutProvidersTx(s *Service, tx *store.Tx, cluster string, providers ...string) error {
	c, err := s.clusterTx(tx, &cluster)
	if err != nil {
		return err
	}
	next := *c
	if err := s.putProviders(tx, &next, providers, nil); err != nil {
		return err
	}
	return store.Put(tx, store.ClusterKey(cluster), &next)
}

// Regain is what follows a transaction that has taken providers from a cluster.
func Regain(ctx context.Context, s *Service, was, is *fleet.Cluster) error {
	return s.restoreUsed(ctx, was, is)
}

// DeleteProviderTx is the transaction of DeleteCapacityProvider; it returns what
// becomes of the provider.
func DeleteProviderTx(s *Service, tx *store.Tx, name string) (*fleet.CapacityProvider, error) {
	return s.deleteProvider(tx, &sdk.DeleteCapacityProviderInput{CapacityProvider: &name})
}
