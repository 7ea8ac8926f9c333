package ecs

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/ashore/ashore/internal/control/explain"
	"github.com/ashore/ashore/internal/control/placement"
	"github.com/ashore/ashore/internal/control/scheduler"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/smithy-go"
)

// Explain says why a task or a service is as it is, or what would become of a
// task of a definition now. what is an ARN, a task's id, a service's name, or a
// definition's family with or without a revision. It writes nothing.
func (s *Service) Explain(ctx context.Context, cluster *string, what string) (*explain.Explanation, error) {
	typ, name := "", what
	if fleet.IsARN(what) {
		a, err := fleet.ParseARN(what)
		if err != nil || !s.site.Ours(a) {
			return nil, invalid("%q is not the ARN of a task, a service or a task definition of this installation.", what)
		}
		typ, name = a.Type, a.Rest
		if in, rest, long := strings.Cut(a.Rest, "/"); long && (typ == "task" || typ == "service") {
			cluster, name = &in, rest
		}
	}
	snap, c, err := s.clusterNow(ctx, cluster)
	if err != nil {
		return nil, err
	}
	switch {
	case typ == "task" || typ == "" && fleet.IsID(name):
		arn := s.site.TaskARN(c.Name, name)
		kept := keptApart(snap, explain.KindTask, arn, store.TaskKey(c.Name, name).String(), store.WaitingTaskKey(c.Name, name).String())
		if t := taskNow(snap, c.Name, name); t != nil {
			return kept.Before(s.explainTask(snap, t)), nil
		}
		if kept != nil {
			return kept, nil
		}
		return nil, invalid("There is no task %s in the cluster %s.", name, c.Name)
	case typ == "service" || typ == "" && (snap.Service(c.Name, name) != nil || store.Readable(snap, store.ServiceKey(c.Name, name)) != nil):
		kept := keptApart(snap, explain.KindService, s.site.ServiceARN(c.Name, name), store.ServiceKey(c.Name, name).String())
		if svc := snap.Service(c.Name, name); svc != nil {
			return kept.Before(s.explainService(snap, c, svc)), nil
		}
		if kept != nil {
			return kept, nil
		}
		return nil, serviceNotFound()
	case typ == "task-definition" || typ == "":
		d, st, err := s.definition(snap, name)
		if err == nil {
			return s.explainDefinition(snap, c, d, st), nil
		}
		if typ == "" && !errors.Is(err, store.ErrUnreadable) {
			return nil, invalid("%q is neither the id of a task, nor the name of a service of the cluster %s, nor a task definition.", what, c.Name)
		}
		return nil, noDefinition(err, "TaskDefinition not found.")
	}
	return nil, invalid("%q is not the ARN of a task, a service or a task definition.", what)
}

// keptApart explains what can't be read of the records of a thing: those at the
// keys and below. It is nil where all can.
func keptApart(snap *store.Snapshot, kind, arn string, keys ...string) *explain.Explanation {
	var e *explain.Explanation
	for _, key := range keys {
		for u := range snap.Unreadable(key) {
			if u.Key != key && !strings.HasPrefix(u.Key, key+"/") {
				continue
			}
			if e == nil {
				e = &explain.Explanation{Kind: kind, ARN: arn}
			}
			e.Unreadable(u.Key, u.Reason)
		}
	}
	return e
}

// reader is a round over a snapshot that places nothing.
func (s *Service) reader(snap *store.Snapshot) *round {
	return &round{placer: &placer{s: s, hosts: map[string]*candidates{}}, snap: snap, now: s.now()}
}

func (s *Service) explainTask(snap *store.Snapshot, t *fleet.TaskState) *explain.Explanation {
	if t.Holds() && t.Stop == nil && snap.Uncertain(t.Cluster, t.ID) {
		return explain.Withheld(s.site.TaskARN(t.Cluster, t.ID), t)
	}
	host := explain.Host{}
	if t.Instance != "" {
		host = explain.Host{
			ARN: s.site.InstanceARN(t.Cluster, t.Instance), Instance: snap.Instance(t.Cluster, t.Instance), Connected: snap.Session(t.Cluster, t.Instance) != nil,
			EngineAway: snap.InstanceHealth(t.Cluster, t.Instance).EngineAway(),
		}
	}
	d, _ := snap.TaskDefinition(t.Family, t.Revision)
	e := explain.Task(s.site.TaskARN(t.Cluster, t.ID), t, d, host, s.now())
	if t.Status() == fleet.TaskProvisioning {
		if d != nil {
			e.Placement = append(e.Placement, s.roomNow(snap, d, t.Task, poolOf(d.Definition, t.CapacityProvider)))
		}
	}
	return e
}

// roomNow looks for a host for one more task like t. A host that is drained is
// among those looked at: it may be all that is missing.
func (s *Service) roomNow(snap *store.Snapshot, d *fleet.TaskDefinition, t *fleet.Task, p pool) explain.Placement {
	r := s.reader(snap)
	req, err := r.request(t, d, 1)
	if err != nil {
		return explain.Placement{CapacityProvider: p.provider, Refused: wording(err)}
	}
	v := placement.View{Host: func(id string) placement.Host { return r.host(t.Cluster, id) }}
	for i := range snap.Instances(t.Cluster, "") {
		if i.Status != fleet.InstanceInactive && p.has(i) {
			v.IDs = append(v.IDs, i.ID)
		}
	}
	if len(v.IDs) == 0 {
		if err := r.hasHosts(t.Cluster, &lane{pool: p}, d); err != nil {
			return explain.Placement{CapacityProvider: p.provider, Refused: wording(err)}
		}
	}
	out := explain.Room(v, req, func(id string) string { return s.site.InstanceARN(t.Cluster, id) })
	out.CapacityProvider = p.provider
	return out
}

