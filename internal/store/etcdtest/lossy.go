package etcdtest

import (
	"context"
	"sync"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Fate says what happens to one try of a transaction. With the zero Fate etcd answers
// it.
type Fate struct {
	// Stays says that the request does not reach etcd.
	Stays bool
	// Late says that it reaches etcd when Release is called.
	Late bool
	// Answer, if not nil, is what the client gets in place of etcd's answer.
	Answer error
}

// These are the fates of a try whose answer is lost.
var (
	lost = status.Error(codes.Unavailable, "lost")

	LostBefore = Fate{Stays: true, Answer: lost}             // it has no effect
	LostAfter  = Fate{Answer: lost}                          // it takes effect, and the client does not learn it
	LostLate   = Fate{Stays: true, Late: true, Answer: lost} // it may still take effect
)

// Refused returns the fate of a try that etcd refuses: it has no effect.
func Refused(with error) Fate { return Fate{Stays: true, Answer: with} }

// Lossy decides what happens to each try of a transaction on its way to etcd.
type Lossy struct {
	mu   sync.Mutex
	fate func(*pb.TxnRequest) Fate         // guarded by mu
	met  map[Fate]int                      // guarded by mu
	late []func(ctx context.Context) error // guarded by mu
}

// Set sets the function that decides from now on. With nil every try passes. All tries
// of a transaction have the same request.
func (l *Lossy) Set(fate func(*pb.TxnRequest) Fate) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fate = fate
}

// Met counts the tries with a fate.
func (l *Lossy) Met(f Fate) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.met[f]
}

// Release sends the late tries.
func (l *Lossy) Release(ctx context.Context, t testing.TB) {
	t.Helper()
	l.mu.Lock()
	late := l.late
	l.late = nil
	l.mu.Unlock()
	for _, send := range late {
		if err := send(ctx); err != nil {
			t.Error(err)
		}
	}
}

func (l *Lossy) decide(txn *pb.TxnRequest, send func(context.Context) error) Fate {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fate == nil {
		return Fate{}
	}
	f := l.fate(txn)
	if l.met == nil {
		l.met = map[Fate]int{}
	}
	l.met[f]++
	if f.Late {
		l.late = append(l.late, send)
	}
	return f
}

// applyFate applies the fate of one try. It returns nil if etcd has answered; send leaves
// that answer in r.
func (l *Lossy) applyFate(ctx context.Context, txn *pb.TxnRequest, r *pb.TxnResponse, send func(context.Context, *pb.TxnResponse) error) error {
	f := l.decide(txn, func(ctx context.Context) error { return send(ctx, &pb.TxnResponse{}) })
	if !f.Stays {
		if err := send(ctx, r); err != nil {
			return err
		}
	}
	return f.Answer
}

// KV returns a client for messages that pass through l.
func (l *Lossy) KV(kv pb.KVClient) pb.KVClient { return lossyKV{kv, l} }

type lossyKV struct {
	pb.KVClient
	l *Lossy
}

func (kv lossyKV) Txn(ctx context.Context, txn *pb.TxnRequest, opts ...grpc.CallOption) (*pb.TxnResponse, error) {
	var answer pb.TxnResponse
	err := kv.l.applyFate(ctx, txn, &answer, func(ctx context.Context, r *pb.TxnResponse) error {
		a, err := kv.KVClient.Txn(ctx, txn, opts...)
		if err == nil {
			r.Header, r.Succeeded, r.Responses = a.Header, a.Succeeded, a.Responses
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return &answer, nil
}

// LossyClient returns a client whose transactions l decides about. It is closed at the
// end of the test.
func (e *Etcd) LossyClient(t testing.TB, l *Lossy) *clientv3.Client {
	t.Helper()
	lossy := func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		txn, ok := req.(*pb.TxnRequest)
		if !ok {
			return invoke(ctx, method, req, reply, cc, opts...)
		}
		return l.applyFate(ctx, txn, reply.(*pb.TxnResponse), func(ctx context.Context, r *pb.TxnResponse) error {
			return invoke(ctx, method, txn, r, cc, opts...)
		})
	}
	c, err := clientv3.New(clientv3.Config{
		Endpoints: []string{e.endpoint}, Logger: zap.NewNop(),
		DialOptions: []grpc.DialOption{grpc.WithChainUnaryInterceptor(lossy)},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() }) // the error only says that its context has ended
	return c
}
