package placer

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/ashore/ashore/internal/control/placement"
	"github.com/ashore/ashore/internal/control/rollout"
	"github.com/ashore/ashore/internal/control/serviceevent"
	"github.com/ashore/ashore/internal/ecs/lookup"
	"github.com/ashore/ashore/internal/ecs/refuse"
	"github.com/ashore/ashore/internal/ecs/tag"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/smithy-go"
)

// ServiceLaunch asks for tasks of a deployment.
type ServiceLaunch struct {
	Term *store.Term
	// Service is the record that the decision rests on: once it has changed,
	// nothing is launched.
	Service    *fleet.Service
	Deployment string
	// After is how many tasks the deployment had launched when it was decided:
	// once that has changed, nothing is launched.
	After     int64
	Count     int
	Instances []string // of a DAEMON: one task on each, Count of them
	Zone      string   // the only one to place them in; empty: any
}

// Launched is what became of a ServiceLaunch.
type Launched struct {
	Tasks   int  // that exist now, with a host or waiting for one
	Missing int  // that found no host
	Stale   bool // the decision's grounds have changed; nothing was done
}

// serviceOrder is the scheduler's order for tasks of a service on its way
// through the placer.
type serviceOrder struct {
	ServiceLaunch
	launched Launched
}

// weight counts what the launch compares or writes beside its tasks: the term,
// the cluster, the service with its state and the deployment's, the definition
// with its state, and the events, each of which may drop an old one.
func (l *serviceOrder) weight() int { return 2*l.Count + 2*(l.Count/10+2) + 8 }

// LaunchService places tasks of a service, as far as there is room.
func (p *Placer) LaunchService(ctx context.Context, l ServiceLaunch) (Launched, error) {
	o, err := p.ordered(ctx, &order{service: &serviceOrder{ServiceLaunch: l}})
	if err != nil {
		return Launched{}, err
	}
	return o.service.launched, nil
}

// employ places the tasks of a service's order, as far as there is room, and
// stores what became of it. Where the service or the deployment have changed
// since the scheduler decided, it does nothing.
func (r *round) employ(o *order) error {
	l := o.service
	l.launched = Launched{Stale: true}
	if err := l.Term.Guard(r.tx); err != nil {
		return err
	}
	svc := store.Get(r.tx, store.ServiceKey(l.Service.Cluster, l.Service.Name))
	if svc != l.Service || svc.Status != fleet.ServiceActive {
		return nil
	}
	d := r.snap.Deployment(svc.Cluster, svc.Name, l.Deployment)
	k := store.DeploymentStateKey(svc.Cluster, svc.Name, l.Deployment)
	was := store.Get(r.tx, k)
	if d.Deployment == nil || d.ServiceID != svc.ID || launched(was) != l.After {
		return nil
	}
	l.launched.Stale = false
	o.cluster = svc.Cluster
	out, refused, err := r.hire(o, svc, &d)
	if err != nil {
		return err
	}
	state, err := serviceevent.StateOf(r.tx, svc)
	if err != nil {
		return err
	}
	next := r.employed(was, &d, len(out))
	var events []rollout.Event
	for n, id := range o.chosen {
		out[n].task.Serial = l.After + int64(n) + 1
		if err := r.write(o, id, &out[n]); err != nil {
			return err
		}
	}
	if len(o.tasks) > 0 {
		events = rollout.Started(svc.Name, o.tasks)
	}
	if refused != nil {
		if next.Unplaced != nil && next.Unplaced.Zone == l.Zone {
			refused.Tries = next.Unplaced.Tries
		}
		// People are told of a cause once, not of every try.
		if l.Zone == "" && (next.Unplaced == nil || next.Unplaced.Reason != refused.Reason) {
			events = append(events, rollout.Unplaceable(svc.Name, refused.Reason, unplaceable(refused)))
		}
		refused.Tries++
		refused.At, refused.Zone = r.now, l.Zone
	}
	next.Unplaced = refused
	l.launched.Tasks, l.launched.Missing = len(out), l.Count-len(out)
	if err := serviceevent.Append(r.tx, svc, state, r.now, events); err != nil {
		return err
	}
	return errors.Join(
		store.Put(r.tx, k, next),
		store.Put(r.tx, store.ServiceStateKey(svc.Cluster, svc.Name), state))
}

func launched(s *fleet.DeploymentState) int64 {
	if s == nil {
		return 0
	}
	return s.Launched
}

