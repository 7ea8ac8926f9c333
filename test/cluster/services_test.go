//go:build linux

package cluster

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/google/uuid"

	"github.com/ashore/ashore/internal/fleet"
)

// serviceSpec says how a service is created, each time.
type serviceSpec struct {
	name, family string
	most         int32 // highest number of tasks
	minimum      int32 // percent
	maximum      int32
	daemon       bool
}

// Each keeper has some of these services.
var kept = [][]serviceSpec{
	{{name: "plain", family: "plain", most: 8, minimum: 100, maximum: 200}, {name: "tight", family: "plain", most: 4, maximum: 100}},
	{{name: "fixed", family: "fixed", most: 4, maximum: 150}, {name: "daemon", family: "plain", daemon: true}},
}

// starved is a service that never finds room. Its leader writes an event about every
// try.
var starved = serviceSpec{name: "starved", family: "starved", most: 2, minimum: 100, maximum: 200}

// wish is the last acknowledged state that clients want of a service.
type wish struct {
	spec       serviceSpec
	exists     bool
	definition string // ARN
	count      int32
	// doubt says that an older call has no answer and may still take effect.
	doubt bool
}

// keeper is a client that changes services, one call after the other.
type keeper struct {
	w   *world
	c   *caller
	rng *rand.Rand

	mu      sync.Mutex // locked during a change; guards the fields below
	wishes  []*wish
	changes int
	err     error
}

func newKeepers(w *world, clients []*caller, seed uint64) (out []*keeper) {
	for i, specs := range kept {
		k := &keeper{w: w, c: clients[i], rng: rand.New(rand.NewPCG(seed, uint64(100+i)))}
		for _, s := range specs {
			k.wishes = append(k.wishes, &wish{spec: s})
		}
		out = append(out, k)
	}
	return out
}

// start starts a keeper that changes its services until the context ends.
func (k *keeper) start(ctx context.Context) (wait func()) {
	var g sync.WaitGroup
	g.Go(func() {
		for ctx.Err() == nil {
			k.mu.Lock()
			if k.err == nil {
				k.err = k.change(k.wishes[k.rng.IntN(len(k.wishes))])
			}
			rest := time.Duration(100+k.rng.IntN(700)) * time.Millisecond // longer and shorter than a rollout
			k.mu.Unlock()
			select {
			case <-ctx.Done():
			case <-time.After(rest):
			}
		}
	})
	return g.Wait
}

// change changes one or several settings of a service.
func (k *keeper) change(x *wish) (err error) {
	if x.doubt {
		return nil
	}
	ctx, silent := k.w.ctx, k.c.silent.Load()
	defer func() {
		x.doubt = k.c.silent.Load() > silent
		if err != nil {
			err = fmt.Errorf("service %s: %w", x.spec.name, err)
		}
	}()
	next := *x
	what := k.rng.IntN(10)
	if !x.exists || what < 5 {
		out, err := call(ctx, k.c, "RegisterTaskDefinition", (*ecs.Client).RegisterTaskDefinition, definition(x.spec.family, needs[x.spec.family]))
		if err != nil {
			return err
		}
		next.definition = *out.TaskDefinition.TaskDefinitionArn
	}
	if !x.spec.daemon && (!x.exists || what >= 3) {
		next.count = k.rng.Int32N(x.spec.most + 1)
	}
	switch {
	case !x.exists:
		if gone, err := k.isGone(x.spec.name); err != nil || !gone {
			return err // the service still has tasks
		}
		next.exists = true
		_, err = call(ctx, k.c, "CreateService", (*ecs.Client).CreateService, next.create())
	case what == 9:
		next.exists = false
		_, err = call(ctx, k.c, "DeleteService", (*ecs.Client).DeleteService, next.remove())
	default:
		_, err = call(ctx, k.c, "UpdateService", (*ecs.Client).UpdateService, next.update())
	}
	if err == nil {
		*x = next
		k.changes++
	}
	return err
}

// isGone says whether a service may be created.
func (k *keeper) isGone(name string) (bool, error) {
	out, err := call(k.w.ctx, k.c, "DescribeServices", (*ecs.Client).DescribeServices, &ecs.DescribeServicesInput{
		Cluster: aws.String(clusterName), Services: []string{name},
	})
	return err == nil && (len(out.Services) == 0 || aws.ToString(out.Services[0].Status) == "INACTIVE"), err
}

func (x *wish) create() *ecs.CreateServiceInput {
	in := &ecs.CreateServiceInput{
		Cluster: aws.String(clusterName), ServiceName: &x.spec.name, TaskDefinition: &x.definition, ClientToken: aws.String(uuid.NewString()),
		DesiredCount: &x.count, Tags: []types.Tag{{Key: aws.String(fleet.SettingHealthyAfter), Value: aws.String("0")}},
		DeploymentConfiguration: &types.DeploymentConfiguration{MinimumHealthyPercent: &x.spec.minimum, MaximumPercent: &x.spec.maximum},
	}
	if x.spec.daemon {
		in.DesiredCount, in.DeploymentConfiguration, in.SchedulingStrategy = nil, nil, types.SchedulingStrategyDaemon
	}
	return in
}

func (x *wish) update() *ecs.UpdateServiceInput {
	in := &ecs.UpdateServiceInput{Cluster: aws.String(clusterName), Service: &x.spec.name, TaskDefinition: &x.definition, DesiredCount: &x.count}
	if x.spec.daemon {
		in.DesiredCount = nil
	}
	return in
}

