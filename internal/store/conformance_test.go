package store

import (
	"context"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store/etcdtest"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// backend is an etcd for the conformance suite.
type backend struct {
	name string
	sole bool
	open func(t *testing.T) *clientv3.Client
}

var backends = []backend{
	{"embedded", true, func(t *testing.T) *clientv3.Client { return embedded(t, t.TempDir()).Client }},
	{"external", false, func(t *testing.T) *clientv3.Client {
		return connected(t, ConnectConfig{Endpoints: []string{etcdtest.Start(t, etcdtest.Options{}).Endpoint()}})
	}},
}

func connected(t testing.TB, c ConnectConfig) *clientv3.Client {
	t.Helper()
	client, err := Connect(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := ignoreCanceled(client.Close()); err != nil {
			t.Error(err)
		}
	})
	return client
}

func embedded(t testing.TB, dir string, opts ...EmbedOption) *Embedded {
	t.Helper()
	e, err := Embed(t.Context(), dir, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

func opened(t testing.TB, client *clientv3.Client, cfg Config) *Store {
	t.Helper()
	s, err := Open(t.Context(), client, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// TestConformance tests every behaviour of a store on each kind of etcd.
func TestConformance(t *testing.T) {
	cases := []struct {
		name string
		run  func(*testing.T, *clientv3.Client, Config)
	}{
		{"format", conformFormat},
		{"records", conformRecords},
		{"guards", conformGuards},
		{"emptiness", conformEmptiness},
		{"feed", conformFeed},
		{"reopen", conformReopen},
		{"lease", conformLease},
		{"concurrent", conformConcurrent},
		{"large", conformLarge},
		{"try", conformTry},
		{"compaction", conformCompaction},
		{"backup", conformBackup},
		{"election", conformElection},
		{"campaign", conformCampaign},
		{"uncertain campaign", conformUncertainCampaign},
		{"spoilt campaign", conformDamagedCampaign},
		{"unreadable", conformUnreadable},
		{"torn", conformTorn},
		{"unknown", conformUnknown},
	}
	for _, b := range backends {
		t.Run(b.name, func(t *testing.T) {
			client := b.open(t)
			for _, c := range cases {
				t.Run(c.name, func(t *testing.T) {
					c.run(t, client, Config{Prefix: "/" + c.name, Sole: b.sole, LeaseTTL: 2 * time.Second})
				})
			}
		})
	}
}

// within returns a context that bounds a test's waits.
func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func putCluster(t testing.TB, s *Store, name string) {
	t.Helper()
	err := s.Update(t.Context(), func(tx *Tx) error {
		return Create(tx, ClusterKey(name), &fleet.Cluster{Name: name, Status: fleet.ClusterActive})
	})
	if err != nil {
		t.Fatal(err)
	}
}

func task(cluster, id, instance, family string) *fleet.Task {
	return &fleet.Task{Cluster: cluster, ID: id, Instance: instance, Family: family, Revision: 1,
		Reserve: fleet.Reservation{CPU: 10, Memory: 20}}
}

func putTask(t testing.TB, s *Store, v *fleet.Task) {
	t.Helper()
	err := s.Update(t.Context(), func(tx *Tx) error { return Create(tx, TaskKey(v.Cluster, v.ID), v) })
	if err != nil {
		t.Fatal(err)
	}
}