// wording is what a refusal says to its caller.
func wording(err error) string {
	if api := smithy.APIError(nil); errors.As(err, &api) {
		return api.ErrorMessage()
	}
	return err.Error()
}

// explainDefinition says what would become of a task of a definition that is run
// without further parameters.
func (s *Service) explainDefinition(snap *store.Snapshot, c *fleet.Cluster, d *fleet.TaskDefinition, st *fleet.TaskDefinitionState) *explain.Explanation {
	e := &explain.Explanation{
		Kind: explain.KindTaskDefinition, ARN: s.site.TaskDefinitionARN(d.Family, d.Revision), Status: string(definitionStatus(st)),
	}
	if definitionStatus(st) != types.TaskDefinitionStatusActive {
		e.Placement = []explain.Placement{{Refused: "TaskDefinition is inactive"}}
		return e
	}
	l := &launch{count: 1, group: "family:" + d.Family}
	if !slices.Contains(d.Compatibilities, types.CompatibilityEc2) && slices.Contains(d.Compatibilities, types.CompatibilityFargate) {
		l.launchType = types.LaunchTypeFargate
	}
	e.Placement = s.next(snap, c, d, l)
	return e
}

// next says what would become of the next task of a launch.
func (s *Service) next(snap *store.Snapshot, c *fleet.Cluster, d *fleet.TaskDefinition, l *launch) []explain.Placement {
	refused := func(err error) []explain.Placement { return []explain.Placement{{Refused: wording(err)}} }
	r := s.reader(snap)
	lanes, err := r.lanes(&order{launch: l, cluster: c.Name}, c, d)
	if err != nil {
		return refused(err)
	}
	for i := range lanes {
		if lacks := r.obstacles(c.Name, d, l.overrides, lanes[i].pool); len(lacks) > 0 {
			return []explain.Placement{explain.Obstacles(c.Name, lacks)}
		}
	}
	reserve, err := reservation(d.Definition, l.overrides)
	if err != nil {
		return refused(err)
	}
	t := &fleet.Task{
		Cluster: c.Name, Family: d.Family, Revision: d.Revision, Group: l.group, Reserve: reserve, Constraints: l.constraints, Strategies: l.strategies,
	}
	var out []explain.Placement
	for i := range lanes {
		out = append(out, s.roomNow(snap, d, t, lanes[i].pool))
	}
	return out
}

func (s *Service) explainService(snap *store.Snapshot, c *fleet.Cluster, svc *fleet.Service) *explain.Explanation {
	n := snap.ServiceTasks(c.Name, svc.Name)
	in := &explain.Service{
		Service: svc, State: snap.ServiceState(c.Name, svc.Name), Running: n.Running, Pending: n.Pending, Stopping: n.Stopping, Now: s.now(),
	}
	for _, d := range snap.Deployments(c.Name, svc.Name) {
		if d.ServiceID != svc.ID || d.State != nil && d.State.Done {
			continue
		}
		n := snap.DeploymentTasks(c.Name, d.ID)
		crashes := scheduler.Crashes(snap, d, in.Now)
		in.Deployments = append(in.Deployments, explain.Deployment{
			Crashes: crashes, Crashed: snap.Task(c.Name, crashes.Last()),
			Deployment: d.Deployment, State: d.State, Revision: snap.ServiceRevision(c.Name, svc.Name, d.Revision),
			Running: n.Running, Pending: n.Pending, Stopping: n.Stopping, Failed: lastFailed(snap, c.Name, &d),
		})
	}
	e := explain.Of(s.site.ServiceARN(c.Name, svc.Name), in)
	if svc.Status != fleet.ServiceActive || len(e.Placement) > 0 {
		return e
	}
	rev := snap.ServiceRevision(c.Name, svc.Name, snap.Deployment(c.Name, svc.Name, svc.Deployment).Revision)
	if rev == nil {
		return e
	}
	d, _ := snap.TaskDefinition(rev.Family, rev.Revision)
	if d == nil {
		e.Placement = []explain.Placement{{Refused: "TaskDefinition not found."}}
		return e
	}
	l := serviceTask(svc, rev, svc.Deployment, &serviceLaunch{Launch: scheduler.Launch{Count: 1}})
	l.running = shares(snap, c.Name, l)
	e.Placement = s.next(snap, c, d, l)
	return e
}

// lastFailed is the task of a deployment that failed last, of those after the
// last one that ran; nil where there is none.
func lastFailed(snap *store.Snapshot, cluster string, d *store.Deployment) *fleet.TaskState {
	var last *fleet.TaskState
	for t := range snap.FailedTasks(cluster, d.ID) {
		if d.State != nil && t.Serial > d.State.LastGood && (last == nil || t.Serial > last.Serial) {
			last = t
		}
	}
	return last
}
