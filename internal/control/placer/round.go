package placer

import (
	"maps"
	"slices"
	"time"

	"github.com/ashore/ashore/internal/control/placement"
	"github.com/ashore/ashore/internal/ecs/definition"
	"github.com/ashore/ashore/internal/ecs/lookup"
	"github.com/ashore/ashore/internal/ecs/refuse"
	"github.com/ashore/ashore/internal/ecs/setting"
	"github.com/ashore/ashore/internal/ecs/tag"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// round is one run of the transaction's function.
type round struct {
	*Placer
	tx     *store.Tx
	snap   *store.Snapshot
	usage  map[string]*fleet.Usage // hosts that this round placed on, by cluster/id
	groups map[string][]string     // of the tasks that this round placed, by cluster/id of the host
	queued map[string]int          // tasks that this round has let wait, by cluster
	now    time.Time
}

func newRound(p *Placer, tx *store.Tx) *round {
	return &round{
		Placer: p, tx: tx, snap: tx.Snapshot(), now: p.now(),
		usage: map[string]*fleet.Usage{}, groups: map[string][]string{}, queued: map[string]int{},
	}
}

// serve places one order. Nothing is written for it where an error is returned.
func (r *round) serve(o *order) error {
	c, err := lookup.ClusterTx(r.tx, r.site, o.Launch.cluster)
	if err != nil {
		return err
	}
	o.cluster = c.Name
	if o.token != "" {
		if done, err := r.repeated(o); done || err != nil {
			return err
		}
	}
	d, st, err := lookup.Definition(r.snap, r.site, o.definition)
	if err != nil {
		return lookup.NoDefinition(err, "TaskDefinition not found.")
	}
	// The revision too: one that is gone has no state, as an ACTIVE one.
	store.Get(r.tx, store.TaskDefinitionKey(d.Family, d.Revision))
	store.Get(r.tx, store.TaskDefinitionStateKey(d.Family, d.Revision))
	if lookup.DefinitionStatus(st) != types.TaskDefinitionStatusActive {
		return refuse.Client("TaskDefinition is inactive")
	}
	var lanes []lane
	if !o.start {
		if lanes, err = r.lanes(o, c, d); err != nil {
			return err
		}
	}
	task, err := r.task(o, d, st)
	if err != nil {
		return err
	}
	var out []placed
	if o.start {
		out, err = r.start(o, d, task)
	} else {
		out, err = r.run(o, lanes, d, task)
	}
	if err != nil {
		return err
	}
	for n, id := range o.chosen {
		if r.snap.WaitingTask(c.Name, id) != nil { // this token's, whose record has been cleaned away
			o.tasks = append(o.tasks, id)
			continue
		}
		if err := r.write(o, id, &out[n]); err != nil {
			return err
		}
	}
	if o.token != "" {
		return store.Put(r.tx, store.TokenKey(c.Name, o.token), &fleet.Token{
			Operation: "RunTask", Request: o.request, Tasks: o.tasks, Failures: o.failures, CreatedAt: r.now,
		})
	}
	return nil
}

// placed is a task of an order with its host, or, with no host in it, one that
// waits.
type placed struct {
	task fleet.Task
	on   placement.Choice
}

// write stores a task. One that is there already is this token's, whose record
// has been cleaned away: it answers for itself.
func (r *round) write(o *order, id string, p *placed) error {
	t := &p.task
	t.ID = id
	o.tasks = append(o.tasks, id)
	if p.on.Instance == "" {
		t.Queued = r.snap.Revision()
		return store.Create(r.tx, store.WaitingTaskKey(t.Cluster, id), t)
	}
	if err := r.tx.Claim(store.HostGuard(t.Cluster, p.on.Instance)); err != nil {
		return err
	}
	k := store.TaskKey(t.Cluster, id)
	if store.Get(r.tx, k) != nil {
		return nil
	}
	t.Instance, t.Reserve, t.Constraints, t.Strategies, t.Queued = p.on.Instance, p.on.Reserve, nil, nil, 0
	return store.Put(r.tx, k, t)
}

// repeated answers an order whose token was used before. A token belongs to the
// tasks that it has brought about. Where there are none another call may try
// again, but not one that had begun when its caller was told that nothing was
// placed: it may have come from a server that slept meanwhile.
func (r *round) repeated(o *order) (bool, error) {
	t := store.Get(r.tx, store.TokenKey(o.cluster, o.token))
	if t == nil || len(t.Tasks) == 0 && r.snap.TokenWritten(o.cluster, o.token) <= o.since {
		return false, nil
	}
	if t.Request != o.request {
		e := &types.ConflictException{Message: aws.String("The clientToken was used before in a request with different parameters: give a new one for a new request.")}
		for _, id := range t.Tasks {
			e.ResourceIds = append(e.ResourceIds, r.site.TaskARN(o.cluster, id))
		}
		return false, e
	}
	o.tasks, o.failures = t.Tasks, t.Failures
	return true, nil
}

// task is what an order's tasks have in common: all but where they go.
func (r *round) task(o *order, d *fleet.TaskDefinition, st *fleet.TaskDefinitionState) (fleet.Task, error) {
	def := d.Definition
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
		tags = tag.Merge(tags, []types.Tag{{Key: aws.String("aws:ecs:clusterName"), Value: aws.String(o.cluster)}})
	}
	tags = tag.Merge(tags, o.tags)
	if n := tag.CountOwn(tags); n > tag.Max {
		return none, refuse.Invalid("tags: a task can have at most %d tags, not %d, the task definition's included.", tag.Max, n)
	}
	t := fleet.Task{
		Cluster: o.cluster, Family: d.Family, Revision: d.Revision, CreatedAt: r.now, Group: group, StartedBy: o.startedBy,
		Overrides: overrides, Reserve: reserve, Tags: tags, ReferenceID: o.referenceID, Volumes: o.volumes,
		Constraints: o.constraints, Strategies: o.strategies,
	}
	if logs(def) {
		t.LogMode = setting.Of(r.snap, r.site, o.caller, types.SettingNameDefaultLogDriverMode)
	}
	if o.network != nil {
		t.Network = o.network.AwsvpcConfiguration
	}
	return t, nil
}

