package link

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/ashore/ashore/internal/wire/acs"
)

// restore marks the store's content as restored from a backup.
func restore(t testing.TB, st *store.Store) {
	t.Helper()
	put(t, st, store.RestoredKey(), &fleet.Restored{At: time.Now(), BackupAt: time.Now().Add(-time.Hour)})
}

func arn(id string) string { return site.TaskARN("c", id) }

func inventory(inst string, tasks ...acs.InventoryTask) *acs.InventoryMessage {
	return &acs.InventoryMessage{MessageID: fleet.NewID(), ClusterArn: site.ClusterARN("c"), ContainerInstanceArn: site.InstanceARN("c", inst), Tasks: tasks}
}

// inventoryEntry is our agent's inventory entry of a running task.
func inventoryEntry(id string) acs.InventoryTask {
	return acs.InventoryTask{TaskArn: arn(id), DesiredStatus: acs.StatusRunning, Status: acs.StatusRunning,
		Containers: []acs.InventoryContainer{{ContainerName: "main", RuntimeID: "r" + id, Status: acs.StatusRunning}},
		Account: &acs.TaskAccount{Family: "newer", Version: "7", LaunchType: "EC2", CPU: 100, Memory: 200, TCP: []int{8080}, GPUs: []string{"g1"},
			Report: acs.TaskReport{TaskArn: arn(id), Status: acs.StatusRunning, Containers: []acs.ContainerReport{{ContainerName: "main", RuntimeID: "r" + id, Status: acs.StatusRunning,
				NetworkBindings: []acs.NetworkBinding{{BindIP: "0.0.0.0", ContainerPort: 80, HostPort: 49999, Protocol: "tcp"}}}}},
		},
	}
}

// TestRestored: a task that hosts run and the restored state does not know goes on
// running. It is visible, with what it reserves. A task that may have run since the backup
// is not started again.
func TestRestored(t *testing.T) {
	w := newWorld(t)
	st := w.store(store.Config{Sole: true})
	seed(t, st)
	inst := fleet.NewID()
	put(t, st, store.InstanceKey("c", inst), &fleet.Instance{Cluster: "c", ID: inst, Status: fleet.InstanceActive, Principal: "host-" + inst,
		Registered: fleet.Capacity{CPU: 1024, Memory: 1024, GPUs: []string{"g1"}}})
	// The backup has these tasks. It does not know that the last three were started.
	goesOn, has, gone := task(t, st, inst), task(t, st, inst), task(t, st, inst)
	submit(t, st, goesOn, fleet.TaskRunning)
	submit(t, st, gone, fleet.TaskRunning)
	started, never := task(t, st, inst), task(t, st, inst)
	waits := fleet.NewID()
	put(t, st, store.WaitingTaskKey("c", waits), &fleet.Task{Cluster: "c", ID: waits, Family: "f", Revision: 1})
	restore(t, st)
	s := w.server("s1", st)
	unknown, fresh := fleet.NewID(), task(t, st, inst)

	a := connect(t, s, inst, manners{})
	next[*acs.TaskManifestMessage](a)
	if p := next[*acs.PayloadMessage](a); len(p.Tasks) != 1 || p.Tasks[0].Arn != arn(fresh) || p.Tasks[0].DesiredStatus != acs.StatusRunning {
		t.Fatalf("sent %+v", p.Tasks)
	}
	submit(t, st, fresh, fleet.TaskRunning)
	inv := inventory(inst, inventoryEntry(goesOn), inventoryEntry(has), inventoryEntry(started), inventoryEntry(unknown), inventoryEntry(waits), inventoryEntry(fresh))
	inv.Tombstones = []acs.Tombstone{{TaskArn: arn(gone)}}
	a.send(inv)
	state := func(id string) *fleet.TaskState { return st.Snapshot().Task("c", id) }
	eventually(t, "settled", func() bool {
		return state(never).Status() == fleet.TaskStopped && state(gone).Status() == fleet.TaskStopped && state(waits) != nil
	})
	a.expectNoPayload(st, inst) // in particular no stop
	for _, id := range []string{goesOn, has, started, unknown, waits, fresh} {
		if got := state(id); got.Status() != fleet.TaskRunning || got.Desired() != fleet.TaskRunning {
			t.Errorf("%s is %s, wanted %s", id, got.Status(), got.Desired())
		}
	}
	if r := state(never).Report; r.Reason != reasonUncertain {
		t.Errorf("what may have run is settled as %+v", r)
	}
	if st.Snapshot().WaitingTask("c", waits) != nil {
		t.Error("a task that runs still waits for a host")
	}
	u := state(unknown)
	if !u.Unknown || u.StartedBy != fleet.StartedUnknown || u.Family != "newer" || u.Revision != 7 || u.Service() != "" ||
		len(u.Containers) != 1 || u.Report.Containers[0].RuntimeID != "r"+unknown {
		t.Errorf("shown as %+v, %+v", u.Task, u.Report)
	}
	usage, have := st.Snapshot().Usage("c", inst), st.Snapshot().Instance("c", inst).Registered
	for _, port := range []uint16{8080, 49999} {
		if _, held := usage.PortHolder(&have, fleet.Port{Number: port, Protocol: fleet.TCP}); !held {
			t.Errorf("port %d is free on its host", port)
		}
	}
	if usage.GPUs["g1"] == "" || usage.CPU < 200 || usage.Memory < 400 {
		t.Errorf("what they take: %+v", usage)
	}

	// It is a task like any other: it can be stopped, and its end counts.
	stop(t, st, unknown)
	if p := next[*acs.PayloadMessage](a); p.Tasks[0].Arn != arn(unknown) || p.Tasks[0].DesiredStatus != acs.StatusStopped {
		t.Errorf("stop: %+v", p.Tasks)
	}
	a.send(&acs.ReportMessage{MessageID: "end", ClusterArn: site.ClusterARN("c"), ContainerInstanceArn: site.InstanceARN("c", inst),
		Reports: []acs.TaskReport{{TaskArn: arn(unknown), Status: acs.StatusStopped}}})
	next[*acs.ReportAck](a)
	if got := state(unknown); got.Status() != fleet.TaskStopped {
		t.Errorf("its end: %+v", got.Report)
	}
}

