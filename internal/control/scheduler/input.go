package scheduler

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/ashore/ashore/internal/control/rollout"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

const zoneAttribute = "ecs.availability-zone"

// view is a service as one snapshot shows it, prepared for a step.
type view struct {
	snap        *store.Snapshot
	cluster     *fleet.Cluster
	service     *fleet.Service
	state       *fleet.ServiceState // nil: there is none, or it belongs to an earlier service of the name
	deployments []store.Deployment  // deployments that are not done, the newest first
	in          rollout.Input
	tasks       *[]rollout.Task // the list from the pool that in.Tasks uses

	lostHosts      map[string]string // by id of a task whose host is lost: the id of the host
	hosts          map[string]hostView
	lostAfter      time.Duration // a host counts as lost after being away for so long
	hostsCanBeLost bool          // whether hosts can be lost at all
	wake           time.Time     // when the next host counts as lost
	dependsOnHosts bool          // it depends on which hosts exist
	zoned          bool          // it matters which zones its tasks are in
	packs          string        // what it packs, CPU or MEMORY, if that matters
	lossUnknown    bool          // it has tasks on absent hosts, and it is not known yet when these count as lost
}

// taskLists are the lists of released views. Allocating thousands of tasks each time
// would load the garbage collector.
var taskLists = sync.Pool{New: func() any { return new([]rollout.Task) }}

// release returns the view's list to the pool. The view must not be used any more.
func (v *view) release() {
	clear(v.in.Tasks)
	*v.tasks = v.in.Tasks[:0]
	v.in.Tasks = nil
	taskLists.Put(v.tasks)
}

// hostView is what a step needs to know about a host.
type hostView struct {
	condition rollout.HostCondition
	zone      string
	spare     int
}

// newView prepares a service for a step. It returns nil if the service needs no
// scheduling. The caller must release the view.
func (l *leader) newView(snap *store.Snapshot, cluster, service string, room bool) (*view, error) {
	c, s := snap.Cluster(cluster), snap.Service(cluster, service)
	if c == nil || s == nil || s.Status == fleet.ServiceInactive {
		return nil, nil
	}
	// If, say, a deployment's record were missing, its tasks would belong to no deployment.
	if err := snap.ServiceReadable(cluster, service); err != nil {
		return nil, err
	}
	v := &view{snap: snap, cluster: c, service: s, tasks: taskLists.Get().(*[]rollout.Task), hosts: map[string]hostView{}, lostHosts: map[string]string{}}
	if st := snap.ServiceState(cluster, service); st != nil && st.Service == s.ID {
		v.state = st
	}
	v.lostAfter, v.hostsCanBeLost = s.ReplaceLostAfter(c)
	v.in.Now = l.now()
	v.in.NextID = fleet.DeploymentID(s.ID, s.Deployments+1)
	v.in.Service = rolloutService(s, c)
	v.setSurplusOrder()
	v.addDeployments(room)
	if err := v.checkReadable(); err != nil {
		v.release()
		return nil, err
	}
	l.addTasks(v)
	// The tasks of a deleted service are stopped wherever they are.
	if s.Status == fleet.ServiceActive && (v.in.Service.Strategy == types.SchedulingStrategyDaemon || v.isRebalanced()) {
		v.dependsOnHosts = true
		if err := l.addHosts(v); err != nil {
			v.release()
			return nil, err
		}
	}
	return v, nil
}

// checkReadable returns an error if the task definition of a current deployment can't
// be read.
func (v *view) checkReadable() error {
	for _, d := range v.deployments {
		rev := v.snap.ServiceRevision(d.Cluster, d.Service, d.Revision)
		if rev == nil {
			continue
		}
		if err := store.Readable(v.snap, store.TaskDefinitionKey(rev.Family, rev.Revision)); err != nil {
			return err
		}
	}
	return nil
}

// now returns the time as records store it.
func (l *leader) now() time.Time { return l.Now().UTC().Truncate(time.Millisecond) }

// rolloutService returns what is wanted of a service, with ECS's defaults.
func rolloutService(s *fleet.Service, c *fleet.Cluster) rollout.Service {
	w := rollout.Service{
		Name: s.Name, Status: rollout.Status(s.Status), Strategy: s.Scheduling, Desired: s.DesiredCount,
		MinimumPercent: 100, MaximumPercent: 200, HealthyAfter: s.HealthyAfter(c),
		GracePeriod: time.Duration(aws.ToInt32(s.GracePeriod)) * time.Second,
		Rebalance:   s.Rebalancing == types.AvailabilityZoneRebalancingEnabled,
	}
	if w.Strategy == types.SchedulingStrategyDaemon {
		w.MinimumPercent, w.MaximumPercent = 0, 100
	}
	if cfg := s.Configuration; cfg != nil {
		if cfg.MinimumHealthyPercent != nil {
			w.MinimumPercent = int(*cfg.MinimumHealthyPercent)
		}
		if cfg.MaximumPercent != nil {
			w.MaximumPercent = int(*cfg.MaximumPercent)
		}
		if b := cfg.DeploymentCircuitBreaker; b != nil {
			w.Breaker = rollout.Breaker{Enabled: b.Enable, Rollback: b.Rollback, KeepCount: b.ResetOnHealthyTask != nil && !*b.ResetOnHealthyTask}
			if t := b.ThresholdConfiguration; t != nil {
				w.Breaker.Type, w.Breaker.Value = t.Type, int(t.Value)
			}
		}
	}
	return w
}

