package ecs_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/ashore/ashore/internal/api/apitest"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store/etcdtest"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/smithy-go"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

// noToken sends no clientToken, as clients without an SDK do.
type noToken struct{}

func (noToken) GetIdempotencyToken() (string, error) { return "", nil }

// joined says that a transaction carries out several calls at once.
func joined(txn *pb.TxnRequest) bool {
	tasks, services := false, 0
	for _, op := range txn.Success {
		key := string(op.GetRequestPut().GetKey())
		tasks = tasks || strings.Contains(key, "/task/")
		if strings.Contains(key, "/deployment/") {
			services++
		}
	}
	return tasks && services > 0 || services > 1
}

// Etcd's answers get lost, or the repetition after a lost answer is refused. A RunTask
// without a clientToken then places once at most, RegisterTaskDefinition creates one
// revision at most, and CreateService does not report a service that it has created
// itself as existing. The calls are simultaneous, so that the store joins their
// transactions.
func TestSecondAnswers(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	l := &etcdtest.Lossy{}
	a := apitest.StartOn(t, etcdtest.Start(t, etcdtest.Options{}).LossyClient(t, l))
	ctx := t.Context()
	apitest.CreateCluster(t, a, "c")
	a.Register("h", "c")
	apitest.Define(t, a, "sleep", func(in *sdk.RegisterTaskDefinitionInput) { in.ContainerDefinitions[0].Memory = aws.Int32(4) })
	var mu sync.Mutex
	rng, tries := rand.New(rand.NewPCG(seed, 0)), map[*pb.TxnRequest]int{}
	refused := etcdtest.Refused(rpctypes.ErrGRPCRequestTooManyRequests)
	late := false
	l.Set(func(txn *pb.TxnRequest) etcdtest.Fate {
		mu.Lock()
		defer mu.Unlock()
		tries[txn]++
		if joined(txn) && tries[txn] <= 2 {
			return []etcdtest.Fate{etcdtest.LostAfter, refused}[tries[txn]-1]
		}
		switch of := rng.IntN(8); {
		case tries[txn] == 1 && !late: // whatever chance says later
			late = true
			return etcdtest.LostLate
		case tries[txn] == 1 && of < 4:
			return etcdtest.LostAfter
		case tries[txn] == 1 && of < 5:
			return etcdtest.LostLate
		case tries[txn] == 2 && of < 6:
			return refused
		}
		return etcdtest.Fate{}
	})
	const calls, atOnce = 120, 20
	ran, created, registered := make([]error, calls), make([]error, calls), make([]error, calls)
	tasks := make([]*sdk.RunTaskOutput, calls)
	var wg sync.WaitGroup
	for i := range calls {
		if i%atOnce == 0 {
			wg.Wait()
		}
		wg.Go(func() {
			tasks[i], ran[i] = a.Client.RunTask(ctx, &sdk.RunTaskInput{
				Cluster: aws.String("c"), TaskDefinition: aws.String("sleep"), StartedBy: aws.String(fmt.Sprint("call", i)),
			}, func(o *sdk.Options) { o.IdempotencyTokenProvider = noToken{} })
		})
		wg.Go(func() {
			_, created[i] = a.Client.CreateService(ctx, &sdk.CreateServiceInput{
				Cluster: aws.String("c"), ServiceName: aws.String(fmt.Sprint("s", i)), TaskDefinition: aws.String("sleep"), DesiredCount: aws.Int32(0),
			}, func(o *sdk.Options) { o.IdempotencyTokenProvider = noToken{} })
		})
		wg.Go(func() {
			_, registered[i] = a.Client.RegisterTaskDefinition(ctx, &sdk.RegisterTaskDefinitionInput{
				Family: aws.String(fmt.Sprint("f", i)), ContainerDefinitions: []types.ContainerDefinition{apitest.Box("a")},
			})
		})
	}
	wg.Wait()
	l.Set(nil)
	l.Release(ctx, t)
	snap, err := a.Store.Fresh(ctx)
	if err != nil {
		t.Fatal(err)
	}
	placed := map[string][]*fleet.TaskState{}
	for task := range snap.Tasks("c", "") {
		placed[task.StartedBy] = append(placed[task.StartedBy], task)
	}
	for i := range calls {
		is := placed[fmt.Sprint("call", i)]
		answered := 0
		if ran[i] == nil {
			answered = len(tasks[i].Tasks)
		}
		if len(is) > 1 || ran[i] == nil && answered != len(is) {
			t.Errorf("RunTask %d placed %d tasks and answered %d, %v", i, len(is), answered, ran[i])
		}
		answer := smithy.APIError(nil)
		exists := snap.Service("c", fmt.Sprint("s", i)) != nil
		if errors.As(created[i], &answer) && answer.ErrorCode() != "ServerException" || created[i] == nil && !exists {
			t.Errorf("CreateService %d answered %v, and it exists: %v", i, created[i], exists)
		}
		revisions := 0
		if f := snap.Family(fmt.Sprint("f", i)); f != nil {
			revisions = f.Latest
		}
		if revisions > 1 || registered[i] == nil && revisions == 0 {
			t.Errorf("RegisterTaskDefinition %d made %d revisions and answered %v", i, revisions, registered[i])
		}
	}
	for _, f := range []etcdtest.Fate{etcdtest.LostAfter, etcdtest.LostLate, refused} {
		if l.Met(f) == 0 {
			t.Errorf("no try has met %+v", f)
		}
	}
}