// TestRestoredEnds: after a user has declared the state valid, unknown tasks are stopped,
// and tasks that may have run are started.
func TestRestoredEnds(t *testing.T) {
	w := newWorld(t)
	st := w.store(store.Config{Sole: true})
	seed(t, st)
	s, inst := w.server("s1", st), instance(t, st)
	held := task(t, st, inst)
	restore(t, st)
	a := connect(t, s, inst, manners{})
	next[*acs.TaskManifestMessage](a)
	a.expectNoPayload(st, inst)
	err := st.Update(t.Context(), func(tx *store.Tx) error {
		store.Get(tx, store.RestoredKey())
		return store.Delete(tx, store.RestoredKey())
	})
	if err != nil {
		t.Fatal(err)
	}
	if p := next[*acs.PayloadMessage](a); len(p.Tasks) != 1 || p.Tasks[0].Arn != arn(held) || p.Tasks[0].DesiredStatus != acs.StatusRunning {
		t.Fatalf("sent %+v", p.Tasks)
	}
	submit(t, st, held, fleet.TaskRunning)
	stray := fleet.NewID()
	a.send(inventory(inst, inventoryEntry(held), inventoryEntry(stray)))
	if p := next[*acs.PayloadMessage](a); len(p.Tasks) != 1 || p.Tasks[0].Arn != arn(stray) || p.Tasks[0].DesiredStatus != acs.StatusStopped {
		t.Errorf("sent %+v", p.Tasks)
	}
}

// TestRestoredAndTheStockAgent: the stock agent names the tasks that it would stop. They
// are not confirmed.
func TestRestoredAndTheStockAgent(t *testing.T) {
	w := newWorld(t)
	st := w.store(store.Config{Sole: true})
	seed(t, st)
	s, inst := w.server("s1", st), instance(t, st)
	ended := task(t, st, inst)
	submit(t, st, ended, fleet.TaskStopped)
	restore(t, st)
	unknown := fleet.NewID()
	a := connect(t, s, inst, manners{})
	m := next[*acs.TaskManifestMessage](a)
	a.send(&acs.TaskStopVerificationMessage{MessageID: m.MessageID, StopCandidates: []acs.ManifestTask{
		{TaskArn: arn(unknown), DesiredStatus: acs.StatusStopped}, {TaskArn: arn(ended), DesiredStatus: acs.StatusStopped}}})
	ack := next[*acs.TaskStopVerificationAck](a)
	if len(ack.StopTasks) != 1 || ack.StopTasks[0].TaskArn != arn(ended) {
		t.Errorf("confirmed %+v", ack.StopTasks)
	}
	u := st.Snapshot().Task("c", unknown)
	if u == nil || !u.Unknown || u.Status() != fleet.TaskRunning || u.Family != unknownFamily {
		t.Errorf("shown as %+v", u)
	}
}

