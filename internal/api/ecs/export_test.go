package ecs

import (
	"context"

	"github.com/ashore/ashore/internal/control/scheduler"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/identity"
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
	capacity, err := capacityOf(in.TotalResources, in.PlatformDevices)
	if err != nil {
		return err
	}
	_, err = s.register(tx, &registration{in: in, capacity: capacity, caller: identity.Principal{Kind: identity.Admin}})
	return err
}

func DeregisterTx(s *Service, tx *store.Tx, cluster, id string) error {
	return s.deregister(tx, cluster, id)
}

// RunTx places as the placer does what a call asks for that begins now.
func RunTx(s *Service, tx *store.Tx, in *sdk.RunTaskInput) (placed int, err error) {
	return RunSinceTx(s, tx, in, tx.Snapshot().Revision())
}

// RunSinceTx places as the placer does what a call asks for that began when the
// state had a revision.
func RunSinceTx(s *Service, tx *store.Tx, in *sdk.RunTaskInput, since int64) (placed int, err error) {
	l, err := runLaunch(in)
	if err != nil {
		return 0, err
	}
	o := &order{launch: l}
	l.since = since
	err = newRound(s.placer, tx).serve(o)
	return len(o.tasks), err
}

// OwnText is what checkOf leaves to the handlers.
var OwnText = ownText

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
	return s.regain(ctx, was, is)
}

// DeleteProviderTx is the transaction of DeleteCapacityProvider; it returns what
// becomes of the provider.
func DeleteProviderTx(s *Service, tx *store.Tx, name string) (*fleet.CapacityProvider, error) {
	return s.deleteProvider(tx, &sdk.DeleteCapacityProviderInput{CapacityProvider: &name})
}

// SettleTx gives hosts to tasks that wait as the leader's placer does. It returns
// the ids of those placed.
func SettleTx(s *Service, tx *store.Tx, term *store.Term, cluster string, ids ...string) ([]string, error) {
	o := &order{waiting: &waiting{term: term, cluster: cluster, ids: ids}}
	err := newRound(s.placer, tx).settle(o)
	return o.tasks, err
}

// LaunchTx launches a service's tasks as the scheduler's placer does.
func LaunchTx(s *Service, tx *store.Tx, l scheduler.Launch) (scheduler.Launched, error) {
	o := &order{service: &serviceLaunch{Launch: l}}
	err := newRound(s.placer, tx).employ(o)
	return o.service.launched, err
}
