package placer

import (
	"slices"

	"github.com/ashore/ashore/internal/control/placement"
	"github.com/ashore/ashore/internal/ecs/definition"
	"github.com/ashore/ashore/internal/ecs/refuse"
	"github.com/ashore/ashore/internal/ecs/setting"
	"github.com/ashore/ashore/internal/ecs/tag"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// batch is the tasks of one launch while hosts are chosen for them.
type batch struct {
	*round
	launch   *Launch
	cluster  string
	tasks    []placed
	failures []fleet.Failure // one for each task that found no host
}

func newBatch(r *round, l *Launch, cluster string) *batch {
	return &batch{round: r, launch: l, cluster: cluster}
}

// placed is a task with its host. With the zero choice it has none: the task waits.
type placed struct {
	task fleet.Task
	on   placement.Choice
}

// addTask adds a task to the batch, with the ids of the task and its containers.
func (b *batch) addTask(t fleet.Task, d *fleet.TaskDefinition, c placement.Choice) {
	t.ID = b.launch.taskID(b.cluster, len(b.tasks))
	t.Containers = newContainers(d, t.ID)
	b.tasks = append(b.tasks, placed{t, c})
}

// addPlaced adds a task to the batch and its reservation to the round's decision.
func (b *batch) addPlaced(t fleet.Task, d *fleet.TaskDefinition, c placement.Choice) {
	b.addTask(t, d, c)
	b.reserve(b.snap, b.cluster, b.tasks[len(b.tasks)-1].task.ID, t.Group, c)
}

// chooseNamedHost returns a host that the caller names. If the host can't take the
// task, it adds a failure and returns nil.
func (b *batch) chooseNamedHost(id string, req placement.Request) *placement.Choice {
	c, refused := placement.PlaceOn(id, b.host(b.cluster, id), req)
	if refused != nil {
		b.failures = append(b.failures, b.newFailure(b.cluster, *refused))
		return nil
	}
	return &c
}

// chooseInLanes chooses hosts for the tasks of all lanes, or lets tasks wait. If it
// returns an error, it has reserved nothing.
func (b *batch) chooseInLanes(lanes []lane, d *fleet.TaskDefinition, task fleet.Task) error {
	for i := range lanes {
		t := task
		if err := lanes[i].applyTo(b.launch, d.Definition, &t); err != nil {
			return err
		}
	}
	for i := range lanes {
		if err := b.checkServable(b.cluster, d, task.Overrides, lanes[i].pool); err != nil {
			return err
		}
	}
	for i := range lanes {
		if err := b.checkHosts(b.cluster, &lanes[i], d); err != nil {
			return err
		}
	}
	for i := range lanes {
		t := task
		if err := lanes[i].applyTo(b.launch, d.Definition, &t); err != nil {
			return err
		}
		if err := b.chooseInLane(&lanes[i], d, t); err != nil {
			b.release(b.cluster, b.tasks)
			b.tasks, b.failures = nil, nil
			return err
		}
	}
	return nil
}

// chooseInLane chooses hosts for a lane's tasks.
func (b *batch) chooseInLane(l *lane, d *fleet.TaskDefinition, task fleet.Task) error {
	req, err := requestOf(&task, d, l.count)
	if err != nil {
		return err
	}
	taken := func(c placement.Choice) { b.addPlaced(task, d, c) }
	// Strategies compare hosts, so none may be left out.
	hosts := b.candidates(b.cluster, len(req.Strategies) > 0)
	res := placement.Place(b.placementView(b.cluster, hosts, l.pool, task.Group), req, b.rand, taken)
	if res.Missing > 0 && hosts.rev != b.snap.InstancesRevision() {
		req.Count = res.Missing
		// Hosts of an old list may have been drained or deregistered meanwhile.
		hosts = b.candidates(b.cluster, true)
		if err := b.checkHosts(b.cluster, l, d); err != nil {
			return err
		}
		res = placement.Place(b.placementView(b.cluster, hosts, l.pool, task.Group), req, b.rand, taken)
	}
	if l.waits {
		for range res.Missing {
			b.addTask(task, d, placement.Choice{})
		}
		return b.reserveWaiting(b.cluster, res.Missing)
	}
	for range res.Missing {
		b.failures = append(b.failures, b.newFailure(b.cluster, res.Nearest))
	}
	return nil
}

// newTask returns what the tasks of a batch have in common: everything but where they
// run.
func (b *batch) newTask(d *fleet.TaskDefinition, st *fleet.TaskDefinitionState) (fleet.Task, error) {
	def, o := d.Definition, b.launch
	none := fleet.Task{}
	overrides, err := definition.CheckOverrides(def, o.overrides)
	if err != nil {
		return none, err
	}
	if err := definition.CheckNetworkMode(def, o.network); err != nil {
		return none, err
	}
	if err := definition.CheckVolumes(def, o.volumes); err != nil {
		return none, err
	}
	reserve, err := definition.Reservation(def, overrides)
	if err != nil {
		return none, err
	}
	group := o.group
	if group == "" {
		group = "family:" + d.Family
	}
	var tags []types.Tag
	if o.propagate && st != nil {
		tags = st.Tags
	}
	if o.managedTags {
		tags = tag.Merge(tags, []types.Tag{{Key: aws.String("aws:ecs:clusterName"), Value: aws.String(b.cluster)}})
	}
	tags = tag.Merge(tags, o.tags)
	if n := tag.CountOwn(tags); n > tag.Max {
		return none, refuse.Invalid("tags: a task can have at most %d tags, not %d, the task definition's included.", tag.Max, n)
	}
	t := fleet.Task{
		Cluster: b.cluster, Family: d.Family, Revision: d.Revision, CreatedAt: b.now, Group: group, StartedBy: o.startedBy,
		Overrides: overrides, Reserve: reserve, Tags: tags, ReferenceID: o.referenceID, Volumes: o.volumes,
		Constraints: o.constraints, Strategies: o.strategies,
	}
	if usesDefaultLogMode(def) {
		t.LogMode = setting.Of(b.snap, b.site, o.caller, types.SettingNameDefaultLogDriverMode)
	}
	if o.network != nil {
		t.Network = o.network.AwsvpcConfiguration
	}
	return t, nil
}

// usesDefaultLogMode reports whether a container's log configuration has no mode:
// then an account setting determines the mode.
func usesDefaultLogMode(def *sdk.RegisterTaskDefinitionInput) bool {
	return slices.ContainsFunc(def.ContainerDefinitions, func(c types.ContainerDefinition) bool {
		return c.LogConfiguration != nil && c.LogConfiguration.Options["mode"] == ""
	})
}

// requestOf returns what a host must have for tasks of a definition.
func requestOf(t *fleet.Task, d *fleet.TaskDefinition, count int) (placement.Request, error) {
	gpus, err := definition.GPUs(d.Definition, t.Overrides)
	if err != nil {
		return placement.Request{}, err
	}
	constraints, err := placementConstraints(t, d.Definition)
	if err != nil {
		return placement.Request{}, err
	}
	strategies, err := compileStrategies(t.Strategies)
	if err != nil {
		return placement.Request{}, err
	}
	reserve := t.Reserve
	reserve.GPUs = nil
	return placement.Request{
		Count: count, Reserve: reserve, GPUs: gpus, Needs: definition.HostNeeds(d.Definition), Strategies: strategies, Constraints: constraints,
	}, nil
}

// newContainers returns a task's containers with their ids, which are derived from
// the task's id.
func newContainers(d *fleet.TaskDefinition, task string) []fleet.TaskContainer {
	var out []fleet.TaskContainer
	for i := range d.Definition.ContainerDefinitions {
		name := aws.ToString(d.Definition.ContainerDefinitions[i].Name)
		out = append(out, fleet.TaskContainer{Name: name, ID: fleet.UUID(fleet.DerivedID(task, name))})
	}
	return out
}
