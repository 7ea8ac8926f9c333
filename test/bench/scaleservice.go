package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"golang.org/x/sync/errgroup"
)

const (
	scaleService = "scale"
	// lossTag makes the service replace tasks of lost hosts after this many seconds.
	lossTag, lossAfter = "ashore.replace-lost-after", 1
	// healthyTag makes tasks without a health check count as healthy after a second,
	// and not after ECS's forty seconds, so that the measurement does not include the
	// wait.
	healthyTag, healthyAfter = "ashore.healthy-after", 1
	serviceEvery             = 50 * time.Millisecond // between two calls of DescribeServices
)

// deploy creates the service, unless it exists, and waits until it is steady.
func (m *scaleRun) deploy(ctx context.Context) (made bool, err error) {
	out, err := m.client.ECS.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: aws.String(scaleCluster), Services: []string{scaleService}})
	if err != nil {
		return false, err
	}
	if len(out.Services) > 0 {
		return false, nil
	}
	if err := m.create(ctx, scaleService); err != nil {
		return false, err
	}
	return true, m.awaitSteady(ctx, scaleService)
}

// awaitSteady waits until each service has one completed deployment and all of its tasks
// run.
func (m *scaleRun) awaitSteady(ctx context.Context, names ...string) error {
	for {
		page := names[:min(10, len(names))] // the limit of DescribeServices
		out, err := m.client.ECS.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: aws.String(scaleCluster), Services: page})
		if err != nil {
			return err
		}
		if len(out.Services) < len(page) {
			return fmt.Errorf("of %d services %d are gone", len(page), len(page)-len(out.Services))
		}
		left := len(page)
		for i := range out.Services {
			s := &out.Services[i]
			if len(s.Deployments) == 1 && int(s.RunningCount) == m.service && s.PendingCount == 0 && s.Deployments[0].RolloutState == types.DeploymentRolloutStateCompleted {
				left--
			}
			for _, d := range s.Deployments {
				if d.RolloutState == types.DeploymentRolloutStateFailed {
					return fmt.Errorf("deployment %s failed: %s", aws.ToString(d.Id), aws.ToString(d.RolloutStateReason))
				}
			}
		}
		if left == 0 {
			if names = names[len(page):]; len(names) == 0 {
				return nil
			}
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(serviceEvery):
		}
	}
}

// rollout creates a service of many tasks and replaces all of them.
func (m *scaleRun) rollout(ctx context.Context) (err error) {
	profiled, err := m.startProfiling(ctx, "rollout", 7)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, profiled()) }()
	made := false
	u, took, err := m.measureUsage(func() (err error) { made, err = m.deploy(ctx); return err })
	if err != nil {
		return err
	}
	if made {
		m.out.add(result{What: fmt.Sprintf("service of %d tasks, made to steady", m.service), Unit: "s", Value: took.Seconds()})
		m.addUsage("service made", u, m.service)
	}
	u, took, err = m.measureUsage(func() error {
		_, err := m.client.ECS.UpdateService(ctx, &ecs.UpdateServiceInput{
			Cluster: aws.String(scaleCluster), Service: aws.String(scaleService), TaskDefinition: aws.String(scaleFamily + ":2"),
		})
		if err != nil {
			return err
		}
		return m.awaitSteady(ctx, scaleService)
	})
	if err != nil {
		return err
	}
	m.out.add(result{What: fmt.Sprintf("full rolling deployment of %d tasks", m.service), Unit: "s", Value: took.Seconds()})
	m.addUsage("rolling deployment", u, m.service)
	return nil
}