// logs says whether a definition leaves to the account setting how a container
// hands over its output.
func logs(def *sdk.RegisterTaskDefinitionInput) bool {
	return slices.ContainsFunc(def.ContainerDefinitions, func(c types.ContainerDefinition) bool {
		return c.LogConfiguration != nil && c.LogConfiguration.Options["mode"] == ""
	})
}

// request is what a host must have for a task of a definition.
func (r *round) request(t *fleet.Task, d *fleet.TaskDefinition, count int) (placement.Request, error) {
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

// containers gives a task's containers their ids, which follow from the task's.
func containers(d *fleet.TaskDefinition, task string) []fleet.TaskContainer {
	var out []fleet.TaskContainer
	for i := range d.Definition.ContainerDefinitions {
		name := aws.ToString(d.Definition.ContainerDefinitions[i].Name)
		out = append(out, fleet.TaskContainer{Name: name, ID: fleet.UUID(fleet.DerivedID(task, name))})
	}
	return out
}

// run chooses hosts for RunTask's tasks, or lets them wait.
func (r *round) run(o *order, lanes []lane, d *fleet.TaskDefinition, task fleet.Task) ([]placed, error) {
	for i := range lanes {
		t := task
		if err := lanes[i].fits(o, d.Definition, &t); err != nil {
			return nil, err
		}
	}
	for i := range lanes {
		if err := r.unservable(o.cluster, d, task.Overrides, lanes[i].pool); err != nil {
			return nil, err
		}
	}
	for i := range lanes {
		if err := r.hasHosts(o.cluster, &lanes[i], d); err != nil {
			return nil, err
		}
	}
	var out []placed
	for i := range lanes {
		t := task
		if err := lanes[i].fits(o, d.Definition, &t); err != nil {
			return nil, err
		}
		some, err := r.runLane(o, &lanes[i], d, t)
		out = append(out, some...)
		if err != nil {
			r.release(o, out)
			return nil, err
		}
	}
	return out, nil
}

// hasHosts refuses a lane that leads to no host at all.
func (r *round) hasHosts(cluster string, l *lane, d *fleet.TaskDefinition) error {
	if len(r.candidates(cluster, false).of(r, cluster, l.pool)) > 0 {
		return nil
	}
	hosts := r.candidates(cluster, true)
	if len(hosts.of(r, cluster, l.pool)) > 0 {
		return nil
	}
	if err := r.unservable(cluster, d, nil, l.pool); err != nil {
		return err
	}
	switch {
	case l.waits:
		return nil
	case len(hosts.ids) == 0:
		return refuse.Invalid("No Container Instances were found in your cluster. To run tasks there, move a host into it: on the host, run ashore host move --cluster %s", cluster)
	}
	return refuse.Invalid("No Container Instances were found in your capacity provider. (%s) A container instance belongs to it by the attribute %s=%s.",
		l.provider, fleet.AttributeProvider, l.provider)
}

// runLane chooses hosts for a lane's tasks.
func (r *round) runLane(o *order, l *lane, d *fleet.TaskDefinition, task fleet.Task) ([]placed, error) {
	req, err := r.request(&task, d, l.count)
	if err != nil {
		return nil, err
	}
	var out []placed
	taken := func(c placement.Choice) {
		id := r.take(o, task.Group, c)
		t := task
		t.Containers = containers(d, id)
		out = append(out, placed{t, c})
	}
	// Strategies compare hosts, so none may be left out.
	hosts := r.candidates(o.cluster, len(req.Strategies) > 0)
	res := placement.Place(r.view(o.cluster, hosts, l.pool, task.Group), req, r.rand, taken)
	if res.Missing > 0 && hosts.rev != r.snap.InstancesRevision() {
		req.Count = res.Missing
		// Those in memory may have been drained or deregistered meanwhile.
		hosts = r.candidates(o.cluster, true)
		if err := r.hasHosts(o.cluster, l, d); err != nil {
			return out, err
		}
		res = placement.Place(r.view(o.cluster, hosts, l.pool, task.Group), req, r.rand, taken)
	}
	if l.waits {
		for range res.Missing {
			id := o.next()
			t := task
			t.Containers = containers(d, id)
			out = append(out, placed{task: t})
		}
		return out, r.queue(o.cluster, res.Missing)
	}
	for range res.Missing {
		o.failures = append(o.failures, r.failure(o.cluster, res.Nearest))
	}
	return out, nil
}

func (r *round) failure(cluster string, n placement.Rejection) fleet.Failure {
	f := fleet.Failure{Reason: string(n.Reason), Detail: n.Text()}
	if n.Instance != "" {
		f.ARN = r.site.InstanceARN(cluster, n.Instance)
	}
	return f
}

// start checks the hosts that StartTask names.
func (r *round) start(o *order, d *fleet.TaskDefinition, task fleet.Task) ([]placed, error) {
	l := lane{launchType: types.LaunchTypeEc2, pool: poolOf(d.Definition, "")}
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
	for _, ref := range o.instances {
		_, id, ok := lookup.Member(r.site, "container-instance", &o.cluster, ref)
		if !ok || r.snap.Instance(o.cluster, id) == nil {
			arn := ref
			if !fleet.IsARN(ref) {
				arn = r.site.InstanceARN(o.cluster, ref)
			}
			o.failures = append(o.failures, fleet.Failure{ARN: arn, Reason: refuse.Missing})
			continue
		}
		c, refused := placement.On(id, r.host(o.cluster, id), req)
		if refused != nil {
			o.failures = append(o.failures, r.failure(o.cluster, *refused))
			continue
		}
		t := task
		t.LaunchType = r.launchTypeOn(o.cluster, c.Instance, d)
		t.Containers = containers(d, r.take(o, t.Group, c))
		out = append(out, placed{t, c})
	}
	return out, nil
}

// launchTypeOn is the launch type of a task that StartTask put on a host, which
// has none to ask for: the host's own, where the definition suits it.
func (r *round) launchTypeOn(cluster, instance string, d *fleet.TaskDefinition) types.LaunchType {
	_, external := r.snap.Instance(cluster, instance).Attribute(fleet.AttributeExternal)
	if external && slices.Contains(d.Compatibilities, types.CompatibilityExternal) {
		return types.LaunchTypeExternal
	}
	return types.LaunchTypeEc2
}

// host is a host as the round sees it: the snapshot and what it placed itself.
func (r *round) host(cluster, id string) placement.Host {
	i := r.snap.Instance(cluster, id)
	if i == nil {
		return placement.Host{}
	}
	u, placed := r.usage[cluster+"/"+id]
	if !placed {
		u = r.snap.Usage(cluster, id)
	}
	h := hostOf(r.snap, i, r.groups[cluster+"/"+id])
	h.Usage = u
	return h
}

// next names the order's next task.
func (o *order) next() string {
	id := o.taskID(o.cluster, len(o.chosen))
	o.chosen = append(o.chosen, id)
	return id
}

// take names the task of a choice and adds it to what its host has given away
// in this round.
func (r *round) take(o *order, group string, c placement.Choice) string {
	id := o.next()
	r.reserve(o.cluster, id, group, c)
	return id
}

func (r *round) reserve(cluster, task, group string, c placement.Choice) {
	key := cluster + "/" + c.Instance
	r.groups[key] = append(r.groups[key], group)
	u, again := r.usage[key]
	if !again {
		u = &fleet.Usage{}
		if old := r.snap.Usage(cluster, c.Instance); old != nil {
			*u = *old
			u.GPUs = maps.Clone(old.GPUs)
		}
		r.usage[key] = u
	}
	u.CPU += c.Reserve.CPU
	u.Memory += c.Reserve.Memory
	u.Holders, _ = u.Holders.With(c.Reserve.Held(), task)
	if u.GPUs == nil {
		u.GPUs = map[string]string{}
	}
	for _, g := range c.Reserve.GPUs {
		u.GPUs[g] = task
	}
}

// release takes back what an order that is refused after all has taken.
func (r *round) release(o *order, taken []placed) {
	for i := range taken {
		c := &taken[i].on
		if c.Instance == "" {
			continue
		}
		key := o.cluster + "/" + c.Instance
		r.groups[key] = r.groups[key][:len(r.groups[key])-1] // this order was the last to take
		u := r.usage[key]
		u.CPU -= c.Reserve.CPU
		u.Memory -= c.Reserve.Memory
		u.Holders = u.Holders.Without(o.chosen[i])
		for _, g := range c.Reserve.GPUs {
			delete(u.GPUs, g)
		}
	}
	o.chosen, o.failures = nil, nil
}
