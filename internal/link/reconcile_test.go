package link

import (
	"strings"
	"testing"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/ashore/ashore/internal/wire/acs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/coder/websocket"
)

func TestInventorySettlesOnlyWhatTheHostDisowns(t *testing.T) {
	w := newWorld(t)
	st := w.store(store.Config{Sole: true})
	seed(t, st)
	s, inst, other := w.server("s1", st), instance(t, st), instance(t, st)
	arn := func(id string) string { return site.TaskARN("c", id) }

	fresh := task(t, st, inst) // never reported: must be sent, not ended
	runs, lost, ended, ending, lostToStop := task(t, st, inst), task(t, st, inst), task(t, st, inst), task(t, st, inst), task(t, st, inst)
	elsewhere, settled := task(t, st, other), task(t, st, inst)
	for _, id := range []string{runs, lost, ended, ending, lostToStop, elsewhere} {
		submit(t, st, id, fleet.TaskRunning)
	}
	stop(t, st, lostToStop)
	submit(t, st, settled, fleet.TaskStopped)
	unknown, foreign := arn(fleet.NewID()), "arn:aws:ecs:eu-west-1:111111111111:task/c/"+fleet.NewID()

	a := connect(t, s, inst, manners{})
	next[*acs.TaskManifestMessage](a)
	late := task(t, st, inst) // placed, delivered and reported after the agent made its inventory
	for seen := false; !seen; {
		for _, x := range next[*acs.PayloadMessage](a).Tasks {
			seen = seen || x.Arn == arn(late)
		}
	}
	submit(t, st, late, fleet.TaskRunning)
	a.send(&acs.InventoryMessage{
		MessageID: "inv", ClusterArn: site.ClusterARN("c"), ContainerInstanceArn: site.InstanceARN("c", inst),
		Tasks: []acs.InventoryTask{
			{TaskArn: arn(runs), DesiredStatus: acs.StatusRunning, Status: acs.StatusRunning},
			{TaskArn: arn(ending), DesiredStatus: acs.StatusRunning, Status: acs.StatusStopped, Unreported: 1},
			{TaskArn: arn(elsewhere), DesiredStatus: acs.StatusRunning, Status: acs.StatusRunning},
			{TaskArn: arn(settled), DesiredStatus: acs.StatusRunning, Status: acs.StatusRunning},
			{TaskArn: unknown, DesiredStatus: acs.StatusRunning, Status: acs.StatusPending},
			{TaskArn: foreign, DesiredStatus: acs.StatusRunning, Status: acs.StatusRunning},
		},
		Tombstones: []acs.Tombstone{{TaskArn: arn(ended)}},
	})
	want := map[string]bool{arn(elsewhere): true, arn(settled): true, unknown: true}
	for len(want) > 0 {
		for _, x := range next[*acs.PayloadMessage](a).Tasks {
			if x.DesiredStatus == acs.StatusStopped && x.Arn != arn(lostToStop) {
				if !want[x.Arn] {
					t.Fatalf("%s is stopped", x.Arn)
				}
				delete(want, x.Arn)
			}
		}
	}
	status := func(id string) *fleet.TaskReport { return st.Snapshot().Task("c", id).Report }
	for id, reason := range map[string]string{lost: reasonLost, ended: reasonEnded, lostToStop: "because"} {
		eventually(t, "settled", func() bool { return status(id).Status == fleet.TaskStopped })
		r := status(id)
		code := types.TaskStopCodeInfrastructureHealth
		if id == lostToStop {
			code = types.TaskStopCodeUserInitiated
		}
		if r.Reason != reason || r.StopCode != code || r.StoppedAt.IsZero() {
			t.Errorf("settled as %+v, want %s %q", r, code, reason)
		}
	}
	for _, id := range []string{runs, ending, elsewhere, late} {
		if status(id).Status != fleet.TaskRunning {
			t.Errorf("%s was settled: %+v", id, status(id))
		}
	}
	if status(fresh) != nil {
		t.Error("a task that was never delivered was settled")
	}
}

// The inventory may end the last tasks of an instance that is being deregistered.
func TestInventoryEndsADeregistration(t *testing.T) {
	w := newWorld(t)
	st := w.store(store.Config{Sole: true})
	seed(t, st)
	s, inst := w.server("s1", st), instance(t, st)
	for range 3 {
		id := task(t, st, inst)
		submit(t, st, id, fleet.TaskRunning)
		stop(t, st, id)
	}
	put(t, st, store.InstanceKey("c", inst), &fleet.Instance{Cluster: "c", ID: inst, Status: fleet.InstanceDeregistering})
	a := connect(t, s, inst, manners{})
	a.send(&acs.InventoryMessage{MessageID: "inv"})
	if err := a.ended(); websocket.CloseStatus(err) != closeRefused || !strings.Contains(err.Error(), acs.InactiveInstanceException) {
		t.Errorf("ended with %v", err)
	}
	if i := st.Snapshot().Instance("c", inst); i.Status != fleet.InstanceInactive {
		t.Errorf("the instance is %s", i.Status)
	}
}

func TestStopsAreVerifiedByTheNewestState(t *testing.T) {
	w := newWorld(t)
	st := w.store(store.Config{Sole: true})
	seed(t, st)
	s, inst := w.server("s1", st), instance(t, st)
	a := connect(t, s, inst, manners{})
	m := next[*acs.TaskManifestMessage](a)
	late, unwanted, unknown := task(t, st, inst), task(t, st, inst), fleet.NewID()
	stop(t, st, unwanted)
	candidates := []acs.ManifestTask{}
	for _, id := range []string{late, unwanted, unknown} {
		candidates = append(candidates, acs.ManifestTask{TaskArn: site.TaskARN("c", id), DesiredStatus: acs.StatusStopped})
	}
	a.send(&acs.TaskStopVerificationMessage{MessageID: "of an older manifest", StopCandidates: candidates})
	a.send(&acs.TaskStopVerificationMessage{MessageID: m.MessageID, StopCandidates: candidates})
	ack := next[*acs.TaskStopVerificationAck](a)
	if ack.MessageID != m.MessageID || len(ack.StopTasks) != 2 {
		t.Fatalf("confirmed %+v", ack)
	}
	for _, x := range ack.StopTasks {
		if strings.HasSuffix(x.TaskArn, late) || x.DesiredStatus != acs.StatusStopped {
			t.Errorf("confirmed %+v", x)
		}
	}
}

func TestATaskThatCannotBeSentIsStopped(t *testing.T) {
	w := newWorld(t)
	st := w.store(store.Config{Sole: true})
	seed(t, st)
	s, inst := w.server("s1", st), instance(t, st)
	a := connect(t, s, inst, manners{})
	id := fleet.NewID()
	put(t, st, store.TaskKey("c", id), &fleet.Task{Cluster: "c", ID: id, Instance: inst, Family: "gone", Revision: 7})
	p := next[*acs.PayloadMessage](a)
	if len(p.Tasks) != 1 || p.Tasks[0].Arn != site.TaskARN("c", id) || p.Tasks[0].DesiredStatus != acs.StatusStopped {
		t.Fatalf("payload %+v", p.Tasks)
	}
	if stop := st.Snapshot().Task("c", id).Stop; stop == nil || stop.Code != types.TaskStopCodeTaskFailedToStart || !strings.Contains(stop.Reason, errNoDefinition.Error()) {
		t.Errorf("stop %+v", stop)
	}
}