// loss cuts hosts off and waits until the service's tasks run elsewhere.
func (m *scaleRun) loss(ctx context.Context) error {
	if _, err := m.deploy(ctx); err != nil {
		return err
	}
	n := min(m.lose, m.hosts/3) // with more, Ashore would blame the network
	before, err := m.awaitStableTasks(ctx)
	if err != nil {
		return err
	}
	on, err := m.hostsOf(ctx, before)
	if err != nil {
		return err
	}
	profiled, err := m.startProfiling(ctx, "loss", 4)
	if err != nil {
		return err
	}
	told, err := m.newestEvent(ctx)
	if err != nil {
		return err
	}
	began := time.Now()
	if err := m.cutOff(ctx, n); err != nil {
		return err
	}
	lost, err := m.awaitDisconnected(ctx, n)
	if err != nil {
		return err
	}
	detected := time.Since(began)
	concerned := 0
	for _, host := range on {
		if lost[host] {
			concerned++
		}
	}
	// Until the service has a new event, the lost tasks count as running.
	for last := told; last == told; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(serviceEvery):
		}
		if last, err = m.newestEvent(ctx); err != nil {
			return err
		}
	}
	r, err := m.awaitReplacement(ctx, before, lost, concerned)
	if err != nil {
		return err
	}
	took := time.Since(began)
	if err := profiled(); err != nil {
		return err
	}
	after := func(at time.Time) float64 { return at.Sub(began).Seconds() }
	m.out.add(result{What: fmt.Sprintf("%d hosts cut off: shown as disconnected after", n), Unit: "s", Value: detected.Seconds()})
	m.out.add(result{What: fmt.Sprintf("their %d tasks of %d, lost after %d s: first replacement placed", concerned, m.service, lossAfter), Unit: "s", Value: after(r.created)})
	m.out.add(result{What: "last replacement placed", Unit: "s", Value: after(r.placed)})
	m.out.add(result{What: "last replacement RUNNING, as its startedAt has it", Unit: "s", Value: after(r.started)})
	m.out.add(result{What: "all replacements RUNNING, as DescribeTasks shows it", Unit: "s",
		Value: took.Seconds(), Budget: "loss time + 2 s", Met: met(took <= 3*time.Second)})
	return nil
}

// newestEvent returns the id of the service's newest event, or "".
func (m *scaleRun) newestEvent(ctx context.Context) (string, error) {
	out, err := m.client.ECS.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: aws.String(scaleCluster), Services: []string{scaleService}})
	if err != nil || len(out.Services) == 0 || len(out.Services[0].Events) == 0 {
		return "", err
	}
	return aws.ToString(out.Services[0].Events[0].Id), nil
}

// tasksOfService lists a service's tasks whose desired status is RUNNING.
func (m *scaleRun) tasksOfService(ctx context.Context, name string) (map[string]bool, error) {
	arns := map[string]bool{}
	pages := ecs.NewListTasksPaginator(m.client.ECS, &ecs.ListTasksInput{
		Cluster: aws.String(scaleCluster), ServiceName: &name, DesiredStatus: types.DesiredStatusRunning,
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, arn := range page.TaskArns {
			arns[arn] = true
		}
	}
	return arns, nil
}

// awaitStableTasks waits until the service's tasks stay the same. When all run, the scheduler
// still evens out the zones, in rounds of the time that a task takes to be healthy.
func (m *scaleRun) awaitStableTasks(ctx context.Context) (map[string]bool, error) {
	for last := map[string]bool(nil); ; {
		now, err := m.tasksOfService(ctx, scaleService)
		if err != nil || len(now) == m.service && maps.Equal(last, now) {
			return now, err
		}
		last = now
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(2 * healthyAfter * time.Second):
		}
	}
}

// describe describes tasks, page by page.
func describe(ctx context.Context, api *ecs.Client, arns []string, each func(*types.Task)) error {
	for page := range slices.Chunk(arns, 100) {
		out, err := api.DescribeTasks(ctx, &ecs.DescribeTasksInput{Cluster: aws.String(scaleCluster), Tasks: page})
		if err != nil {
			return err
		}
		for i := range out.Tasks {
			each(&out.Tasks[i])
		}
	}
	return nil
}

// hostsOf returns the hosts of tasks.
func (m *scaleRun) hostsOf(ctx context.Context, tasks map[string]bool) (map[string]string, error) {
	on := map[string]string{}
	err := describe(ctx, m.client.ECS, slices.Collect(maps.Keys(tasks)), func(t *types.Task) { on[*t.TaskArn] = aws.ToString(t.ContainerInstanceArn) })
	return on, err
}

// replacement has the times of the tasks that replace those of lost hosts: when the
// first and the last one was created, and when the last one ran.
type replacement struct{ created, placed, started time.Time }