// employed is a deployment's state with n more tasks.
func (r *round) employed(was *fleet.DeploymentState, d *store.Deployment, n int) *fleet.DeploymentState {
	next := &fleet.DeploymentState{}
	if was != nil {
		*next = *was
	}
	if next.Rollout == "" {
		next.Rollout, next.Reason, next.StartedAt = types.DeploymentRolloutStateInProgress, d.Reason, r.now
		if next.Reason == "" {
			next.Reason = rollout.ReasonInProgress(d.ID)
		}
	}
	next.Launched += int64(n)
	next.UpdatedAt = r.now
	return next
}

// hire chooses hosts for a service's tasks. What keeps all or some of them from
// one is no error: the service waits for it to change.
func (r *round) hire(o *order, svc *fleet.Service, d *store.Deployment) ([]placed, *fleet.PlacementFailure, error) {
	out, err := r.hosted(o, svc, d)
	if err != nil {
		if api := smithy.APIError(nil); errors.As(err, &api) {
			r.release(o, out)
			return nil, &fleet.PlacementFailure{Reason: api.ErrorMessage()}, nil
		}
		return nil, nil, err
	}
	if len(o.failures) == 0 {
		return out, nil, nil
	}
	f := o.failures[0]
	refused := &fleet.PlacementFailure{Reason: f.Reason, Detail: f.Detail}
	if f.ARN != "" {
		refused.Instance, _ = r.site.MemberID("container-instance", o.cluster, f.ARN)
	}
	return out, refused, nil
}

// hosted chooses hosts for a service's tasks as RunTask does for its own.
func (r *round) hosted(o *order, svc *fleet.Service, d *store.Deployment) ([]placed, error) {
	c, err := lookup.ClusterTx(r.tx, r.site, &svc.Cluster)
	if err != nil {
		return nil, err
	}
	rev := r.snap.ServiceRevision(svc.Cluster, svc.Name, d.Revision)
	if rev == nil {
		return nil, refuse.Client("The service revision %s is gone.", d.Revision)
	}
	// An INACTIVE definition serves the services that use it, as in ECS. It must
	// not be gone.
	def := store.Get(r.tx, store.TaskDefinitionKey(rev.Family, rev.Revision))
	if def == nil {
		return nil, refuse.Client("The task definition %s:%d is gone.", rev.Family, rev.Revision)
	}
	st := store.Get(r.tx, store.TaskDefinitionStateKey(rev.Family, rev.Revision))
	o.Launch = serviceTask(svc, rev, d.ID, o.service)
	o.running = shares(r.snap, svc.Cluster, o.Launch)
	lanes, err := r.lanes(o, c, def)
	if err != nil {
		return nil, err
	}
	task, err := r.task(o, def, st)
	if err != nil {
		return nil, err
	}
	task.EnableExecuteCommand = rev.EnableExecuteCommand
	for i := range lanes {
		lanes[i].pool.zone = o.service.Zone
	}
	if len(o.service.Instances) > 0 {
		return r.station(o, &lanes[0], def, task)
	}
	return r.run(o, lanes, def, task)
}

// shares are how many tasks of a service's deployment each of its capacity
// providers has, where there are several.
func shares(snap *store.Snapshot, cluster string, l *Launch) map[string]int {
	if len(l.strategy) < 2 {
		return nil
	}
	out := map[string]int{}
	for _, item := range l.strategy {
		name := aws.ToString(item.CapacityProvider)
		n := snap.DeploymentTasksOf(cluster, l.deployment, name)
		out[name] = n.Pending + n.Running
	}
	return out
}

// station places a DAEMON's tasks, one on each of some hosts.
func (r *round) station(o *order, l *lane, d *fleet.TaskDefinition, task fleet.Task) ([]placed, error) {
	if err := l.fits(o, d.Definition, &task); err != nil {
		return nil, err
	}
	if err := r.unservable(o.cluster, d, task.Overrides, l.pool); err != nil {
		return nil, err
	}
	req, err := r.request(&task, d, 1)
	if err != nil {
		return nil, err
	}
	var out []placed
	for _, id := range o.service.Instances {
		c, refused := placement.On(id, r.host(o.cluster, id), req)
		if refused != nil {
			o.failures = append(o.failures, r.failure(o.cluster, *refused))
			continue
		}
		t := task
		t.Containers = containers(d, r.take(o, t.Group, c))
		out = append(out, placed{t, c})
	}
	return out, nil
}

