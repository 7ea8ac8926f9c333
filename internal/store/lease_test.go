package store

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/store/etcdtest"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
)

// deaf is a stream that never receives an answer.
type deaf struct{ grpc.ClientStream }

func (d deaf) RecvMsg(any) error {
	<-d.Context().Done()
	return d.Context().Err()
}

// A lease lives while every second renewal reaches a member that does not answer. It is
// given up when no renewal is answered.
func TestLeaseKeptBySomeAnswers(t *testing.T) {
	t.Parallel()
	var tries, kept atomic.Int64
	var all atomic.Bool
	lose := func(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, streamer grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
		stream, err := streamer(ctx, desc, cc, method, opts...)
		if err != nil || !strings.HasSuffix(method, "/LeaseKeepAlive") {
			return stream, err
		}
		if tries.Add(1)%2 == 1 || all.Load() {
			return deaf{stream}, nil
		}
		kept.Add(1)
		return stream, nil
	}
	etcd := etcdtest.Start(t, etcdtest.Options{})
	client, err := clientv3.New(clientv3.Config{
		Endpoints: []string{etcd.Endpoint()}, Logger: zap.NewNop(),
		DialOptions: []grpc.DialOption{grpc.WithChainStreamInterceptor(lose)},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() }) // the error only says that its context has ended
	s := opened(t, client, Config{LeaseTTL: 4 * time.Second})
	ctx := within(t)
	id, err := s.Lease(ctx)
	if err != nil {
		t.Fatal(err)
	}
	lost := s.LeaseLost()
	for kept.Load() < 3 { // longer than the lease's time
		select {
		case <-lost:
			t.Fatalf("lost after %d renewals and %d tries", kept.Load(), tries.Load())
		case <-time.After(10 * time.Millisecond):
		}
	}
	if again, err := s.Lease(ctx); err != nil || again != id {
		t.Errorf("the lease is %x after %x: %v", again, id, err)
	}
	all.Store(true)
	select {
	case <-lost:
	case <-ctx.Done():
		t.Error("a lease that is not renewed is not lost")
	}
}