func (v *view) addDeployments(room bool) {
	primary := v.service.Deployment
	for _, d := range v.snap.Deployments(v.service.Cluster, v.service.Name) {
		if d.ServiceID != v.service.ID {
			continue // it belongs to an earlier service of the name
		}
		if d.State != nil && d.State.Rollout == types.DeploymentRolloutStateCompleted && v.in.Service.Completed == nil && d.ID != primary {
			v.in.Service.Completed = &rollout.Completed{Deployment: d.ID, Revision: d.Revision}
		}
		if d.State != nil && d.State.Done && d.ID != primary {
			continue
		}
		v.deployments = append(v.deployments, d)
		v.in.Deployments = append(v.in.Deployments, v.deployment(d, room))
	}
}

func (v *view) deployment(d store.Deployment, room bool) rollout.Deployment {
	out := rollout.Deployment{ID: d.ID, Revision: d.Revision, CreatedAt: d.CreatedAt, RollbackOf: d.RollbackOf, HealthChecks: v.hasHealthChecks(d)}
	if d.Stop != nil {
		out.Stop = d.Stop.Type
	}
	out.DeploymentState = stateOf(d)
	out.Crashes = CrashesOf(v.snap, d, v.in.Now)
	if d.ID == v.service.Deployment && v.state != nil && v.state.Steady {
		out.SteadySince = v.state.SteadyAt
	}
	if d.State != nil && d.State.Unplaced != nil {
		u := d.State.Unplaced
		out.Unplaced = &rollout.Unplaced{At: u.At, Reason: u.Reason, Zone: u.Zone, Changed: room}
	}
	return out
}

// stateOf returns a deployment's state as the last step left it. A new one is
// IN_PROGRESS.
func stateOf(d store.Deployment) rollout.DeploymentState {
	var out rollout.DeploymentState
	if s := d.State; s != nil {
		out = rollout.DeploymentState{Rollout: s.Rollout, Reason: s.Reason, LastGood: s.LastGood, NextTry: s.NextTry, Impaired: s.Impaired, Looping: s.Looping, Stuck: s.Stuck, Retired: s.Done}
	}
	if out.Rollout == "" {
		out.Rollout, out.Reason = types.DeploymentRolloutStateInProgress, d.Reason
		if out.Reason == "" {
			out.Reason = rollout.ReasonInProgress(d.ID)
		}
	}
	return out
}

// hasHealthChecks reports whether essential containers of a deployment's tasks have
// health checks.
func (v *view) hasHealthChecks(d store.Deployment) bool {
	rev := v.snap.ServiceRevision(d.Cluster, d.Service, d.Revision)
	if rev == nil {
		return false
	}
	def, _ := v.snap.TaskDefinition(rev.Family, rev.Revision)
	return def != nil && def.HealthChecked()
}

// addTasks adds the tasks that are to run, those that are to end and have not, those
// that have failed, and for each deployment the newest task that ran after a failure.
func (l *leader) addTasks(v *view) {
	cluster, service := v.service.Cluster, v.service.Name
	n := v.snap.ServiceTasks(cluster, service)
	v.in.Tasks = slices.Grow(*v.tasks, n.Pending+n.Running+n.Stopping)
	for t := range v.snap.TasksWhere(cluster, store.TaskFilter{Desired: fleet.TaskRunning, Service: service}, "") {
		l.addTask(v, t)
	}
	for t := range v.snap.EndingTasks(cluster, service) {
		l.addTask(v, t)
	}
	for _, d := range v.deployments {
		first := int64(0) // serial of the first failed task
		for t := range v.snap.FailedTasks(cluster, d.ID) {
			l.addTask(v, t)
			if first == 0 || t.Serial < first {
				first = t.Serial
			}
		}
		if first > 0 {
			l.addLastRun(v, &d, first)
		}
	}
	if v.snap.Counts(cluster).Waiting > 0 {
		for t := range v.snap.WaitingTasks(cluster, "") {
			if t.Service() == service {
				l.addTask(v, &fleet.TaskState{Task: t})
			}
		}
	}
}

// addLastRun adds the newest task after the first failure that ran and has ended:
// earlier failures to start no longer count.
func (l *leader) addLastRun(v *view, d *store.Deployment, first int64) {
	if d.State == nil {
		return
	}
	for serial := d.State.Launched; serial > first; serial-- {
		t := v.snap.Task(d.Cluster, fleet.ServiceTaskID(d.ID, serial))
		if t == nil || t.Report == nil || t.Report.StartedAt.IsZero() {
			continue
		}
		if !t.Holds() && !t.Failed() { // other tasks have been added already
			l.addTask(v, t)
		}
		return
	}
}

