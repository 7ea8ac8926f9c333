package rollout

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

var (
	seed   = flag.Uint64("seed", 0, "of the random worlds; 0 takes one from the time")
	worlds = flag.Int("worlds", 400, "number of random worlds")
)

// TestRandom does to services whatever can be done to them, and then nothing any
// more: each must come to its desired count of healthy tasks, and on the way never
// stop so many that fewer than the minimum are healthy, nor launch beyond the
// maximum, nor ask for the same twice.
func TestRandom(t *testing.T) {
	first := *seed
	if first == 0 {
		first = uint64(time.Now().UnixNano())
	}
	for i := range *worlds {
		if err := randomWorld(first + uint64(i)); err != nil {
			t.Fatalf("-seed %d -worlds 1: %v", first+uint64(i), err)
		}
	}
	t.Logf("from seed %d", first)
}

func randomWorld(seed uint64) (err error) {
	r := rand.New(rand.NewPCG(seed, 1))
	w := newWorld(nil)
	defer func() {
		if p := recover(); p != nil {
			if e, ok := p.(broken); ok {
				err = fmt.Errorf("at %s: %s", w.in.Now.Sub(w.start), string(e))
				return
			}
			panic(p)
		}
	}()
	w.checked = checkStep
	for i := range 2 + r.IntN(6) {
		w.hosts = append(w.hosts, &machine{name: fmt.Sprint("h", i), zone: fmt.Sprint("z", r.IntN(3)), slots: r.IntN(12)})
	}
	s := &w.in.Service
	if r.IntN(4) == 0 {
		s.Strategy = types.SchedulingStrategyDaemon
	}
	w.wish(r)
	w.deploy("", r.IntN(3) == 0, "", "")
	for range 200 {
		w.chance(r)
		if r.IntN(3) > 0 {
			w.fixed()
		}
	}
	return w.converge(r)
}

type broken string

func fail(format string, args ...any) { panic(broken(fmt.Sprintf(format, args...))) }

// wish changes what people want of the service.
func (w *world) wish(r *rand.Rand) {
	s := &w.in.Service
	s.Desired = r.IntN(12)
	bounds := [][2]int{{100, 200}, {50, 100}, {0, 100}, {50, 150}, {100, 150}, {75, 125}, {0, 200}, {50, 200}, {100, 100}}
	b := bounds[r.IntN(len(bounds))]
	if s.Strategy == types.SchedulingStrategyDaemon {
		b = [2]int{[]int{0, 50, 90}[r.IntN(3)], 100}
	}
	s.MinimumPercent, s.MaximumPercent = b[0], b[1]
	s.Breaker = Breaker{Enabled: r.IntN(2) == 0, Rollback: r.IntN(2) == 0, KeepCount: r.IntN(3) == 0}
	s.Rebalance = r.IntN(2) == 0 && b[1] > 100
	s.Packs = r.IntN(3) == 0
	s.GracePeriod = time.Duration(r.IntN(2)*20) * time.Second
}