// TestRestoredEndMeanwhile: an unknown task ends between the inventory and its comparison.
func TestRestoredEndMeanwhile(t *testing.T) {
	w := newWorld(t)
	st := w.store(store.Config{Sole: true})
	seed(t, st)
	inst := instance(t, st)
	restore(t, st)
	s := w.server("s1", st)
	unknown := fleet.NewID()
	a := connect(t, s, inst, manners{})
	next[*acs.TaskManifestMessage](a)
	a.send(&acs.ReportMessage{MessageID: "end", ClusterArn: site.ClusterARN("c"), ContainerInstanceArn: site.InstanceARN("c", inst),
		Reports: []acs.TaskReport{{TaskArn: arn(unknown), Status: acs.StatusStopped}}})
	next[*acs.ReportAck](a)
	a.send(inventory(inst, inventoryEntry(unknown)))
	eventually(t, "its end counts", func() bool {
		u := st.Snapshot().Task("c", unknown)
		return u != nil && u.Status() == fleet.TaskStopped
	})
}

// TestRestoredIsBounded: a host's data about an unknown task stays within the bounds of
// tasks and of the host.
func TestRestoredIsBounded(t *testing.T) {
	w := newWorld(t)
	st := w.store(store.Config{Sole: true})
	seed(t, st)
	inst := fleet.NewID()
	put(t, st, store.InstanceKey("c", inst), &fleet.Instance{Cluster: "c", ID: inst, Status: fleet.InstanceActive, Principal: "host-" + inst,
		Registered: fleet.Capacity{CPU: 1024, Memory: 1024}})
	restore(t, st)
	s := w.server("s1", st)
	hostile, other := inventoryEntry(fleet.NewID()), inventoryEntry(fleet.NewID())
	acc := hostile.Account
	acc.Family, acc.Version, acc.LaunchType, acc.CPU, acc.Memory = strings.Repeat("f", 1<<16), "-3", "MOON", 1<<50, -1
	acc.TCP = nil
	for i := range 70000 {
		acc.TCP = append(acc.TCP, i-10)
	}
	acc.GPUs = []string{"another's"}
	for i := range 100 {
		hostile.Containers = append(hostile.Containers, acs.InventoryContainer{ContainerName: strings.Repeat("c", i)})
	}
	other.TaskArn = site.TaskARN("elsewhere", fleet.NewID())
	a := connect(t, s, inst, manners{})
	a.send(inventory(inst, other, hostile, acs.InventoryTask{TaskArn: arn("no id"), DesiredStatus: acs.StatusRunning, Status: acs.StatusRunning}))
	var got *fleet.TaskState
	eventually(t, "taken over", func() bool {
		for u := range st.Snapshot().TasksOn("c", inst) {
			got = u
		}
		return got != nil
	})
	a.expectNoPayload(st, inst)
	r := got.Reserve
	if got.Family != unknownFamily || got.Revision != 0 || got.LaunchType != "EXTERNAL" || r.CPU != 1024 || r.Memory != 0 || len(r.GPUs) != 0 ||
		len(r.Ports) != maxTaskPorts || r.Ports[0].Number != 1 || len(got.Containers) != maxTaskContainers {
		t.Errorf("%+v", got.Task)
	}
	n := 0
	for u := range st.Snapshot().TasksOn("c", inst) {
		if u.Holds() {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d tasks were taken over", n)
	}
}

// TestRestoredIsAnnounced: agents send full accounts only after a restore.
func TestRestoredIsAnnounced(t *testing.T) {
	w := newWorld(t)
	st := w.store(store.Config{Sole: true})
	seed(t, st)
	s, inst := w.server("s1", st), instance(t, st)
	for _, restored := range []bool{false, true} {
		if restored {
			restore(t, st)
		}
		conn, r, err := dialACS(t.Context(), s, "c", site.InstanceARN("c", inst))
		if err != nil {
			t.Fatal(err)
		}
		conn.CloseNow()
		if got := slices.Contains(r.Header.Values(acs.ExtensionsHeader), acs.AccountsVersion); got != restored {
			t.Errorf("restored %v: %v", restored, r.Header.Values(acs.ExtensionsHeader))
		}
	}
}
