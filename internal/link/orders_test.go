package link

import (
	"testing"
	"time"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/wire/acs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

func TestWanted(t *testing.T) {
	task := &fleet.Task{ID: "t", Instance: "i"}
	report := func(s fleet.TaskStatus) *fleet.TaskReport { return &fleet.TaskReport{Status: s} }
	stop := &fleet.TaskStop{Code: types.TaskStopCodeUserInitiated}
	for _, c := range []struct {
		name  string
		state *fleet.TaskState
		want  string
	}{
		{"unknown", nil, ""},
		{"of another instance", &fleet.TaskState{Task: &fleet.Task{ID: "t", Instance: "other"}}, ""},
		{"new", &fleet.TaskState{Task: task}, acs.StatusRunning},
		{"stopped before its delivery", &fleet.TaskState{Task: task, Stop: stop}, acs.StatusStopped},
		{"reported", &fleet.TaskState{Task: task, Report: report(fleet.TaskPending)}, ""},
		{"running", &fleet.TaskState{Task: task, Report: report(fleet.TaskRunning)}, ""},
		{"running and to be stopped", &fleet.TaskState{Task: task, Stop: stop, Report: report(fleet.TaskRunning)}, acs.StatusStopped},
		{"ended by itself", &fleet.TaskState{Task: task, Report: report(fleet.TaskStopped)}, ""},
		{"ended as wanted", &fleet.TaskState{Task: task, Stop: stop, Report: report(fleet.TaskStopped)}, ""},
	} {
		if got := wantedStatus(c.state, "i"); got != c.want {
			t.Errorf("%s: order %q, want %q", c.name, got, c.want)
		}
	}
}

func TestOrdersRunningIsRepeatedUntilAcknowledged(t *testing.T) {
	o, now := newOrders(), time.Unix(1000, 0)
	o.set("a", acs.StatusRunning, now)
	o.markSent("m1", o.listDue(now), now)
	if due := o.listDue(now.Add(59 * time.Second)); len(due) != 0 {
		t.Fatalf("sent again after 59 s: %+v", due[0])
	}
	now = now.Add(time.Minute)
	due := o.listDue(now)
	if len(due) != 1 || due[0].sent != 1 {
		t.Fatalf("due after an unacknowledged minute: %v", due)
	}
	o.markSent("m2", due, now)
	o.set("a", acs.StatusRunning, now) // the task changed, its wanted status did not
	o.markAcknowledged("m1")           // a late acknowledgement counts too
	if due := o.listDue(now.Add(24 * time.Hour)); len(due) != 0 {
		t.Fatalf("acknowledged, and due again: %+v", due[0])
	}
	if _, ok := o.nextDue(); ok {
		t.Fatal("an acknowledged order keeps the session awake")
	}
	o.set("a", "", now)
	if len(o.byTask) != 0 {
		t.Fatal("the report does not end the order")
	}
}

func TestOrdersStopIsRepeatedWithBackoffUntilReported(t *testing.T) {
	o, now := newOrders(), time.Unix(1000, 0)
	o.set("a", acs.StatusRunning, now)
	o.set("b", acs.StatusStopped, now)
	if due := o.listDue(now); len(due) != 2 || due[0].task != "b" {
		t.Fatalf("stops do not come first: %v", due)
	}
	o.set("a", acs.StatusStopped, now)
	o.set("b", "", now)
	var waits []time.Duration
	for range 6 {
		due := o.listDue(now)
		if len(due) != 1 || due[0].task != "a" {
			t.Fatalf("due: %v", due)
		}
		o.markSent("m", due, now)
		o.markAcknowledged("m") // only the report ends a stop
		next, ok := o.nextDue()
		if !ok {
			t.Fatal("an acknowledged stop is forgotten")
		}
		waits = append(waits, next.Sub(now).Round(time.Second))
		now = next
	}
	want := []time.Duration{1, 2, 4, 8, 10, 10}
	for i := range want {
		if waits[i] != want[i]*time.Minute {
			t.Fatalf("waits %v, want %v minutes", waits, want)
		}
	}
}