func (l *leader) addTask(v *view, t *fleet.TaskState) {
	out := rollout.Task{ID: t.ID, Deployment: t.Deployment(), Serial: t.Serial, Status: t.Status(), CreatedAt: t.CreatedAt, Instance: t.Instance}
	if t.Stop != nil {
		out.Stop, out.StopReason = true, t.Stop.Reason
		if t.Stop.Unhealthy {
			out.StopReason = rollout.ReasonUnhealthy
		}
	}
	if t.Report != nil {
		out.StopCode, out.StartedAt, out.StoppedAt = t.Report.StopCode, t.Report.StartedAt, t.Report.StoppedAt
	}
	if t.Health != nil {
		def, _ := v.snap.TaskDefinition(t.Family, t.Revision)
		out.Health = t.HealthStatus(def)
	}
	if t.Amendment != nil {
		out.ProtectedUntil = t.Amendment.ProtectedUntil
	}
	if t.Instance != "" && t.Holds() {
		h := l.viewHost(v, t.Instance)
		out.Host, out.Zone, out.Spare = h.condition, h.zone, h.spare
		if h.condition == rollout.HostLost {
			v.lostHosts[t.ID] = t.Instance
		}
	}
	v.in.Tasks = append(v.in.Tasks, out)
}

// viewHost returns a host as the service sees it. How long a host may be out of
// contact is each service's own setting.
func (l *leader) viewHost(v *view, id string) hostView {
	h, known := v.hosts[id]
	if known {
		return h
	}
	cluster := v.service.Cluster
	i := v.snap.Instance(cluster, id)
	if i == nil && store.Readable(v.snap, store.InstanceKey(cluster, id)) != nil {
		h.condition = rollout.HostAway // it exists; nothing more is known
		v.hosts[id] = h
		return h
	}
	if i == nil || i.Status == fleet.InstanceInactive {
		h.condition = rollout.HostLost
		v.hosts[id] = h
		return h
	}
	if v.zoned {
		h.zone, _ = i.Attribute(zoneAttribute)
	}
	if v.in.Service.Packs {
		cpu, memory := v.snap.Usage(cluster, id).Free(&i.Registered)
		if h.spare = cpu; v.packs == "MEMORY" {
			h.spare = memory
		}
	}
	if v.snap.Session(cluster, id) == nil {
		h.condition = rollout.HostAway
		if v.hostsCanBeLost {
			now := l.Now()
			due, known := l.lostAt(now, cluster, id, v.lostAfter)
			switch {
			case !known:
				v.lossUnknown = true
			case !due.After(now):
				h.condition = rollout.HostLost
			case v.wake.IsZero() || due.Before(v.wake):
				v.wake = due
			}
		}
	}
	if h.condition != rollout.HostLost && i.Status != fleet.InstanceActive {
		h.condition = rollout.HostDraining
	}
	v.hosts[id] = h
	return h
}

// lostAt returns when an absent host counts as lost, if it stays away. known is false
// if that is not known yet.
func (l *leader) lostAt(now time.Time, cluster, id string, after time.Duration) (due time.Time, known bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.tracker.LostAt(now, cluster, id, after)
}

// isRebalanced reports whether zones are to be kept even. They are not before the
// deployment is COMPLETED; that change leads to another inspection.
func (v *view) isRebalanced() bool {
	return v.in.Service.Rebalance && len(v.in.Deployments) > 0 && v.in.Deployments[0].Rollout == types.DeploymentRolloutStateCompleted
}

// addHosts adds hosts: for a DAEMON those that it is to run on, for a rebalanced
// REPLICA their zones.
func (l *leader) addHosts(v *view) error {
	if len(v.deployments) == 0 {
		return nil
	}
	d := v.deployments[0]
	rev := v.snap.ServiceRevision(d.Cluster, d.Service, d.Revision)
	if rev == nil {
		return fmt.Errorf("deployment %s has no service revision %s", d.ID, d.Revision)
	}
	ids, err := l.Placer.Eligible(v.snap, v.service, rev)
	if err != nil {
		return err
	}
	zones := map[string]bool{}
	for _, id := range ids {
		h := l.viewHost(v, id)
		if h.condition == rollout.HostLost || h.condition == rollout.HostDraining {
			continue
		}
		if v.in.Service.Strategy == types.SchedulingStrategyDaemon {
			v.in.Hosts = append(v.in.Hosts, rollout.Host{Instance: id, Away: h.condition == rollout.HostAway})
		} else if h.condition == rollout.HostOK && !zones[h.zone] {
			zones[h.zone] = true
			v.in.Zones = append(v.in.Zones, h.zone)
		}
	}
	return nil
}
