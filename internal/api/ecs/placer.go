package ecs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/ashore/ashore/internal/control/placement"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// maxWeight keeps a round's transaction within etcd's default of 128
// comparisons and operations.
const maxWeight = 120

// placer places tasks: one goroutine that takes all launches that wait and
// places them together, in one transaction over one snapshot. Whoever runs
// alone never conflicts with himself.
type placer struct {
	s       *Service
	rand    *rand.Rand
	waiting chan *order
	stopped chan struct{}         // closed when Run has ended
	hosts   map[string]candidates // by cluster; the goroutine's own
}

// order is a launch on its way through the placer.
type order struct {
	*launch
	done chan struct{}

	cluster  string
	chosen   []string // ids of the tasks that hosts were chosen for, in order
	tasks    []string // of these, the ones written
	failures []fleet.Failure
	err      error
}

// candidates are a cluster's ACTIVE instances as of one revision. A choice is
// checked against the transaction's own snapshot, so an old list costs a probe,
// never a wrong placement; who finds no host looks at a new one.
type candidates struct {
	ids   []string
	rev   int64
	count int
	at    time.Time
}

const candidatesFor = time.Second

func newPlacer(s *Service, r *rand.Rand) *placer {
	return &placer{s: s, rand: r, waiting: make(chan *order, 256), stopped: make(chan struct{}), hosts: map[string]candidates{}}
}

// errStopped refuses the launches that wait when the server stops. Their clients
// try again, with the same token.
var errStopped = errors.New("the server is stopping")

// Run places tasks until ctx ends. It can be run once.
func (s *Service) Run(ctx context.Context) error {
	p := s.placer
	defer close(p.stopped)
	var left []*order
	for {
		if len(left) == 0 {
			select {
			case o := <-p.waiting:
				left = append(left, o)
			case <-ctx.Done():
				return nil
			}
		}
	gather:
		for len(left) < cap(p.waiting) {
			select {
			case o := <-p.waiting:
				left = append(left, o)
			default:
				break gather
			}
		}
		var batch []*order
		batch, left = split(left)
		p.round(ctx, batch)
	}
}

// split takes orders from the front while they fit into one transaction. Of two
// with the same token the second waits, so that it sees what the first did.
func split(all []*order) (batch, left []*order) {
	weight := 0
	tokens := map[string]bool{}
	for i, o := range all {
		if (i > 0 && weight+o.weight() > maxWeight) || (o.token != "" && tokens[o.token]) {
			return all[:i], all[i:]
		}
		weight += o.weight()
		tokens[o.token] = true
	}
	return all, nil
}

// place hands a launch to the placer and waits for its outcome.
func (s *Service) place(ctx context.Context, l *launch) (*order, error) {
	o := &order{launch: l, done: make(chan struct{})}
	select {
	case s.placer.waiting <- o:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-s.placer.stopped:
		return nil, errStopped
	}
	select {
	case <-o.done:
		return o, o.err
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-s.placer.stopped:
		select {
		case <-o.done:
			return o, o.err
		default:
			return nil, errStopped
		}
	}
}

// round places a batch and answers each of its orders.
func (p *placer) round(ctx context.Context, batch []*order) {
	// The bound of one round: whoever waits has its own.
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	// A failure, too, must rest on every acknowledged write.
	_, err := p.s.store.Fresh(ctx)
	if err == nil {
		err = p.s.store.Update(ctx, func(tx *store.Tx) error {
			r := newRound(p, tx)
			for _, o := range batch {
				o.cluster, o.chosen, o.tasks, o.failures, o.err = "", nil, nil, nil, nil
				o.err = r.serve(o)
			}
			return nil
		})
	}
	for _, o := range batch {
		if err != nil {
			o.err = fmt.Errorf("place tasks: %w", err)
		}
		close(o.done)
	}
}

// round is one run of the transaction's function.
type round struct {
	*placer
	tx    *store.Tx
	snap  *store.Snapshot
	usage map[string]*fleet.Usage // hosts that this round placed on, by cluster/id
	now   time.Time
}

func newRound(p *placer, tx *store.Tx) *round {
	return &round{placer: p, tx: tx, snap: tx.Snapshot(), usage: map[string]*fleet.Usage{}, now: p.s.now()}
}

