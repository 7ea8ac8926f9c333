package placer_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/ashore/ashore/internal/api/apitest"
	"github.com/ashore/ashore/internal/control/placer"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

var errDecided = errors.New("decided")

// decide measures a decision without its commit, on a cluster c of 100 hosts with the
// family sleep and the service web.
func decide(b *testing.B, p func(*apitest.API) func(*store.Tx, *store.Term) error) {
	a := apitest.Start(b, apitest.Still)
	ctx := context.Background()
	if _, err := a.Client.CreateCluster(ctx, &sdk.CreateClusterInput{ClusterName: aws.String("c")}); err != nil {
		b.Fatal(err)
	}
	if _, err := a.Client.RegisterTaskDefinition(ctx, &sdk.RegisterTaskDefinitionInput{
		Family: aws.String("sleep"), ContainerDefinitions: []types.ContainerDefinition{{Name: aws.String("c"), Image: aws.String("busybox"), Cpu: 16, Memory: aws.Int32(16)}},
	}); err != nil {
		b.Fatal(err)
	}
	for i := range 100 {
		a.Register(fmt.Sprint("h", i), "c")
	}
	if _, err := a.Client.CreateService(ctx, &sdk.CreateServiceInput{
		Cluster: aws.String("c"), ServiceName: aws.String("web"), TaskDefinition: aws.String("sleep"), DesiredCount: aws.Int32(10),
	}); err != nil {
		b.Fatal(err)
	}
	decision := p(a)
	err := a.Store.Lead(ctx, "scheduler", "test", func(ctx context.Context, term *store.Term) error {
		b.ReportAllocs()
		for b.Loop() {
			err := a.Store.Update(ctx, func(tx *store.Tx) error {
				if err := decision(tx, term); err != nil {
					return err
				}
				return errDecided
			})
			if !errors.Is(err, errDecided) {
				b.Fatal(err)
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}

func benchmarkRunTask(b *testing.B, strategies ...types.PlacementStrategy) {
	decide(b, func(a *apitest.API) func(*store.Tx, *store.Term) error {
		p := placer.New(placer.Config{Store: a.Store})
		in := &sdk.RunTaskInput{Cluster: aws.String("c"), TaskDefinition: aws.String("sleep"), Count: aws.Int32(10), PlacementStrategy: strategies, ClientToken: aws.String("t")}
		return func(tx *store.Tx, _ *store.Term) error {
			n, err := placer.RunTx(p, tx, in)
			if err == nil && n != 10 {
				err = fmt.Errorf("%d placed", n)
			}
			return err
		}
	})
}

func BenchmarkRunTask(b *testing.B) { benchmarkRunTask(b) }

func BenchmarkRunTaskSpread(b *testing.B) {
	benchmarkRunTask(b, types.PlacementStrategy{Type: types.PlacementStrategyTypeSpread, Field: aws.String("instanceId")})
}

func BenchmarkLaunchService(b *testing.B) {
	decide(b, func(a *apitest.API) func(*store.Tx, *store.Term) error {
		p := placer.New(placer.Config{Store: a.Store})
		return func(tx *store.Tx, term *store.Term) error {
			svc := tx.Snapshot().Service("c", "web")
			out, err := placer.LaunchTx(p, tx, placer.ServiceLaunch{Term: term, Service: svc, Deployment: svc.Deployment, Count: 10})
			if err == nil && out.Tasks != 10 {
				err = fmt.Errorf("%+v", out)
			}
			return err
		}
	})
}
