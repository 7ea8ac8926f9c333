package placer

import (
	"errors"
	"fmt"

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

// ServiceLaunch requests tasks of a deployment.
type ServiceLaunch struct {
	Term *store.Term
	// Service is the record that the decision was made on. If it has changed, nothing
	// is launched.
	Service    *fleet.Service
	Deployment string
	// After is how many tasks the deployment had launched when the decision was made.
	// If that has changed, nothing is launched.
	After     int64
	Count     int
	Instances []string // for a DAEMON: Count hosts, one task on each
	Zone      string   // the only zone to place them in; empty: any
}

// Launched is the result of a ServiceLaunch.
type Launched struct {
	Tasks   int  // tasks that exist now, with a host or waiting for one
	Missing int  // tasks that found no host
	Left    int  // the last tasks of Count, which did not fit into the transaction
	Stale   bool // the service or the deployment has changed; nothing was done
}

// serviceOrder is new tasks of a service.
type serviceOrder struct {
	ServiceLaunch
	launched Launched
}

func (o *serviceOrder) taskCount() int { return o.Count }

func (o *serviceOrder) clientToken() string { return "" }

func (o *serviceOrder) hasCaller() bool { return false }

func (o *serviceOrder) reset() { o.launched = Launched{} }

func (o *serviceOrder) String() string {
	return fmt.Sprintf("%d tasks of the service %s in %s", o.Count, o.Service.Name, o.Service.Cluster)
}

// maxServiceShare is which share of a transaction the tasks of a service may fill.
// The remaining share is for callers in the same round.
const maxServiceShare = 0.75

// place places a service's new tasks, as long as there is room, and stores the
// result. If the service or the deployment has changed since the scheduler decided,
// it does nothing. If the order is the first of its round and the transaction has no
// room for all tasks, it places as many as fit.
func (o *serviceOrder) place(r *round) error {
	o.launched = Launched{Stale: true}
	if err := o.Term.Guard(r.tx); err != nil {
		return err
	}
	svc := store.Get(r.tx, store.ServiceKey(o.Service.Cluster, o.Service.Name))
	if svc != o.Service || svc.Status != fleet.ServiceActive {
		return nil
	}
	d := r.snap.Deployment(svc.Cluster, svc.Name, o.Deployment)
	was := store.Get(r.tx, store.DeploymentStateKey(svc.Cluster, svc.Name, o.Deployment))
	if d.Deployment == nil || d.ServiceID != svc.ID || launchedCount(was) != o.After {
		return nil
	}
	o.launched.Stale = false
	if r.orders > 1 {
		_, err := o.placeSome(r, svc, &d, was, o.Count)
		return err
	}
	var tasks []placed
	waiting := r.waiting[svc.Cluster]
	n, err := r.tx.TryMost(o.Count, maxServiceShare, func(n int) (err error) {
		r.release(svc.Cluster, tasks) // a larger number of tasks did not fit
		r.waiting[svc.Cluster] = waiting
		tasks, err = o.placeSome(r, svc, &d, was, n)
		return err
	})
	o.launched.Left = o.Count - n
	if err == nil && n == 0 {
		err = store.ErrTooLarge
	}
	return err
}

// placeSome places the first count tasks of the order.
func (o *serviceOrder) placeSome(r *round, svc *fleet.Service, d *store.Deployment, was *fleet.DeploymentState, count int) ([]placed, error) {
	tasks, refused, err := o.chooseHosts(r, svc, d, count)
	if err != nil {
		return nil, err
	}
	state, err := serviceevent.ReadState(r.tx, svc)
	if err != nil {
		return nil, err
	}
	next := r.withLaunched(was, d, len(tasks))
	var events []rollout.Event
	var ids []string
	for n := range tasks {
		tasks[n].task.Serial = o.After + int64(n) + 1
		if err := r.writeTask(&tasks[n]); err != nil {
			return nil, err
		}
		ids = append(ids, tasks[n].task.ID)
	}
	if len(ids) > 0 {
		events = rollout.StartedEvents(svc.Name, ids)
	}
	if refused != nil {
		if next.Unplaced != nil && next.Unplaced.Zone == o.Zone {
			refused.Tries = next.Unplaced.Tries
		}
		// An event reports a cause once, not each try.
		if o.Zone == "" && (next.Unplaced == nil || next.Unplaced.Reason != refused.Reason) {
			events = append(events, rollout.UnplaceableEvent(svc.Name, refused.Reason, describeUnplaced(refused)))
		}
		refused.Tries++
		refused.At, refused.Zone = r.now, o.Zone
	}
	next.Unplaced = refused
	o.launched.Tasks, o.launched.Missing = len(tasks), count-len(tasks)
	if err := serviceevent.Append(r.tx, svc, state, r.now, events); err != nil {
		return nil, err
	}
	return tasks, errors.Join(
		store.Put(r.tx, store.DeploymentStateKey(svc.Cluster, svc.Name, o.Deployment), next),
		store.Put(r.tx, store.ServiceStateKey(svc.Cluster, svc.Name), state))
}

// launchedCount returns how many tasks a deployment has launched.
func launchedCount(s *fleet.DeploymentState) int64 {
	if s == nil {
		return 0
	}
	return s.Launched
}

// withLaunched returns a deployment's state with n more launched tasks.
func (w *world) withLaunched(was *fleet.DeploymentState, d *store.Deployment, n int) *fleet.DeploymentState {
	next := &fleet.DeploymentState{}
	if was != nil {
		*next = *was
	}
	if next.Rollout == "" {
		next.Rollout, next.Reason, next.StartedAt = types.DeploymentRolloutStateInProgress, d.Reason, w.now
		if next.Reason == "" {
			next.Reason = rollout.ReasonInProgress(d.ID)
		}
	}
	next.Launched += int64(n)
	next.UpdatedAt = w.now
	return next
}

// chooseHosts chooses hosts for a service's tasks. If ECS's rules or the lack of room
// leave tasks without a host, that is no error: it returns the failure, and the
// service waits until something changes.
func (o *serviceOrder) chooseHosts(r *round, svc *fleet.Service, d *store.Deployment, count int) ([]placed, *fleet.PlacementFailure, error) {
	b, err := o.chooseBatch(r, svc, d, count)
	if err != nil {
		if api := smithy.APIError(nil); errors.As(err, &api) {
			return nil, &fleet.PlacementFailure{Reason: api.ErrorMessage()}, nil
		}
		return nil, nil, err
	}
	if len(b.failures) == 0 {
		return b.tasks, nil, nil
	}
	f := b.failures[0]
	refused := &fleet.PlacementFailure{Reason: f.Reason, Detail: f.Detail}
	if f.ARN != "" {
		refused.Instance, _ = r.site.MemberID("container-instance", svc.Cluster, f.ARN)
	}
	return b.tasks, refused, nil
}

// chooseBatch chooses hosts for a service's tasks in the way RunTask does. If it
// returns an error, it has reserved nothing.
func (o *serviceOrder) chooseBatch(r *round, svc *fleet.Service, d *store.Deployment, count int) (*batch, error) {
	c, err := lookup.ClusterTx(r.tx, r.site, &svc.Cluster)
	if err != nil {
		return nil, err
	}
	rev := r.snap.ServiceRevision(svc.Cluster, svc.Name, d.Revision)
	if rev == nil {
		return nil, refuse.Client("The service revision %s is gone.", d.Revision)
	}
	// As in ECS, a service may go on to use a definition that is INACTIVE. The
	// definition must exist.
	def := store.Get(r.tx, store.TaskDefinitionKey(rev.Family, rev.Revision))
	if def == nil {
		return nil, refuse.Client("The task definition %s:%d is gone.", rev.Family, rev.Revision)
	}
	st := store.Get(r.tx, store.TaskDefinitionStateKey(rev.Family, rev.Revision))
	some := o.ServiceLaunch
	some.Count = count
	l := launchFor(svc, rev, d.ID, &some)
	l.running = countByProvider(r.snap, svc.Cluster, l)
	lanes, err := r.resolveLanes(l, c, def)
	if err != nil {
		return nil, err
	}
	b := newBatch(r, l, svc.Cluster)
	task, err := b.newTask(def, st)
	if err != nil {
		return nil, err
	}
	task.EnableExecuteCommand = rev.EnableExecuteCommand
	for i := range lanes {
		lanes[i].pool.zone = o.Zone
	}
	if len(o.Instances) > 0 {
		return b, b.placeDaemon(o.Instances[:count], &lanes[0], def, task)
	}
	return b, b.chooseInLanes(lanes, def, task)
}

// countByProvider counts the tasks of a service's deployment by capacity provider. It
// returns nil if there are fewer than two providers.
func countByProvider(snap *store.Snapshot, cluster string, l *Launch) map[string]int {
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

// placeDaemon places a DAEMON's tasks, one on each of some hosts.
func (b *batch) placeDaemon(instances []string, l *lane, d *fleet.TaskDefinition, task fleet.Task) error {
	if err := l.applyTo(b.launch, d.Definition, &task); err != nil {
		return err
	}
	if err := b.checkServable(b.cluster, d, task.Overrides, l.pool); err != nil {
		return err
	}
	req, err := requestOf(&task, d, 1)
	if err != nil {
		return err
	}
	for _, id := range instances {
		if c := b.chooseNamedHost(id, req); c != nil {
			b.addPlaced(task, d, *c)
		}
	}
	return nil
}

// launchFor returns the launch of a service's tasks.
func launchFor(svc *fleet.Service, rev *fleet.ServiceRevision, deployment string, l *ServiceLaunch) *Launch {
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

// describeUnplaced returns, in ECS's words, which host came closest and what it
// lacks, followed by the details.
func describeUnplaced(f *fleet.PlacementFailure) string {
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
