package placer

import (
	"fmt"
	"slices"

	"github.com/ashore/ashore/internal/ecs/lookup"
	"github.com/ashore/ashore/internal/ecs/refuse"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// launchOrder is a call of RunTask or StartTask.
type launchOrder struct {
	*Launch
	since   int64 // a revision of the store from before the call began
	outcome Outcome
}

func (o *launchOrder) taskCount() int { return max(o.count, len(o.instances)) }

func (o *launchOrder) clientToken() string { return o.token }

func (o *launchOrder) hasCaller() bool { return true }

func (o *launchOrder) reset() { o.outcome = Outcome{} }

func (o *launchOrder) String() string {
	return fmt.Sprintf("a launch of %s in %s", o.definition, aws.ToString(o.cluster))
}

// place chooses hosts for the launch's tasks and writes the tasks and the token.
func (o *launchOrder) place(r *round) error {
	c, err := lookup.ClusterTx(r.tx, r.site, o.cluster)
	if err != nil {
		return err
	}
	o.outcome.Cluster = c.Name
	if o.token != "" {
		if done, err := o.answerRepeated(r); done || err != nil {
			return err
		}
	}
	d, st, err := lookup.Definition(r.snap, r.site, o.definition)
	if err != nil {
		return lookup.NotFoundError(err, "TaskDefinition not found.")
	}
	// Guard the definition too: a deleted one has no state record, like an ACTIVE one.
	store.Get(r.tx, store.TaskDefinitionKey(d.Family, d.Revision))
	store.Get(r.tx, store.TaskDefinitionStateKey(d.Family, d.Revision))
	if lookup.DefinitionStatus(st) != types.TaskDefinitionStatusActive {
		return refuse.Client("TaskDefinition is inactive")
	}
	var lanes []lane
	if !o.start {
		if lanes, err = r.resolveLanes(o.Launch, c, d); err != nil {
			return err
		}
	}
	b := newBatch(r, o.Launch, c.Name)
	task, err := b.newTask(d, st)
	if err != nil {
		return err
	}
	if o.start {
		err = o.startOnNamed(b, d, task)
	} else {
		err = b.chooseInLanes(lanes, d, task)
	}
	if err != nil {
		return err
	}
	for n := range b.tasks {
		t := &b.tasks[n]
		o.outcome.Tasks = append(o.outcome.Tasks, t.task.ID)
		if r.snap.WaitingTask(c.Name, t.task.ID) != nil { // an earlier call with this token created it; the token's record is deleted since
			continue
		}
		if err := r.writeTask(t); err != nil {
			return err
		}
	}
	o.outcome.Failures = b.failures
	if o.token != "" {
		return store.Put(r.tx, store.TokenKey(c.Name, o.token), &fleet.Token{
			Operation: "RunTask", Request: o.request, Tasks: o.outcome.Tasks, Failures: o.outcome.Failures, CreatedAt: r.now,
		})
	}
	return nil
}

// answerRepeated answers an order whose token was used before. It reports whether it
// has. A token belongs to the tasks that it has created. If it has created none, a
// later call may try again. But a call that began before its caller was told that
// nothing was placed may not: it may come from a server that was suspended meanwhile.
func (o *launchOrder) answerRepeated(r *round) (bool, error) {
	t := store.Get(r.tx, store.TokenKey(o.outcome.Cluster, o.token))
	if t == nil || len(t.Tasks) == 0 && r.snap.TokenWritten(o.outcome.Cluster, o.token) <= o.since {
		return false, nil
	}
	if t.Request != o.request {
		e := &types.ConflictException{Message: aws.String("The clientToken was used before in a request with different parameters: give a new one for a new request.")}
		for _, id := range t.Tasks {
			e.ResourceIds = append(e.ResourceIds, r.site.TaskARN(o.outcome.Cluster, id))
		}
		return false, e
	}
	o.outcome.Tasks, o.outcome.Failures = t.Tasks, t.Failures
	return true, nil
}

// startOnNamed places one task on each of the hosts that StartTask names.
func (o *launchOrder) startOnNamed(b *batch, d *fleet.TaskDefinition, task fleet.Task) error {
	l := lane{launchType: types.LaunchTypeEc2, pool: poolOf(d.Definition, "")}
	if err := l.applyTo(o.Launch, d.Definition, &task); err != nil {
		return err
	}
	if err := b.checkServable(b.cluster, d, task.Overrides, l.pool); err != nil {
		return err
	}
	req, err := requestOf(&task, d, 1)
	if err != nil {
		return err
	}
	for _, ref := range o.instances {
		_, id, ok := lookup.Member(b.site, "container-instance", &b.cluster, ref)
		if !ok || b.snap.Instance(b.cluster, id) == nil {
			arn := ref
			if !fleet.IsARN(ref) {
				arn = b.site.InstanceARN(b.cluster, ref)
			}
			b.failures = append(b.failures, fleet.Failure{ARN: arn, Reason: refuse.Missing})
			continue
		}
		if c := b.chooseNamedHost(id, req); c != nil {
			t := task
			t.LaunchType = b.launchTypeOn(b.cluster, c.Instance, d)
			b.addPlaced(t, d, *c)
		}
	}
	return nil
}

// launchTypeOn returns the launch type of a task that StartTask places on a host,
// because the request has none: EXTERNAL for an external host if the definition
// allows that, else EC2.
func (w *world) launchTypeOn(cluster, instance string, d *fleet.TaskDefinition) types.LaunchType {
	_, external := w.snap.Instance(cluster, instance).Attribute(fleet.AttributeExternal)
	if external && slices.Contains(d.Compatibilities, types.CompatibilityExternal) {
		return types.LaunchTypeExternal
	}
	return types.LaunchTypeEc2
}
