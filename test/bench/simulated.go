package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/ashore/ashore/internal/client"
	"github.com/ashore/ashore/internal/sim"
	"github.com/ashore/ashore/internal/store"
)

const (
	simCluster = "simulated"
	simHosts   = 20
)

// runTasks measures RunTask without the delay of an engine: on simulated hosts in this
// process, which share the machine with the server.
func (b *bench) runTasks(ctx context.Context) (err error) {
	api := b.in.API.ECS
	if _, err := api.CreateCluster(ctx, &ecs.CreateClusterInput{ClusterName: aws.String(simCluster)}); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "ashore-sim-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	for i := range simHosts {
		name := fmt.Sprintf("sim-%d", i)
		credentials, err := b.in.API.CreateHostCredentials(ctx, name, client.HostTerms{Cluster: simCluster})
		if err != nil {
			return err
		}
		home := filepath.Join(dir, name)
		if err := os.Mkdir(home, 0o700); err != nil {
			return err
		}
		h := sim.NewHost(sim.HostConfig{Name: name, Dir: home, Servers: []string{b.in.Admin.Endpoint}, Cluster: simCluster,
			Installation: store.Installation{ID: b.in.Admin.InstallationID, Account: b.in.Admin.Account, Region: b.in.Admin.Region},
			Credentials:  credentials, Machine: sim.NewMachine(1000, 4<<20, sim.Faults{})})
		h.Start()
		defer func() { err = errors.Join(err, h.Close()) }()
	}
	if err := b.awaitConnected(ctx, simCluster, simHosts); err != nil {
		return err
	}
	var tasks atomic.Int64
	began := time.Now()
	s, took, err := load(ctx, func(ctx context.Context) error {
		out, err := api.RunTask(ctx, &ecs.RunTaskInput{Cluster: aws.String(simCluster), TaskDefinition: aws.String(family), Count: aws.Int32(1)})
		if err == nil && len(out.Failures) > 0 {
			err = fmt.Errorf("not placed: %s %s", *out.Failures[0].Reason, aws.ToString(out.Failures[0].Detail))
		}
		tasks.Add(1)
		return err
	})
	if err != nil {
		return err
	}
	b.addLoad(fmt.Sprintf("RunTask on %d simulated hosts", simHosts), s, took)
	for {
		out, err := api.DescribeClusters(ctx, &ecs.DescribeClustersInput{Clusters: []string{simCluster}})
		if err != nil {
			return err
		}
		if int64(out.Clusters[0].RunningTasksCount) == tasks.Load() {
			break
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
	b.report.add(result{What: fmt.Sprintf("tasks to RUNNING, %d simulated hosts, fleet on the same cores", simHosts), Unit: "tasks/s",
		Value: float64(tasks.Load()) / time.Since(began).Seconds()})
	m, err := b.memory("server")
	if err != nil {
		return err
	}
	b.report.add(result{What: fmt.Sprintf("server after %d tasks, anonymous memory", tasks.Load()), Unit: "MB", Value: m.anonymous})
	return nil
}

// awaitConnected returns when tasks can be placed on all n hosts of a cluster.
func (b *bench) awaitConnected(ctx context.Context, cluster string, n int) error {
	for {
		list, err := b.in.API.ECS.ListContainerInstances(ctx, &ecs.ListContainerInstancesInput{Cluster: aws.String(cluster)})
		if err != nil {
			return err
		}
		ready := 0
		if len(list.ContainerInstanceArns) == n {
			out, err := b.in.API.ECS.DescribeContainerInstances(ctx, &ecs.DescribeContainerInstancesInput{
				Cluster: aws.String(cluster), ContainerInstances: list.ContainerInstanceArns,
				Include: []types.ContainerInstanceField{},
			})
			if err != nil {
				return err
			}
			for _, i := range out.ContainerInstances {
				if i.AgentConnected {
					ready++
				}
			}
		}
		if ready == n {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}