func (x *wish) remove() *ecs.DeleteServiceInput {
	return &ecs.DeleteServiceInput{Cluster: aws.String(clusterName), Service: &x.spec.name, Force: aws.Bool(true)}
}

// repeatWishes repeats the wishes for services whose earlier calls may have taken effect
// late. It must be called when no server is cut off.
func (k *keeper) repeatWishes() error {
	ctx, api := k.w.ctx, k.w.api(0)
	for _, x := range k.wishes {
		if !x.doubt {
			continue
		}
		gone, err := k.isGone(x.spec.name)
		if err != nil {
			return err
		}
		switch {
		case x.exists && gone:
			_, err = api.CreateService(ctx, x.create())
		case x.exists:
			_, err = api.UpdateService(ctx, x.update())
		case !gone:
			_, err = api.DeleteService(ctx, x.remove())
		}
		var still *types.ServiceNotActiveException
		if errors.As(err, &still) {
			return fmt.Errorf("%s is being deleted", x.spec.name) // until it is removed
		}
		if err != nil {
			return fmt.Errorf("%s: %w", x.spec.name, err)
		}
		x.doubt = false
	}
	return nil
}

// awaitConverged stops the keepers and waits until each server says that every service has
// its desired state.
func (w *world) awaitConverged(keepers []*keeper) {
	w.t.Helper()
	began := time.Now()
	for _, k := range keepers {
		k.mu.Lock()
		defer k.mu.Unlock()
		if k.err != nil {
			w.t.Error(k.err)
			k.err = nil
		}
		w.eventually("what is wanted of services is affirmed", k.repeatWishes)
		for _, x := range k.wishes {
			for i := range w.servers {
				w.eventually(fmt.Sprintf("service %s is what it shall be, says server %d", x.spec.name, i), func() error { return w.compareService(x, w.api(i)) })
			}
		}
	}
	w.t.Logf("services have converged %s later", time.Since(began).Round(10*time.Millisecond))
}

// compareService returns an error if a server shows a service in another state than its wish.
func (w *world) compareService(x *wish, api *ecs.Client) error {
	out, err := api.DescribeServices(w.ctx, &ecs.DescribeServicesInput{Cluster: aws.String(clusterName), Services: []string{x.spec.name}})
	if err != nil {
		return err
	}
	want := x.count
	if x.spec.daemon {
		want = int32(len(w.hosts))
	}
	if !x.exists { // then it has no tasks
		if len(out.Services) > 0 && aws.ToString(out.Services[0].Status) != "INACTIVE" {
			return fmt.Errorf("it is %s", *out.Services[0].Status)
		}
		return nil
	}
	if len(out.Services) != 1 {
		return fmt.Errorf("there are %d", len(out.Services))
	}
	s := &out.Services[0]
	last := ""
	if len(s.Events) > 0 {
		last = aws.ToString(s.Events[0].Message)
	}
	switch {
	case aws.ToString(s.Status) != "ACTIVE" || len(s.Deployments) != 1 || s.Deployments[0].RolloutState != types.DeploymentRolloutStateCompleted:
		return fmt.Errorf("it is %s, with deployments %s: %s", aws.ToString(s.Status), deployments(s.Deployments), last)
	case s.DesiredCount != want || s.RunningCount != want || s.PendingCount != 0:
		return fmt.Errorf("of %d tasks %d run and %d are to, and %d are wanted: %s", s.DesiredCount, s.RunningCount, s.PendingCount, want, last)
	case aws.ToString(s.TaskDefinition) != x.definition || aws.ToString(s.Deployments[0].TaskDefinition) != x.definition:
		return fmt.Errorf("it runs %s (%s), wanted is %s", aws.ToString(s.TaskDefinition), aws.ToString(s.Deployments[0].TaskDefinition), x.definition)
	}
	list, err := api.ListTasks(w.ctx, &ecs.ListTasksInput{Cluster: aws.String(clusterName), ServiceName: &x.spec.name})
	if err != nil {
		return err
	}
	if n := int32(len(list.TaskArns)); n != want {
		return fmt.Errorf("%d tasks are to run, and %d are wanted", n, want)
	}
	if want == 0 {
		return nil
	}
	tasks, err := api.DescribeTasks(w.ctx, &ecs.DescribeTasksInput{Cluster: aws.String(clusterName), Tasks: list.TaskArns})
	if err != nil {
		return err
	}
	if i := slices.IndexFunc(tasks.Tasks, func(t types.Task) bool {
		return aws.ToString(t.LastStatus) != "RUNNING" || aws.ToString(t.TaskDefinitionArn) != x.definition
	}); i >= 0 {
		t := &tasks.Tasks[i]
		return fmt.Errorf("%s of %s is %s", *t.TaskArn, aws.ToString(t.TaskDefinitionArn), aws.ToString(t.LastStatus))
	}
	return nil
}

func deployments(all []types.Deployment) string {
	var out []string
	for _, d := range all {
		out = append(out, fmt.Sprintf("%s %s (%d of %d run)", aws.ToString(d.Status), d.RolloutState, d.RunningCount, d.DesiredCount))
	}
	return fmt.Sprint(out)
}

// createStarved creates the service that finds no room.
func (w *world) createStarved(t *testing.T) {
	t.Helper()
	x := wish{spec: starved, definition: starved.family, count: starved.most}
	if _, err := w.api(0).CreateService(w.ctx, x.create()); err != nil {
		t.Fatal(err)
	}
}
