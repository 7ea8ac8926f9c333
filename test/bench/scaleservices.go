package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/ashore/ashore/internal/client"
	"github.com/ashore/ashore/internal/local"
)

// createServices creates several services at once and waits until all are steady. Then it waits
// until another client's DescribeTasks has shown every task RUNNING.
func (m *scaleRun) createServices(ctx context.Context) error {
	admin, err := local.ReadAdmin(m.layout)
	if err != nil {
		return err
	}
	watcher := client.New(admin)
	defer watcher.Close()
	names := []string{scaleService}
	for i := 1; i < m.services; i++ {
		names = append(names, fmt.Sprint(scaleService, "-", i))
	}
	total := m.service * len(names)
	probes, stopProbes := m.probe(ctx, watcher)
	began := time.Now()
	u, took, err := m.measureUsage(func() error {
		for _, name := range names {
			if err := m.create(ctx, name); err != nil {
				return err
			}
		}
		return m.awaitSteady(ctx, names...)
	})
	calls := stopProbes()
	if err := errors.Join(err, probes.Wait()); err != nil {
		return err
	}
	for _, name := range names {
		tasks, err := m.tasksOfService(ctx, name)
		if err != nil {
			return err
		}
		running := 0
		err = describe(ctx, watcher.ECS, slices.Collect(maps.Keys(tasks)), func(t *types.Task) {
			if aws.ToString(t.LastStatus) == "RUNNING" {
				running++
			}
		})
		if err != nil {
			return err
		}
		if running < m.service {
			return fmt.Errorf("%s is steady, and DescribeTasks shows %d tasks of %d RUNNING", name, running, m.service)
		}
	}
	seen := time.Since(began)
	what := fmt.Sprintf("%d services of %d tasks", len(names), m.service)
	m.out.add(result{What: what + ", made to steady", Unit: "s", Value: took.Seconds()})
	m.out.add(result{What: what + ", every task shown RUNNING by DescribeTasks", Unit: "s", Value: seen.Seconds()})
	m.out.add(result{What: "tasks of services to RUNNING, until all were steady", Unit: "tasks/s", Value: float64(total) / took.Seconds(),
		Budget: "5,000/s", Met: met(float64(total)/took.Seconds() >= 5000)})
	m.addUsage("services", u, total)
	m.addCalls("making of services", calls)
	return m.recordMemory(ctx, fmt.Sprintf("%d tasks of services", total))
}

// create creates a service.
func (m *scaleRun) create(ctx context.Context, name string) error {
	_, err := m.client.ECS.CreateService(ctx, &ecs.CreateServiceInput{
		Cluster: aws.String(scaleCluster), ServiceName: &name, TaskDefinition: aws.String(scaleFamily + ":1"),
		DesiredCount: aws.Int32(int32(m.service)), Tags: []types.Tag{
			{Key: aws.String(lossTag), Value: aws.String(strconv.Itoa(lossAfter))}, {Key: aws.String(healthyTag), Value: aws.String(strconv.Itoa(healthyAfter))},
		},
		DeploymentConfiguration: &types.DeploymentConfiguration{MinimumHealthyPercent: aws.Int32(100), MaximumPercent: aws.Int32(200)},
	})
	return err
}
