package link

import (
	"slices"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/identity"
	"github.com/ashore/ashore/internal/store"
	"github.com/ashore/ashore/internal/wire/acs"
	"github.com/coder/websocket"
)

func reportOf(arn string, status fleet.TaskStatus) acs.TaskReport {
	return acs.TaskReport{TaskArn: arn, Status: string(status), Containers: []acs.ContainerReport{{ContainerName: "main", RuntimeID: "r", Status: string(status)}}}
}

// sendReports sends reports and returns the refused tasks from the server's answer.
func (a *agent) sendReports(id string, list ...acs.TaskReport) []string {
	a.t.Helper()
	a.send(&acs.ReportMessage{MessageID: id, Reports: list})
	ack := next[*acs.ReportAck](a)
	if ack.MessageID != id {
		a.t.Fatalf("the answer is to %q, not to %q", ack.MessageID, id)
	}
	slices.Sort(ack.Refused)
	return ack.Refused
}

// withContainer is task with a container, so that there is something to report.
func withContainer(t testing.TB, st *store.Store, instance string) string {
	t.Helper()
	id := fleet.NewID()
	put(t, st, store.TaskKey("c", id), &fleet.Task{Cluster: "c", ID: id, Instance: instance, Family: "f", Revision: 1,
		Containers: []fleet.TaskContainer{{Name: "main", ID: "x"}}})
	return id
}

func TestReportsAreAnsweredOnceTheyAreStored(t *testing.T) {
	w := newWorld(t)
	st := w.store(store.Config{Sole: true})
	seed(t, st)
	s, inst := w.server("s1", st), instance(t, st)
	s.caller = identity.Principal{Kind: identity.Host, ARN: "host-" + inst}
	put(t, st, store.InstanceKey("c", inst), &fleet.Instance{Cluster: "c", ID: inst, Status: fleet.InstanceActive, Principal: s.caller.ARN})
	a := connect(t, s, inst, manners{})
	var list []acs.TaskReport
	var ids []string
	for range 90 { // three transactions
		id := withContainer(t, st, inst)
		ids = append(ids, id)
		list = append(list, reportOf(site.TaskARN("c", id), fleet.TaskRunning))
	}
	list = append(list, reportOf(site.TaskARN("c", fleet.NewID()), fleet.TaskStopped)) // no longer stored, so there is nothing to do
	if refused := a.sendReports("1", list...); len(refused) != 0 {
		t.Errorf("refused: %v", refused)
	}
	for _, id := range ids {
		if r := st.Snapshot().Task("c", id).Report; r == nil || r.Status != fleet.TaskRunning || r.Containers[0].RuntimeID != "r" || r.Version != 1 {
			t.Fatalf("%s: %+v", id, r)
		}
	}
	// After a lost answer the same reports come again, and nothing changes. Late
	// reports change nothing either.
	first := site.TaskARN("c", ids[0])
	a.sendReports("2", reportOf(first, fleet.TaskStopped))
	a.sendReports("3", list[0])
	if r := st.Snapshot().Task("c", ids[0]).Report; r.Status != fleet.TaskStopped {
		t.Errorf("%+v", r)
	}
	if r := st.Snapshot().Task("c", ids[1]).Report; r.Version != 1 {
		t.Errorf("%+v", r)
	}

	// Reports of another host's tasks and malformed reports are refused and not stored.
	// The others are stored.
	other := withContainer(t, st, instance(t, st))
	foreign, mine := site.TaskARN("c", other), site.TaskARN("c", ids[2])
	elsewhere := site.TaskARN("d", fleet.NewID())
	odd := acs.TaskReport{TaskArn: site.TaskARN("c", ids[3]), Status: "FLYING"}
	want := []string{elsewhere, odd.TaskArn, mine}
	slices.Sort(want)
	if refused := a.sendReports("4", reportOf(mine, fleet.TaskStopped), reportOf(mine, fleet.TaskRunning), reportOf(elsewhere, fleet.TaskRunning), odd); !slices.Equal(refused, want) {
		t.Errorf("refused: %v, want %v", refused, want)
	}
	if r := st.Snapshot().Task("c", ids[2]).Report; r.Status != fleet.TaskStopped {
		t.Errorf("%+v", r)
	}
	if refused := a.sendReports("5", reportOf(foreign, fleet.TaskRunning)); !slices.Equal(refused, []string{foreign}) {
		t.Errorf("refused: %v", refused)
	}
	if r := st.Snapshot().Task("c", other).Report; r != nil {
		t.Errorf("a host has reported another's task: %+v", r)
	}
	// The instance now belongs to another principal. The connection that still exists
	// may no longer report for it.
	put(t, st, store.InstanceKey("c", inst), &fleet.Instance{Cluster: "c", ID: inst, Status: fleet.InstanceActive, Principal: "somebody"})
	last := site.TaskARN("c", ids[4])
	if refused := a.sendReports("6", reportOf(last, fleet.TaskStopped)); !slices.Equal(refused, []string{last}) {
		t.Errorf("refused: %v", refused)
	}
}

