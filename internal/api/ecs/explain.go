package ecs

import (
	"context"
	"errors"
	"strings"

	"github.com/ashore/ashore/internal/control/explain"
	"github.com/ashore/ashore/internal/control/scheduler"
	"github.com/ashore/ashore/internal/ecs/lookup"
	"github.com/ashore/ashore/internal/ecs/refuse"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// Explain explains why a task or a service is as it is, or what would become of a
// task of a definition now. what is an ARN, a task's id, a service's name, or a
// definition's family with or without a revision. Explain writes nothing.
func (s *Service) Explain(ctx context.Context, cluster *string, what string) (*explain.Explanation, error) {
	typ, name := "", what
	if fleet.IsARN(what) {
		a, err := fleet.ParseARN(what)
		if err != nil || !s.site.Owns(a) {
			return nil, refuse.Invalid("%q is not the ARN of a task, a service or a task definition of this installation.", what)
		}
		typ, name = a.Type, a.Rest
		if in, rest, long := strings.Cut(a.Rest, "/"); long && (typ == "task" || typ == "service") {
			cluster, name = &in, rest
		}
	}
	snap, c, err := s.readCluster(ctx, cluster)
	if err != nil {
		return nil, err
	}
	switch {
	case typ == "task" || typ == "" && fleet.IsID(name):
		arn := s.site.TaskARN(c.Name, name)
		unreadable := explainUnreadable(snap, explain.KindTask, arn, store.TaskKey(c.Name, name).String(), store.WaitingTaskKey(c.Name, name).String())
		if t := lookup.Task(snap, c.Name, name); t != nil {
			return unreadable.PrependTo(s.explainTask(snap, t)), nil
		}
		if unreadable != nil {
			return unreadable, nil
		}
		return nil, refuse.Invalid("There is no task %s in the cluster %s.", name, c.Name)
	case typ == "service" || typ == "" && (snap.Service(c.Name, name) != nil || store.Readable(snap, store.ServiceKey(c.Name, name)) != nil):
		unreadable := explainUnreadable(snap, explain.KindService, s.site.ServiceARN(c.Name, name), store.ServiceKey(c.Name, name).String())
		if svc := snap.Service(c.Name, name); svc != nil {
			return unreadable.PrependTo(s.explainService(snap, c, svc)), nil
		}
		if unreadable != nil {
			return unreadable, nil
		}
		return nil, serviceNotFound()
	case typ == "task-definition" || typ == "":
		d, st, err := lookup.Definition(snap, s.site, name)
		if err == nil {
			return s.explainDefinition(snap, c, d, st), nil
		}
		if typ == "" && !errors.Is(err, store.ErrUnreadable) {
			return nil, refuse.Invalid("%q is neither the id of a task, nor the name of a service of the cluster %s, nor a task definition.", what, c.Name)
		}
		return nil, lookup.NotFoundError(err, "TaskDefinition not found.")
	}
	return nil, refuse.Invalid("%q is not the ARN of a task, a service or a task definition.", what)
}

// explainUnreadable explains which records at some keys and below can't be read. It
// returns nil if all can.
func explainUnreadable(snap *store.Snapshot, kind, arn string, keys ...string) *explain.Explanation {
	var e *explain.Explanation
	for _, key := range keys {
		for u := range snap.Unreadable(key) {
			if u.Key != key && !strings.HasPrefix(u.Key, key+"/") {
				continue
			}
			if e == nil {
				e = &explain.Explanation{Kind: kind, ARN: arn}
			}
			e.AddUnreadable(u.Key, u.Reason)
		}
	}
	return e
}

func (s *Service) explainTask(snap *store.Snapshot, t *fleet.TaskState) *explain.Explanation {
	if t.Holds() && t.Stop == nil && snap.Uncertain(t.Cluster, t.ID) {
		return explain.OfWithheld(s.site.TaskARN(t.Cluster, t.ID), t)
	}
	host := explain.Host{}
	if t.Instance != "" {
		host = explain.Host{
			ARN: s.site.InstanceARN(t.Cluster, t.Instance), Instance: snap.Instance(t.Cluster, t.Instance), Connected: snap.Session(t.Cluster, t.Instance) != nil,
			EngineAway: snap.InstanceHealth(t.Cluster, t.Instance).EngineUnreachable(),
		}
	}
	d, _ := snap.TaskDefinition(t.Family, t.Revision)
	e := explain.OfTask(s.site.TaskARN(t.Cluster, t.ID), t, d, host, s.now())
	if t.Status() == fleet.TaskProvisioning {
		if d != nil {
			e.Placement = append(e.Placement, s.placer.RoomFor(snap, d, t.Task))
		}
	}
	return e
}

// explainDefinition explains what would become of a task of a definition that is run
// now without further parameters.
func (s *Service) explainDefinition(snap *store.Snapshot, c *fleet.Cluster, d *fleet.TaskDefinition, st *fleet.TaskDefinitionState) *explain.Explanation {
	e := &explain.Explanation{
		Kind: explain.KindTaskDefinition, ARN: s.site.TaskDefinitionARN(d.Family, d.Revision), Status: string(lookup.DefinitionStatus(st)),
	}
	if lookup.DefinitionStatus(st) != types.TaskDefinitionStatusActive {
		e.Placement = []explain.Placement{{Refused: "TaskDefinition is inactive"}}
		return e
	}
	e.Placement = s.placer.RoomForDefinition(snap, c, d)
	return e
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
		crashes := scheduler.CrashesOf(snap, d, in.Now)
		in.Deployments = append(in.Deployments, explain.Deployment{
			Crashes: crashes, Crashed: snap.Task(c.Name, crashes.Last()),
			Deployment: d.Deployment, State: d.State, Revision: snap.ServiceRevision(c.Name, svc.Name, d.Revision),
			Running: n.Running, Pending: n.Pending, Stopping: n.Stopping, Failed: lastFailed(snap, c.Name, &d),
		})
	}
	e := explain.OfService(s.site.ServiceARN(c.Name, svc.Name), in)
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
	e.Placement = s.placer.RoomForService(snap, c, svc, rev, d)
	return e
}

// lastFailed returns the newest failed task of a deployment, after the newest one
// that became healthy; nil if there is none.
func lastFailed(snap *store.Snapshot, cluster string, d *store.Deployment) *fleet.TaskState {
	var last *fleet.TaskState
	for t := range snap.FailedTasks(cluster, d.ID) {
		if d.State != nil && t.Serial > d.State.LastGood && (last == nil || t.Serial > last.Serial) {
			last = t
		}
	}
	return last
}