// serviceTask is what a service's tasks are launched with.
func serviceTask(svc *fleet.Service, rev *fleet.ServiceRevision, deployment string, l *serviceOrder) *Launch {
	out := &Launch{
		cluster: &svc.Cluster, definition: fmt.Sprintf("%s:%d", rev.Family, rev.Revision), count: l.Count,
		launchType: rev.LaunchType, strategy: rev.CapacityProviders, platform: rev.PlatformVersion, constraints: svc.Constraints, strategies: svc.Strategies,
		network: rev.Network, volumes: taskVolumes(rev.Volumes), group: fleet.ServiceGroup(svc.Name), startedBy: fleet.DeploymentStarter(deployment),
		propagate: svc.PropagateTags == types.PropagateTagsTaskDefinition, managedTags: svc.ManagedTags, caller: svc.CreatedBy,
		deployment: deployment, after: l.After,
	}
	if len(out.strategies) == 0 && rev.LaunchType != types.LaunchTypeFargate && svc.Scheduling != types.SchedulingStrategyDaemon {
		out.strategies = defaultStrategies
	}
	if svc.PropagateTags == types.PropagateTagsService {
		out.tags = svc.Tags
	}
	if svc.ManagedTags {
		out.tags = tag.Merge([]types.Tag{{Key: aws.String("aws:ecs:serviceName"), Value: aws.String(svc.Name)}}, out.tags)
	}
	return out
}

// unplaceable says in ECS's words which host came closest and what it lacks, and
// then what exactly.
func unplaceable(f *fleet.PlacementFailure) string {
	if f.Instance == "" {
		return "Reason: " + f.Reason
	}
	var lacks string
	switch placement.Reason(f.Reason) {
	case placement.Memory:
		lacks = "has insufficient memory available"
	case placement.CPU:
		lacks = "has insufficient CPU units available"
	case placement.Ports:
		lacks = "is already using a port required by your task"
	case placement.GPU:
		lacks = "has insufficient GPU resource available"
	case placement.Attribute:
		lacks = "is missing an attribute required by your task"
	case placement.Inactive:
		lacks = "is not ACTIVE"
	default:
		lacks = fmt.Sprintf("encountered error %q", f.Reason)
	}
	return fmt.Sprintf("The closest matching (container-instance %s) %s. %s", f.Instance, lacks, f.Detail)
}

// Eligible are the hosts of a cluster that tasks of a service may run on by what
// they are: their capacity provider, attributes and the constraints, but not what
// is free on them.
func (p *Placer) Eligible(snap *store.Snapshot, svc *fleet.Service, rev *fleet.ServiceRevision) ([]string, error) {
	d, _ := snap.TaskDefinition(rev.Family, rev.Revision)
	if d == nil {
		return nil, fmt.Errorf("the task definition %s:%d is gone", rev.Family, rev.Revision)
	}
	provider := ""
	switch {
	case len(rev.CapacityProviders) == 1:
		provider = aws.ToString(rev.CapacityProviders[0].CapacityProvider)
	case rev.LaunchType == types.LaunchTypeFargate:
		provider = fleet.ProviderFargate
	}
	r := p.reader(snap)
	t := &fleet.Task{Cluster: svc.Cluster, Group: fleet.ServiceGroup(svc.Name), Constraints: svc.Constraints}
	req, err := r.request(t, d, 1)
	if err != nil {
		return nil, err
	}
	req.Constraints.Distinct = false // of its own tasks
	find := func() (out []string) {
		for _, id := range r.candidates(svc.Cluster, true).of(r, svc.Cluster, poolOf(d.Definition, provider)) {
			if req.Suits(r.host(svc.Cluster, id)) {
				out = append(out, id)
			}
		}
		return out
	}
	if len(req.MemberOf) > 0 { // it may ask what runs there
		return find(), nil
	}
	return p.eligible.get(snap.InstancesRevision(), suited{svc.Cluster, rev.Family, rev.Revision, provider}, find), nil
}

// maxEligible is how many definitions' hosts are remembered: revisions come and go
// while no host changes.
const maxEligible = 1024

// eligible remembers the hosts that suit definitions by what the hosts' records
// say alone, until one of these changes.
type eligible struct {
	mu  sync.Mutex
	rev int64 // of the hosts; guarded by mu
	ids map[suited][]string
}

type suited struct {
	cluster, family string
	revision        int
	provider        string
}

func (e *eligible) get(rev int64, k suited, find func() []string) []string {
	e.mu.Lock()
	if e.rev != rev || e.ids == nil {
		e.rev, e.ids = rev, map[suited][]string{}
	}
	ids, known := e.ids[k]
	e.mu.Unlock()
	if known {
		return ids
	}
	ids = find()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.rev == rev {
		if len(e.ids) >= maxEligible {
			clear(e.ids)
		}
		e.ids[k] = ids
	}
	return ids
}
