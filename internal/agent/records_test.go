package agent_test

import (
	"log/slog"
	"maps"
	"path/filepath"
	"testing"

	"github.com/ashore/ashore/internal/agent"
	"github.com/ashore/ashore/internal/agent/agenttest"
	"github.com/ashore/ashore/internal/agent/journal"
	"github.com/ashore/ashore/internal/agent/runtime/fake"
	"github.com/ashore/ashore/internal/wire/acs"
)

// A record of the journal that can't be decoded counts as lost, but only that record. The
// agent starts, is the same instance, and goes on with what runs.
func TestRecordsThatCannotBeRead(t *testing.T) {
	h := simulated(t, func(p *agenttest.Plane) { p.Extensions = true })
	host := h.cfg.Runtime.(*fake.Fake)
	stop := h.start()
	instance := h.plane.WaitInstance(1)
	h.plane.Order(instance, simulatedTask("sound"), simulatedTask("torn"))
	h.plane.WaitReport("sound", acs.StatusRunning)
	h.plane.WaitReport("torn", acs.StatusRunning)
	stop()
	h.plane.ForgetConnection()

	j, err := journal.Open(filepath.Join(h.cfg.Dir, agent.JournalFile), slog.Default())
	if err != nil {
		t.Fatal(err)
	}
	j.Put(journal.Tasks, "torn", []byte(`{"payload":{"arn":"torn"`))
	j.Put(journal.Tasks, "another's", []byte(`{"payload":{"arn":"sound"},"containers":[{"name":"main"}]}`))
	j.Put(journal.Tasks, "holed", []byte(`{"payload":{"arn":"holed"},"containers":[null]}`))
	j.Put(journal.Meta, "identity", []byte(`{"instanceArn":"arn:aws:ecs:us-east-1:000000000000:container-instance/default/other","cluster":7}`))
	j.Put(journal.Meta, "sequence", []byte("\x00\x00"))
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}

	h.start()
	if again := h.plane.WaitInstance(2); again != instance {
		t.Errorf("registered as %s, was %s", again, instance)
	}
	inv := agenttest.WaitMessage(h.plane, func(m *acs.InventoryMessage) bool { return len(m.Tasks) > 0 })
	got := map[string]string{}
	for _, task := range inv.Tasks {
		got[task.TaskArn] = task.Status
	}
	if want := map[string]string{"sound": acs.StatusRunning, "torn": acs.StatusRunning}; !maps.Equal(got, want) {
		t.Errorf("tasks: %v", got)
	}
	if w := host.Witness(); w.Repeated != 0 || w.Running != 2 || w.Started != 2 {
		t.Errorf("%+v", w)
	}
}