// chance does something to the world.
func (w *world) chance(r *rand.Rand) {
	some := func(f func(t *Task)) {
		p := 1 + r.IntN(4)
		for i := range w.in.Tasks {
			if t := &w.in.Tasks[i]; !t.hasStopped() && r.IntN(p) == 0 {
				f(t)
			}
		}
	}
	reached := func(t *Task) bool {
		h := w.host(t.Instance)
		return h.condition == HostOK || h.condition == HostDraining
	}
	switch r.IntN(17) {
	case 0, 1, 2:
		some(func(t *Task) {
			if reached(t) && !t.Stop {
				w.run(t)
			}
		})
	case 3:
		some(func(t *Task) {
			if reached(t) && t.Status == fleet.TaskPending {
				w.end(t)
			}
		})
	case 4:
		some(func(t *Task) {
			if reached(t) && r.IntN(3) == 0 {
				w.end(t)
			}
		})
	case 5, 6:
		w.obey()
	case 7:
		some(func(t *Task) {
			if !t.hasStopped() && !t.Stop { // a container of one that does not run yet may
				t.Health = []types.HealthStatus{types.HealthStatusHealthy, types.HealthStatusHealthy, types.HealthStatusUnhealthy, types.HealthStatusUnknown}[r.IntN(4)]
			}
		})
	case 8:
		w.hosts[r.IntN(len(w.hosts))].condition = []HostCondition{HostOK, HostOK, HostAway, HostDraining, HostLost}[r.IntN(5)]
		w.changed()
	case 9:
		if r.IntN(2) == 0 {
			w.deploy("", r.IntN(3) == 0, "", "")
		}
	case 10:
		if r.IntN(3) == 0 {
			w.wish(r)
		}
	case 11:
		some(func(t *Task) {
			if r.IntN(4) == 0 {
				t.ProtectedUntil = w.in.Now.Add(time.Duration(r.IntN(600)) * time.Second)
			}
		})
	case 12:
		if r.IntN(4) == 0 {
			w.in.Deployments[0].Stop = types.StopServiceDeploymentStopType([]string{"ABORT", "ROLLBACK"}[r.IntN(2)])
		}
	case 13: // the reaper
		if r.IntN(4) == 0 {
			w.forget(r.IntN(10))
		}
	default:
		w.in.Now = w.in.Now.Add(time.Duration(r.IntN(30000)) * time.Millisecond)
	}
}

// fixed takes a step and sees that the next one asks for nothing.
func (w *world) fixed() {
	w.step()
	if w.in.Deployments[0].RollbackOf != "" {
		w.step() // a rollback's first
	}
	if w.unplaced() {
		w.step() // what can't be placed may cost the tasks that are in the way
	}
	if again := Step(w.look()); !again.IsEmpty() && !w.unplaced() {
		fail("asks again: %+v", again)
	}
}

// converge ends all trouble and sees that the service comes to rest as it should.
func (w *world) converge(r *rand.Rand) error {
	for _, h := range w.hosts {
		h.condition, h.slots = HostOK, 100
	}
	s := &w.in.Service
	desired := s.Desired
	if s.Strategy == types.SchedulingStrategyDaemon {
		desired = len(w.hosts)
	}
	if percentUp(desired, s.MinimumPercent) >= desired && percentDown(desired, s.MaximumPercent) <= desired {
		s.MinimumPercent = 0 // else an update can't go on, by ECS's rule
	}
	if w.in.Deployments[0].Rollout == types.DeploymentRolloutStateFailed {
		w.deploy("", false, "", "")
	}
	w.changed()
	for range 400 {
		busy := w.step()
		busy = w.startAll() || busy
		busy = w.obey() || busy
		for i := range w.in.Tasks {
			if t := &w.in.Tasks[i]; !t.hasStopped() && t.Health != "" && t.Health != types.HealthStatusHealthy {
				t.Health = types.HealthStatusHealthy
				busy = true
			}
		}
		if busy {
			continue
		}
		out := Step(w.look())
		if w.in.Deployments[0].Rollout == types.DeploymentRolloutStateFailed {
			w.deploy("", false, "", "") // people mend what they have stopped, or what had failed too often
			continue
		}
		if out.Wake.IsZero() {
			return w.atRest()
		}
		w.in.Now = out.Wake
	}
	fail("doesn't come to rest: %+v", Step(w.look()))
	return nil
}