// awaitReplacement waits until n new tasks run on hosts that are not lost. The steady state
// does not show this, because the service may be evening out its zones again.
func (m *scaleRun) awaitReplacement(ctx context.Context, before, lost map[string]bool, n int) (r replacement, err error) {
	running := map[string]bool{}
	for {
		now, err := m.tasksOfService(ctx, scaleService)
		if err != nil {
			return r, err
		}
		var others []string
		for arn := range now {
			if !before[arn] && !running[arn] {
				others = append(others, arn)
			}
		}
		err = describe(ctx, m.client.ECS, others, func(t *types.Task) {
			if aws.ToString(t.LastStatus) != "RUNNING" || lost[aws.ToString(t.ContainerInstanceArn)] {
				return
			}
			running[*t.TaskArn] = true
			if r.created.IsZero() || t.CreatedAt.Before(r.created) {
				r.created = *t.CreatedAt
			}
			r.placed, r.started = later(r.placed, *t.CreatedAt), later(r.started, *t.StartedAt)
		})
		if err != nil || len(running) >= n {
			return r, err
		}
		select {
		case <-ctx.Done():
			return r, ctx.Err()
		case <-time.After(serviceEvery):
		}
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// awaitDisconnected waits until n hosts are shown as disconnected, and returns them.
func (m *scaleRun) awaitDisconnected(ctx context.Context, n int) (map[string]bool, error) {
	for {
		out := map[string]bool{}
		pages := ecs.NewListContainerInstancesPaginator(m.client.ECS, &ecs.ListContainerInstancesInput{
			Cluster: aws.String(scaleCluster), Filter: aws.String("agentConnected == false"),
		})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return nil, err
			}
			for _, arn := range page.ContainerInstanceArns {
				out[arn] = true
			}
		}
		if len(out) >= n {
			return out, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(serviceEvery):
		}
	}
}

// churnTasks starts and stops tasks for some time, so that their number stays the same.
// It records the sizes of database and memory.
func (m *scaleRun) churnTasks(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	began := time.Now()
	var g errgroup.Group
	var turned int
	g.Go(func() error {
		var live [][]string
		for time.Since(began) < m.churn && ctx.Err() == nil {
			arns, err := m.runTask(ctx, m.count)
			if err != nil {
				cancel()
				return err
			}
			live = append(live, arns)
			if len(live) < 200 { // so that the stopped ones have run
				continue
			}
			for _, arn := range live[0] {
				if _, err := m.client.ECS.StopTask(ctx, &ecs.StopTaskInput{Cluster: aws.String(scaleCluster), Task: aws.String(arn)}); err != nil {
					cancel()
					return err
				}
				turned++
			}
			live = live[1:]
		}
		return nil
	})
	var points []churnPoint
	g.Go(func() error {
		for every := max(m.churn/20, time.Second); ; {
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(every):
			}
			p, err := m.point(began)
			if err != nil {
				cancel()
				return err
			}
			points = append(points, p)
			if time.Since(began) >= m.churn {
				return nil
			}
		}
	})
	if err := g.Wait(); err != nil {
		return err
	}
	t := tabwriter.NewWriter(os.Stderr, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "AFTER\tDATABASE, MB\tSERVER, MB\tFLEET, MB")
	for _, p := range points {
		fmt.Fprintf(t, "%s\t%.0f\t%.0f\t%.0f\n", p.after.Round(time.Second), p.database, p.server, p.fleet)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	m.out.add(result{What: fmt.Sprintf("churn for %s", m.churn), Unit: "tasks started and stopped", Value: float64(turned)})
	if len(points) < 4 {
		return nil
	}
	half, last := points[len(points)/2:], points[len(points)-1]
	most := func(of func(churnPoint) float64) (v float64) {
		for _, p := range half {
			v = max(v, of(p))
		}
		return v
	}
	mid := points[len(points)/2]
	m.out.add(result{What: "database, at half of the churn", Unit: "MB", Value: mid.database})
	m.out.add(result{What: "database, at its end", Unit: "MB", Value: last.database})
	m.out.add(result{What: "database, most in the second half", Unit: "MB", Value: most(func(p churnPoint) float64 { return p.database })})
	m.out.add(result{What: "server, anonymous memory, at half of the churn", Unit: "MB", Value: mid.server})
	m.out.add(result{What: "server, anonymous memory, at its end", Unit: "MB", Value: last.server})
	m.out.add(result{What: "server, anonymous memory, most in the second half", Unit: "MB", Value: most(func(p churnPoint) float64 { return p.server })})
	return nil
}

type churnPoint struct {
	after                   time.Duration
	database, server, fleet float64
}

func (m *scaleRun) point(began time.Time) (p churnPoint, err error) {
	p.after = time.Since(began)
	if p.database, err = m.database(); err != nil {
		return p, err
	}
	server, err := m.server.memory()
	if err != nil {
		return p, err
	}
	fleet, err := m.fleet.memory()
	p.server, p.fleet = server.anonymous, fleet.anonymous
	return p, err
}
