package store

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store/etcdtest"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Answers of transactions get lost, after they took effect or before: every
// write is carried out once and every caller is told so.
func TestAnswersGetLost(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	var mu sync.Mutex
	rng := rand.New(rand.NewPCG(seed, 0))
	lost := 0
	lose := func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		mu.Lock()
		before, after := rng.IntN(5) == 0, rng.IntN(3) == 0
		mu.Unlock()
		if method != "/etcdserverpb.KV/Txn" {
			return invoke(ctx, method, req, reply, cc, opts...)
		}
		if !before {
			if err := invoke(ctx, method, req, reply, cc, opts...); err != nil {
				return err
			}
		}
		if before || after {
			mu.Lock()
			lost++
			mu.Unlock()
			return status.Error(codes.Unavailable, "lost")
		}
		return nil
	}
	etcd := etcdtest.Start(t, etcdtest.Options{})
	open := func() *Store {
		client, err := clientv3.New(clientv3.Config{
			Endpoints: []string{etcd.Endpoint()}, Logger: zap.NewNop(),
			DialOptions: []grpc.DialOption{grpc.WithChainUnaryInterceptor(lose)},
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = client.Close() }) // says only that its context has ended
		return opened(t, client, Config{})
	}
	stores := []*Store{opened(t, etcd.Client(t), Config{})}
	for range 2 {
		stores = append(stores, open())
	}
	const each = 40
	var g errgroup.Group
	for i, s := range stores {
		for j := range each {
			g.Go(func() error {
				name := fmt.Sprintf("c%d-%d", i, j)
				err := s.Update(t.Context(), func(tx *Tx) error { return Create(tx, ClusterKey(name), &fleet.Cluster{Name: name}) })
				if err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
				return nil
			})
		}
	}
	counter := ClusterKey("counter")
	for i := range each {
		g.Go(func() error {
			return stores[i%3].Update(t.Context(), func(tx *Tx) error {
				c := fleet.Cluster{Name: "counter"}
				if old := Get(tx, counter); old != nil {
					c.Tags = old.Tags
				}
				c.Tags = append(c.Tags[:len(c.Tags):len(c.Tags)], types.Tag{Key: aws.String(fmt.Sprint(i))})
				return Put(tx, counter, &c)
			})
		})
	}
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
	snap, err := stores[0].Fresh(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c := snap.Cluster("counter")
	if c == nil || len(c.Tags) != each {
		t.Errorf("the counter was raised %d times to %d: %+v", each, len(c.Tags), c)
	}
	if lost == 0 {
		t.Error("nothing was lost")
	}
	t.Logf("%d answers were lost", lost)
}