func (w *world) atRest() error {
	desired := w.in.Service.Desired
	if w.in.Service.Strategy == types.SchedulingStrategyDaemon {
		desired = len(w.hosts)
	}
	n, on := 0, map[string]int{}
	primary := &w.in.Deployments[0]
	for i := range w.in.Tasks {
		t := &w.in.Tasks[i]
		if t.hasStopped() {
			continue
		}
		d := w.deployment(t.Deployment)
		if d == nil || d != primary && !Adopts(primary, d) {
			fail("a task of deployment %s is left", t.Deployment)
		}
		if !isHealthy(&w.in, t) {
			fail("%+v is not healthy", t)
		}
		n++
		on[t.Instance]++
	}
	if n != desired {
		fail("%d tasks of %d", n, desired)
	}
	if w.in.Service.Strategy == types.SchedulingStrategyDaemon && len(on) != desired {
		fail("DAEMON's tasks on %v", on)
	}
	if primary.Rollout != types.DeploymentRolloutStateCompleted || primary.SteadySince.IsZero() {
		fail("PRIMARY is %+v", primary)
	}
	return nil
}

// isHealthy implements the rule a second time.
func isHealthy(in *Input, t *Task) bool {
	if t.Stop || t.Status != fleet.TaskRunning || t.Host == HostLost {
		return false
	}
	switch t.Health {
	case types.HealthStatusHealthy:
		return true
	case types.HealthStatusUnhealthy:
		return false
	}
	checks := slices.ContainsFunc(in.Deployments, func(d Deployment) bool { return d.ID == t.Deployment && d.HealthChecks })
	return !checks && in.Now.Sub(t.StartedAt) >= in.Service.HealthyAfter
}

// checkStep holds a step's decisions against the promises.
func checkStep(in *Input, o *Output) {
	daemon := in.Service.Strategy == types.SchedulingStrategyDaemon
	desired := in.Service.Desired
	eligible := map[string]bool{}
	if daemon {
		desired = len(in.Hosts)
		for _, h := range in.Hosts {
			eligible[h.Instance] = true
		}
	}
	stopped := map[string]bool{}
	for _, s := range o.Stops {
		if stopped[s.Task] {
			fail("stops %s twice", s.Task)
		}
		stopped[s.Task] = true
	}
	live, before, after := 0, 0, 0
	taken := map[string]bool{}
	for i := range in.Tasks {
		t := &in.Tasks[i]
		if !t.hasStopped() {
			taken[t.Instance] = true
		}
		if stopped[t.ID] {
			if t.Stop || t.hasStopped() {
				fail("stops %s again", t.ID)
			}
			if in.Now.Before(t.ProtectedUntil) && t.Host != HostLost && t.Health != types.HealthStatusUnhealthy && !daemon {
				fail("stops %s, which is protected", t.ID)
			}
		}
		if t.Stop || t.hasStopped() || t.Host == HostLost || daemon && !eligible[t.Instance] {
			continue
		}
		if isHealthy(in, t) {
			before++
			if !stopped[t.ID] {
				after++
			}
		}
		if !stopped[t.ID] {
			live++
		}
	}
	if lowest := (desired*in.Service.MinimumPercent + 99) / 100; after < before && after < lowest {
		fail("leaves %d healthy of %d, the minimum is %d: %+v", after, before, lowest, o.Stops)
	}
	if !daemon && slices.ContainsFunc(o.Events, func(e Event) bool { return e.Name == "SERVICE_TASK_CONFIGURATION_FAILURE" }) &&
		((desired*in.Service.MinimumPercent+99)/100 < desired || desired*in.Service.MaximumPercent/100 > desired) {
		fail("says that %d and %d percent of %d keep all tasks", in.Service.MinimumPercent, in.Service.MaximumPercent, desired)
	}
	launched := 0
	for _, l := range o.Launches {
		launched += l.Count
		for _, h := range l.Instances {
			if taken[h] || !eligible[h] {
				fail("launches on %s", h)
			}
			taken[h] = true
		}
		if in.Deployments[slices.IndexFunc(in.Deployments, func(d Deployment) bool { return d.ID == l.Deployment })].Rollout == types.DeploymentRolloutStateFailed {
			fail("launches for the failed deployment %s", l.Deployment)
		}
	}
	if most := desired * in.Service.MaximumPercent / 100; launched > 0 && live+launched > most {
		fail("launches %d beside %d, the maximum is %d", launched, live, most)
	}
}
