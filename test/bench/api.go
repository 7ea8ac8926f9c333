package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"golang.org/x/sync/errgroup"

	"github.com/ashore/ashore/internal/fleet"
)

const (
	callers  = 8
	loadTime = 5 * time.Second
)

// load makes calls from several callers for some time.
func load(ctx context.Context, call func(context.Context) error) (sample, time.Duration, error) {
	var mu sync.Mutex
	var all sample
	began := time.Now()
	g, ctx := errgroup.WithContext(ctx)
	for range callers {
		g.Go(func() error {
			var own sample
			for time.Since(began) < loadTime {
				at := time.Now()
				if err := call(ctx); err != nil {
					return err
				}
				own = append(own, time.Since(at))
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, own...)
			return nil
		})
	}
	err := g.Wait()
	return all, time.Since(began), err
}

func (b *bench) addLoad(what string, s sample, took time.Duration) {
	b.report.add(result{What: fmt.Sprintf("%s, %d callers", what, callers), Unit: "calls/s", Value: float64(len(s)) / took.Seconds()})
	b.report.add(result{What: what + ", p50", Unit: "ms", Value: ms(s.median())})
	b.report.add(result{What: what + ", p99", Unit: "ms", Value: ms(s.at(99)), Budget: "under 20 ms at full scale", Met: met(s.at(99) < 20*time.Millisecond)})
}

// describeTasks measures DescribeTasks of ten tasks at a time.
func (b *bench) describeTasks(ctx context.Context) error {
	arns, err := b.start(ctx, 10)
	if err != nil {
		return err
	}
	if _, err := b.awaitRunning(ctx, arns, pollEvery); err != nil {
		return err
	}
	s, took, err := load(ctx, func(ctx context.Context) error {
		out, err := b.in.API.ECS.DescribeTasks(ctx, &ecs.DescribeTasksInput{Tasks: arns})
		if err == nil && len(out.Tasks) != len(arns) {
			err = fmt.Errorf("%d of %d tasks described", len(out.Tasks), len(arns))
		}
		return err
	})
	if err != nil {
		return err
	}
	b.addLoad("DescribeTasks of 10", s, took)
	return b.stop(ctx, arns, pollEvery)
}

// startToReady measures a server's start on an empty data directory, and its restart,
// to the answer of the first signed call.
func (b *bench) startToReady(ctx context.Context) error {
	var starts sample
	for range 5 {
		if err := b.in.Kill(ctx, "server"); err != nil {
			return err
		}
		began := time.Now()
		if err := b.in.Up(ctx); err != nil {
			return err
		}
		if _, err := b.in.API.ECS.ListClusters(ctx, &ecs.ListClustersInput{MaxResults: aws.Int32(1)}); err != nil {
			return err
		}
		starts = append(starts, time.Since(began))
	}
	b.report.add(result{What: "ashore up after a killed server, to the first call answered, p50", Unit: "ms", Value: ms(starts.median()),
		Budget: "under 1 s", Met: met(starts.median() < time.Second)})
	// The agent has lost five servers in a row. It returns in its own time.
	return b.awaitConnected(ctx, fleet.DefaultCluster, 1)
}