// The last reports of a deregistering instance come in one message.
func TestReportsInOneMessageEndADeregistration(t *testing.T) {
	w := newWorld(t)
	st := w.store(store.Config{Sole: true})
	seed(t, st)
	s, inst := w.server("s1", st), instance(t, st)
	var list []acs.TaskReport
	for range 3 {
		id := withContainer(t, st, inst)
		submit(t, st, id, fleet.TaskRunning)
		stop(t, st, id)
		list = append(list, reportOf(site.TaskARN("c", id), fleet.TaskStopped))
	}
	put(t, st, store.InstanceKey("c", inst), &fleet.Instance{Cluster: "c", ID: inst, Status: fleet.InstanceDeregistering})
	a := connect(t, s, inst, manners{})
	a.send(&acs.ReportMessage{MessageID: "1", Reports: list})
	if err := a.ended(); websocket.CloseStatus(err) != closeRefused {
		t.Errorf("ended with %v", err)
	}
	if i := st.Snapshot().Instance("c", inst); i.Status != fleet.InstanceInactive {
		t.Errorf("the instance is %s", i.Status)
	}
}

// What an agent acknowledges together with reports is not repeated, like what it
// acknowledges by itself.
func TestAcknowledgementsWithReports(t *testing.T) {
	w := newWorld(t)
	st := w.store(store.Config{Sole: true})
	seed(t, st)
	s, inst := w.server("s1", st), instance(t, st)
	x := newSession(s.Server, peer{"c", inst}, s.caller, fleet.InstanceSession{Connection: "x"})
	now := time.Now()
	for _, id := range []string{"a", "b"} {
		x.orders.set(id, acs.StatusRunning, now)
		x.orders.markSent("message of "+id, []*order{x.orders.byTask[id]}, now)
		x.strays.set("stray "+id, acs.StatusStopped, now)
		x.strays.markSent("stop of "+id, []*order{x.strays.byTask["stray "+id]}, now)
	}
	x.noteAcks([]string{"message of a", "stop of b", "of nobody"})
	if len(x.wake) != 0 {
		t.Error("the loop is woken for an acknowledgement alone")
	}
	x.applyAcks()
	late := now.Add(2 * ackWait)
	if due := x.orders.listDue(late); len(due) != 1 || due[0].task != "b" {
		t.Errorf("repeated: %+v", due)
	}
	if due := x.strays.listDue(late); len(due) != 1 || due[0].task != "stray a" {
		t.Errorf("repeated: %+v", due)
	}
}

// A port range is stored as a range, and reserves its ports on the host.
func TestReportsCarryPortRanges(t *testing.T) {
	w := newWorld(t)
	st := w.store(store.Config{Sole: true})
	seed(t, st)
	s, inst := w.server("s1", st), instance(t, st)
	a := connect(t, s, inst, manners{})
	id := withContainer(t, st, inst)
	r := reportOf(site.TaskARN("c", id), fleet.TaskRunning)
	r.Containers[0].NetworkBindings = []acs.NetworkBinding{
		{BindIP: "0.0.0.0", ContainerPortRange: "1-20000", HostPortRange: "40001-60000", Protocol: "udp"},
		{BindIP: "0.0.0.0", ContainerPort: 80, HostPort: 8080, Protocol: "tcp"},
	}
	if refused := a.sendReports("1", r); len(refused) != 0 {
		t.Fatalf("refused: %v", refused)
	}
	got := st.Snapshot().Task("c", id).Report.Containers[0].NetworkBindings
	if len(got) != 2 || *got[0].HostPortRange != "40001-60000" || got[0].HostPort != nil || *got[1].HostPort != 8080 || got[1].HostPortRange != nil {
		t.Errorf("stored are %+v", got)
	}
	holders := st.Snapshot().Usage("c", inst).Holders
	for _, p := range []fleet.Port{{Number: 40001, Protocol: fleet.UDP}, {Number: 60000, Protocol: fleet.UDP}, {Number: 8080, Protocol: fleet.TCP}} {
		if task, _ := holders.Of(p); task != id {
			t.Errorf("%v is held by %q", p, task)
		}
	}
}

// Each report of a PENDING task has its pulls. They are removed when it runs.
func TestReportsTellOfPulls(t *testing.T) {
	w := newWorld(t)
	st := w.store(store.Config{Sole: true})
	seed(t, st)
	s, inst := w.server("s1", st), instance(t, st)
	a := connect(t, s, inst, manners{})
	id := withContainer(t, st, inst)
	r := reportOf(site.TaskARN("c", id), fleet.TaskPending)
	began := time.Now().Add(-time.Minute)
	r.Pulls = []acs.Pull{{ContainerName: "main", StartedAt: acs.MillisOf(began)}, {ContainerName: "none"}}
	a.sendReports("1", r)
	if p := st.Snapshot().Task("c", id).Report.Pulls; len(p) != 1 || p[0].Name != "main" {
		t.Errorf("%+v", p)
	}
	r.Pulls = nil
	a.sendReports("2", r)
	if got := st.Snapshot().Task("c", id).Report; len(got.Pulls) != 0 || got.Version != 1 {
		t.Errorf("%+v", got)
	}
}