// serve places one order. Nothing is written for it where an error is returned.
func (r *round) serve(o *order) error {
	c, err := r.s.clusterTx(r.tx, o.launch.cluster)
	if err != nil {
		return err
	}
	o.cluster = c.Name
	if o.token != "" {
		if done, err := r.repeated(o); done || err != nil {
			return err
		}
	}
	d, st, err := r.s.definition(r.snap, o.definition)
	if err != nil {
		return client("TaskDefinition not found.")
	}
	store.Get(r.tx, store.TaskDefinitionStateKey(d.Family, d.Revision))
	spec, err := r.spec(o, d, st)
	if err != nil {
		return err
	}
	var chosen []placement.Choice
	if o.start {
		chosen = r.start(o, spec)
	} else if chosen, err = r.run(o, spec); err != nil {
		return err
	}
	for n, ch := range chosen {
		t := spec.task
		t.ID, t.Instance, t.Reserve = o.chosen[n], ch.Instance, ch.Reserve
		if o.start {
			t.LaunchType = r.launchTypeOn(c.Name, ch.Instance, d)
		}
		for i := range d.Definition.ContainerDefinitions {
			name := aws.ToString(d.Definition.ContainerDefinitions[i].Name)
			t.Containers = append(t.Containers, fleet.TaskContainer{Name: name, ID: uuid(fleet.DerivedID(t.ID, name))})
		}
		if err := r.tx.Claim(store.HostGuard(c.Name, ch.Instance)); err != nil {
			return err
		}
		k := store.TaskKey(c.Name, t.ID)
		if store.Get(r.tx, k) != nil {
			continue // this token's, whose record has been cleaned away
		}
		if err := store.Put(r.tx, k, &t); err != nil {
			return err
		}
		o.tasks = append(o.tasks, t.ID)
	}
	if o.token != "" && len(o.tasks) > 0 {
		return store.Put(r.tx, store.TokenKey(c.Name, o.token), &fleet.Token{
			Operation: "RunTask", Request: o.request, Tasks: o.tasks, Failures: o.failures, CreatedAt: r.now,
		})
	}
	return nil
}

// repeated answers an order whose token was used before.
func (r *round) repeated(o *order) (bool, error) {
	t := store.Get(r.tx, store.TokenKey(o.cluster, o.token))
	if t == nil {
		return false, nil
	}
	if t.Request != o.request {
		e := &types.ConflictException{Message: aws.String("The clientToken was used before in a request with different parameters: give a new one for a new request.")}
		for _, id := range t.Tasks {
			e.ResourceIds = append(e.ResourceIds, r.s.site.TaskARN(o.cluster, id))
		}
		return false, e
	}
	o.tasks, o.failures = t.Tasks, t.Failures
	return true, nil
}

// spec is what an order's tasks have in common.
type spec struct {
	task    fleet.Task
	request placement.Request
}

func (r *round) spec(o *order, d *fleet.TaskDefinition, st *fleet.TaskDefinitionState) (spec, error) {
	def := d.Definition
	if definitionStatus(st) != types.TaskDefinitionStatusActive {
		return spec{}, client("TaskDefinition is inactive")
	}
	launchType := o.launchType
	if launchType == "" {
		launchType = types.LaunchTypeEc2
	}
	if !o.start {
		if !slices.Contains(d.Compatibilities, types.Compatibility(launchType)) {
			return spec{}, invalid("Task definition does not support launch_type %s.", launchType)
		}
	}
	overrides, err := validOverrides(def, o.overrides)
	if err != nil {
		return spec{}, err
	}
	if err := notRunnable(def, overrides); err != nil {
		return spec{}, err
	}
	if o.network != nil {
		return spec{}, invalid("Network Configuration is not valid for the given networkMode of this task definition.")
	}
	reserve, err := reservation(def, overrides)
	if err != nil {
		return spec{}, err
	}
	gpus, err := gpus(def, overrides)
	if err != nil {
		return spec{}, err
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
		tags = mergeTags(tags, []types.Tag{{Key: aws.String("aws:ecs:clusterName"), Value: aws.String(o.cluster)}})
	}
	tags = mergeTags(tags, o.tags)
	if len(tags) > 50 {
		return spec{}, invalid("tags: a task can have at most 50 tags, not %d, the task definition's included.", len(tags))
	}
	return spec{
		task: fleet.Task{
			Cluster: o.cluster, Family: d.Family, Revision: d.Revision, LaunchType: launchType, CreatedAt: r.now, Group: group,
			StartedBy: o.startedBy, Overrides: overrides, Tags: tags, ReferenceID: o.referenceID,
		},
		request: placement.Request{Count: o.count, Reserve: reserve, GPUs: gpus, Attributes: d.RequiresAttributes},
	}, nil
}

