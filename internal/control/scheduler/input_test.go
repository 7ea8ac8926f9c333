package scheduler

import (
	"errors"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/control/rollout"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/ashore/ashore/internal/store/storetest"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// The throttle counts consecutive failures to start. A task that ran interrupts them,
// even if it ended at once and was never observed running.
func TestOneThatRanEndsTheThrottle(t *testing.T) {
	s := storetest.Open(t)
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	svc := &fleet.Service{Cluster: "c", Name: "s", ID: "i", Status: fleet.ServiceActive, DesiredCount: 1,
		Scheduling: types.SchedulingStrategyReplica, Deployment: "1", Deployments: 1}
	ended := func(serial int64, ran bool) error {
		id := fleet.ServiceTaskID("1", serial)
		at := now.Add(time.Duration(serial-5) * time.Minute)
		r := &fleet.TaskReport{Status: fleet.TaskStopped, StopCode: types.TaskStopCodeTaskFailedToStart, StoppedAt: at}
		if ran {
			r.StopCode, r.StartedAt = types.TaskStopCodeEssentialContainerExited, at
		}
		return s.Update(t.Context(), func(tx *store.Tx) error {
			return errors.Join(
				store.Create(tx, store.TaskKey("c", id), &fleet.Task{Cluster: "c", ID: id, Instance: "h", CreatedAt: at, Serial: serial,
					Group: "service:s", StartedBy: fleet.DeploymentStarter("1")}),
				store.Create(tx, store.TaskReportKey("c", id), r))
		})
	}
	errs := []error{s.Update(t.Context(), func(tx *store.Tx) error {
		return errors.Join(
			store.Create(tx, store.ClusterKey("c"), &fleet.Cluster{Name: "c", Status: fleet.ClusterActive}),
			store.Create(tx, store.InstanceKey("c", "h"), &fleet.Instance{Cluster: "c", ID: "h", Status: fleet.InstanceActive}),
			store.Create(tx, store.ServiceKey("c", "s"), svc),
			store.Create(tx, store.DeploymentKey("c", "s", "1"), &fleet.Deployment{Cluster: "c", Service: "s", ServiceID: "i", ID: "1", Number: 1, Revision: "r"}),
			store.Create(tx, store.DeploymentStateKey("c", "s", "1"), &fleet.DeploymentState{Launched: 5}))
	})}
	for serial, ran := range []bool{false, false, true, true, false} {
		errs = append(errs, ended(int64(serial)+1, ran))
	}
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	l := newLeader(&Scheduler{Store: s, Placer: nobody{t}, Now: func() time.Time { return now }}, nil)
	v, err := l.newView(s.Snapshot(), "c", "s", false)
	if err != nil {
		t.Fatal(err)
	}
	if len(v.in.Tasks) != 4 { // three that failed, and the last that ran
		t.Errorf("%d tasks: %+v", len(v.in.Tasks), v.in.Tasks)
	}
	if out := rollout.Step(&v.in); out.Throttled == nil || out.Throttled.Failures != 1 || out.Throttled.Rounds != 1 {
		t.Errorf("throttled: %+v", out.Throttled)
	}
}
