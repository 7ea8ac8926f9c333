package rollout

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// world is a service on a few hosts. It keeps what Step says, as the scheduler
// would, and plays the hosts.
type world struct {
	in    Input
	hosts []*machine
	start time.Time
	// retired deployments stay here, for their revisions
	serial  map[string]int64
	out     io.Writer
	checked func(before *Input, out *Output) // of each step, before it is kept
}

type machine struct {
	name, zone string
	slots      int // tasks that it holds
	condition  HostCondition
}

func newWorld(out io.Writer) *world {
	w := &world{out: out, serial: map[string]int64{}, start: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	w.in.Now = w.start
	w.in.Service = Service{
		Name: "web", Status: Active, Strategy: types.SchedulingStrategyReplica,
		MinimumPercent: 100, MaximumPercent: 200, HealthyAfter: 40 * time.Second,
	}
	return w
}

func (w *world) printf(format string, args ...any) {
	if w.out != nil {
		fmt.Fprintf(w.out, format, args...)
	}
}

func (w *world) deploy(revision string, checks bool, rollbackOf, reason string) *Deployment {
	id := fmt.Sprint(len(w.serial) + 1)
	w.serial[id] = 0
	if revision == "" {
		revision = "r" + id
	}
	d := Deployment{ID: id, Revision: revision, CreatedAt: w.in.Now, RollbackOf: rollbackOf, HealthChecks: checks}
	d.Rollout, d.Reason = types.DeploymentRolloutStateInProgress, cmp.Or(reason, ReasonInProgress(id))
	if len(w.in.Deployments) > 0 {
		d.SteadySince = w.in.Deployments[0].SteadySince
	}
	w.in.Deployments = slices.Insert(w.in.Deployments, 0, d)
	return &w.in.Deployments[0]
}

// look brings what Step is to see of the hosts up to date.
func (w *world) look() *Input {
	w.in.Hosts, w.in.Zones = w.in.Hosts[:0], w.in.Zones[:0]
	for _, h := range w.hosts {
		if h.condition == HostOK || h.condition == HostAway {
			w.in.Hosts = append(w.in.Hosts, Host{Instance: h.name, Away: h.condition == HostAway})
		}
		if h.condition == HostOK && !slices.Contains(w.in.Zones, h.zone) {
			w.in.Zones = append(w.in.Zones, h.zone)
		}
	}
	held := map[string]int{}
	for i := range w.in.Tasks {
		if t := &w.in.Tasks[i]; !t.hasStopped() {
			held[t.Instance]++
		}
	}
	for i := range w.in.Tasks {
		t := &w.in.Tasks[i]
		if h := w.host(t.Instance); h != nil {
			t.Host, t.Zone, t.Spare = h.condition, h.zone, h.slots-held[h.name]
		}
	}
	for i := range w.in.Deployments {
		w.in.Deployments[i].Crashes = w.crashes(w.in.Deployments[i].ID)
	}
	w.in.NextID = fmt.Sprint(len(w.serial) + 1)
	return &w.in
}

// crashes looks at a deployment's tasks as far as they are known.
func (w *world) crashes(deployment string) Crashes {
	known := map[int64]*Task{}
	for i := range w.in.Tasks {
		if t := &w.in.Tasks[i]; t.Deployment == deployment {
			known[t.Serial] = t
		}
	}
	return CrashesOf(func(yield func(LaunchedTask) bool) {
		for n := w.serial[deployment]; n > 0; n-- {
			p := LaunchedTask{Outcome: Forgotten}
			if t := known[n]; t != nil {
				p = LaunchedTask{ID: t.ID, CreatedAt: t.CreatedAt, StoppedAt: t.StoppedAt, Instance: t.Instance, Outcome: fate(t, w.in.Now)}
			}
			if !yield(p) {
				return
			}
		}
	}, w.in.Now)
}

// fate implements the rule a second time.
func fate(t *Task, now time.Time) Outcome {
	end := now
	if t.hasStopped() {
		end = t.StoppedAt
	}
	switch ran := end.Sub(t.StartedAt); {
	case !t.hasRun():
		return Undecided
	case ran >= 10*time.Second:
		return RanLong
	case t.hasStopped() && t.StopCode == types.TaskStopCodeEssentialContainerExited:
		return EndedEarly
	}
	return Undecided
}

func (w *world) host(name string) *machine {
	for _, h := range w.hosts {
		if h.name == name {
			return h
		}
	}
	return nil
}

// changed says that a launch in vain is worth another try.
func (w *world) changed() {
	for i := range w.in.Deployments {
		if u := w.in.Deployments[i].Unplaced; u != nil {
			c := *u
			c.Changed = true
			w.in.Deployments[i].Unplaced = &c
		}
	}
}

// step takes one step, prints its output and applies it. It reports whether there was
// anything to apply.
func (w *world) step() bool {
	out := Step(w.look())
	if w.checked != nil {
		w.checked(&w.in, &out)
	}
	w.tell(&out)
	for _, s := range out.Stops {
		t := w.task(s.Task)
		t.Stop, t.StopReason = true, s.Reason
	}
	for _, c := range out.Deployments {
		i := slices.IndexFunc(w.in.Deployments, func(d Deployment) bool { return d.ID == c.ID })
		d := &w.in.Deployments[i]
		d.DeploymentState = c.DeploymentState
		if c.UnplacedResolved {
			d.Unplaced = nil
		}
		if d.Rollout == types.DeploymentRolloutStateCompleted && i == 0 {
			w.in.Service.Completed = &Completed{Deployment: d.ID, Revision: d.Revision}
		}
	}
	for _, l := range out.Launches {
		w.place(&l)
	}
	w.in.Deployments = slices.DeleteFunc(w.in.Deployments, func(d Deployment) bool { return d.Retired })
	if r := out.Rollback; r != nil {
		checks := false
		for i := range w.in.Deployments {
			if w.in.Deployments[i].Revision == r.Revision {
				checks = w.in.Deployments[i].HealthChecks
			}
		}
		w.deploy(r.Revision, checks, r.Of, r.Reason)
	}
	if out.Inactive {
		w.in.Service.Status = Inactive
	}
	return !out.IsEmpty()
}

func (w *world) task(id string) *Task {
	for i := range w.in.Tasks {
		if w.in.Tasks[i].ID == id {
			return &w.in.Tasks[i]
		}
	}
	return nil
}

// place finds hosts for a launch: in the zone with the fewest of the service's
// tasks, there the host with the fewest.
func (w *world) place(l *Launch) {
	i := slices.IndexFunc(w.in.Deployments, func(d Deployment) bool { return d.ID == l.Deployment })
	d := &w.in.Deployments[i]
	d.Unplaced = nil
	for n := range l.Count {
		var best *machine
		free := func(h *machine) bool {
			_, _, held := w.counts(h)
			return h.condition == HostOK && held < h.slots && (l.Zone == "" || h.zone == l.Zone)
		}
		if l.Instances != nil {
			if h := w.host(l.Instances[n]); free(h) {
				best = h
			}
		} else {
			for _, h := range w.hosts {
				if !free(h) {
					continue
				}
				zone, on, _ := w.counts(h)
				if best != nil {
					z, o, _ := w.counts(best)
					if cmp.Or(cmp.Compare(zone, z), cmp.Compare(on, o)) >= 0 {
						continue
					}
				}
				best = h
			}
		}
		if best == nil {
			w.printf("  no room for %d of deployment %s\n", l.Count-n, l.Deployment)
			d.Unplaced = &Unplaced{At: w.in.Now, Reason: "RESOURCE:CPU", Zone: l.Zone}
			return
		}
		w.serial[d.ID]++
		w.in.Tasks = append(w.in.Tasks, Task{
			ID: fmt.Sprintf("%s.%d", d.ID, w.serial[d.ID]), Deployment: d.ID, Serial: w.serial[d.ID],
			Status: fleet.TaskPending, CreatedAt: w.in.Now, Instance: best.name, Zone: best.zone,
		})
	}
}

// counts returns the wanted tasks in a host's zone, those on it, and what it holds.
func (w *world) counts(h *machine) (zone, on, held int) {
	for i := range w.in.Tasks {
		t := &w.in.Tasks[i]
		if t.hasStopped() {
			continue
		}
		if t.Instance == h.name {
			held++
		}
		if t.Stop {
			continue
		}
		if t.Zone == h.zone {
			zone++
		}
		if t.Instance == h.name {
			on++
		}
	}
	return zone, on, held
}

// tell writes a step's decisions for people.
func (w *world) tell(o *Output) {
	if w.out == nil {
		return
	}
	for _, l := range o.Launches {
		w.printf("  launch %d of deployment %s", l.Count, l.Deployment)
		if l.Instances != nil {
			w.printf(" on %s", strings.Join(l.Instances, " "))
		}
		if l.Zone != "" {
			w.printf(" in zone %s", l.Zone)
		}
		w.printf("\n")
	}
	why := map[string][]string{}
	var order []string
	for _, s := range o.Stops {
		if why[s.Reason] == nil {
			order = append(order, s.Reason)
		}
		why[s.Reason] = append(why[s.Reason], s.Task)
	}
	for _, r := range order {
		w.printf("  stop %s: %s\n", strings.Join(why[r], " "), r)
	}
	for _, c := range o.Deployments {
		i := slices.IndexFunc(w.in.Deployments, func(d Deployment) bool { return d.ID == c.ID })
		old := w.in.Deployments[i].DeploymentState
		if c.Retired && !old.Retired {
			w.printf("  deployment %s is retired\n", c.ID)
		}
		if c.Rollout != old.Rollout {
			w.printf("  deployment %s is %s: %s\n", c.ID, c.Rollout, c.Reason)
		}
		if c.LastGood != old.LastGood {
			w.printf("  deployment %s is good up to %d\n", c.ID, c.LastGood)
		}
	}
	if o.Rollback != nil {
		w.printf("  roll back deployment %s to %s: %s\n", o.Rollback.Of, o.Rollback.Revision, o.Rollback.Reason)
	}
	if o.Inactive {
		w.printf("  the service is INACTIVE\n")
	}
	for _, e := range o.Events {
		w.printf("  event %s\n", e.Message)
	}
	if t := o.Throttled; t != nil {
		w.printf("  throttled: %d failures in %d rounds, next try after %s\n", t.Failures, t.Rounds, t.NextTry.Sub(w.in.Now))
	}
	if !o.Wake.IsZero() {
		w.printf("  wake after %s\n", o.Wake.Sub(w.in.Now))
	}
}

// run starts pending tasks.
func (w *world) run(t *Task) {
	if t.Status == fleet.TaskPending {
		t.Status, t.StartedAt = fleet.TaskRunning, w.in.Now
		if d := w.deployment(t.Deployment); d != nil && d.HealthChecks {
			t.Health = types.HealthStatusUnknown
		}
	}
}

func (w *world) deployment(id string) *Deployment {
	for i := range w.in.Deployments {
		if w.in.Deployments[i].ID == id {
			return &w.in.Deployments[i]
		}
	}
	return nil
}

// end stops a task, by itself or as it was asked to.
func (w *world) end(t *Task) {
	if t.hasStopped() {
		return
	}
	switch {
	case t.Stop:
		t.StopCode = types.TaskStopCodeServiceSchedulerInitiated
	case t.hasRun():
		t.StopCode = types.TaskStopCodeEssentialContainerExited
	default:
		t.StopCode = types.TaskStopCodeTaskFailedToStart
	}
	t.Status, t.StoppedAt = fleet.TaskStopped, w.in.Now
	w.changed()
}

// startAll starts all pending tasks on hosts in contact.
func (w *world) startAll() bool {
	any := false
	for i := range w.in.Tasks {
		if t := &w.in.Tasks[i]; !t.Stop && t.Status == fleet.TaskPending && w.host(t.Instance).condition == HostOK {
			w.run(t)
			any = true
		}
	}
	return any
}

// obey ends the tasks that are to stop, where their hosts can hear of it.
func (w *world) obey() bool {
	any := false
	for i := range w.in.Tasks {
		t := &w.in.Tasks[i]
		h := w.host(t.Instance)
		if t.Stop && !t.hasStopped() && (h.condition == HostOK || h.condition == HostDraining) {
			w.end(t)
			any = true
		}
	}
	return any
}