// run chooses hosts for RunTask.
func (r *round) run(o *order, sp spec) ([]placement.Choice, error) {
	hosts := r.candidates(o.cluster, false)
	if len(hosts.ids) == 0 {
		hosts = r.candidates(o.cluster, true)
	}
	if len(hosts.ids) == 0 {
		return nil, invalid("No Container Instances were found in your cluster. To run tasks there, move a host into it: on the host, run ashore host move --cluster %s", o.cluster)
	}
	view := placement.View{IDs: hosts.ids, Host: func(id string) placement.Host { return r.host(o.cluster, id) }}
	taken := func(c placement.Choice) { r.take(o, c) }
	res := placement.Place(view, sp.request, r.rand, taken)
	if res.Missing > 0 && hosts.rev != r.snap.Revision() {
		view.IDs = r.candidates(o.cluster, true).ids
		again := sp.request
		again.Count = res.Missing
		more := placement.Place(view, again, r.rand, taken)
		more.Chosen = append(res.Chosen, more.Chosen...)
		res = more
	}
	for range res.Missing {
		o.failures = append(o.failures, r.failure(o.cluster, res.Nearest))
	}
	return res.Chosen, nil
}

func (r *round) failure(cluster string, n placement.Rejection) fleet.Failure {
	f := fleet.Failure{Reason: string(n.Reason), Detail: n.Detail}
	if n.Instance != "" {
		f.ARN = r.s.site.InstanceARN(cluster, n.Instance)
	}
	return f
}

// start checks the hosts that StartTask names.
func (r *round) start(o *order, sp spec) []placement.Choice {
	var chosen []placement.Choice
	for _, ref := range o.instances {
		_, id, ok := r.s.member("container-instance", &o.cluster, ref)
		if !ok || r.snap.Instance(o.cluster, id) == nil {
			arn := ref
			if !fleet.IsARN(ref) {
				arn = r.s.site.InstanceARN(o.cluster, ref)
			}
			o.failures = append(o.failures, fleet.Failure{ARN: arn, Reason: missing})
			continue
		}
		c, refused := placement.On(id, r.host(o.cluster, id), sp.request)
		if refused != nil {
			o.failures = append(o.failures, r.failure(o.cluster, *refused))
			continue
		}
		r.take(o, c)
		chosen = append(chosen, c)
	}
	return chosen
}

// launchTypeOn is the launch type of a task that StartTask put on a host, which
// has none to ask for: the host's own, where the definition suits it.
func (r *round) launchTypeOn(cluster, instance string, d *fleet.TaskDefinition) types.LaunchType {
	_, external := r.snap.Instance(cluster, instance).Attribute("ecs.capability.external")
	if external && slices.Contains(d.Compatibilities, types.CompatibilityExternal) {
		return types.LaunchTypeExternal
	}
	return types.LaunchTypeEc2
}

// candidates returns the cluster's ACTIVE instances, from memory unless now.
func (r *round) candidates(cluster string, now bool) candidates {
	c, ok := r.hosts[cluster]
	count := r.snap.Counts(cluster).Instances
	if ok && !now && c.count == count && r.now.Sub(c.at) < candidatesFor {
		return c
	}
	c = candidates{rev: r.snap.Revision(), count: count, at: r.now}
	for i := range r.snap.Instances(cluster, "") {
		if i.Status == fleet.InstanceActive {
			c.ids = append(c.ids, i.ID)
		}
	}
	r.hosts[cluster] = c
	return c
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
	return placement.Host{Instance: i, Usage: u, Connected: r.snap.Session(cluster, id) != nil}
}

// take names the task of a choice and adds it to what its host has given away
// in this round.
func (r *round) take(o *order, c placement.Choice) {
	task := o.taskID(o.cluster, len(o.chosen))
	o.chosen = append(o.chosen, task)
	key := o.cluster + "/" + c.Instance
	u, again := r.usage[key]
	if !again {
		u = &fleet.Usage{}
		if old := r.snap.Usage(o.cluster, c.Instance); old != nil {
			*u = *old
			u.Holders, u.GPUs = maps.Clone(old.Holders), maps.Clone(old.GPUs)
		}
		r.usage[key] = u
	}
	u.CPU += c.Reserve.CPU
	u.Memory += c.Reserve.Memory
	if u.Holders == nil {
		u.Holders = map[fleet.Port]string{}
	}
	if u.GPUs == nil {
		u.GPUs = map[string]string{}
	}
	for _, p := range c.Reserve.Ports {
		u.Holders[p] = task
	}
	for _, g := range c.Reserve.GPUs {
		u.GPUs[g] = task
	}
}

// uuid gives 32 hex digits the form of a UUID, which containers' ids have.
func uuid(hex string) string {
	return hex[:8] + "-" + hex[8:12] + "-" + hex[12:16] + "-" + hex[16:20] + "-" + hex[20:]
}
