package agent_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"

	"github.com/ashore/ashore/internal/agent"
	"github.com/ashore/ashore/internal/agent/agenttest"
	"github.com/ashore/ashore/internal/agent/engine"
	"github.com/ashore/ashore/internal/agent/journal"
	"github.com/ashore/ashore/internal/agent/session"
	"github.com/ashore/ashore/internal/wire/acs"
)

// A host whose disk is full registers with its identity, goes on with running tasks and
// stops those that it is told to. It does not acknowledge what it can't journal until
// there is room.
func TestAHostWhoseDiskIsFull(t *testing.T) {
	h := simulated(t, func(p *agenttest.Plane) { p.Extensions = true })
	stop := h.start()
	instance := h.plane.WaitInstance(1)
	h.plane.Order(instance, simulatedTask("runs"), simulatedTask("stops"), simulatedTask("stops later"))
	h.plane.WaitReport("runs", acs.StatusRunning)
	h.plane.WaitReport("stops", acs.StatusRunning)
	h.plane.WaitReport("stops later", acs.StatusRunning)
	stop()
	h.plane.ForgetConnection()

	j, err := journal.Open(filepath.Join(h.cfg.Dir, agent.JournalFile), slog.Default())
	if err != nil {
		t.Fatal(err)
	}
	writes := make(chan struct{}, 1000)
	j.FailWrites(func() error {
		select {
		case writes <- struct{}{}:
		default:
		}
		return errors.New("no space left on device")
	})
	var sess *session.Session
	e := engine.New(engine.Config{Runtime: h.cfg.Runtime, Journal: j, InstallationID: "i", Total: engine.Resources{CPU: 2048, Memory: 4096},
		OnReport: func(arn string) { sess.NotifyReport(arn) }})
	sess, err = session.New(session.Config{Server: h.plane.URL, Region: "us-east-1", Cluster: "default", Credentials: h.cfg.Credentials,
		Version: "test", Engine: e, Journal: j})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Load(); err != nil {
		t.Fatal(err)
	}
	id := sess.Identity()
	if err := sess.RestoreIdentity(id); err != nil || id.InstanceArn != instance {
		t.Fatalf("%+v, %v", id, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	if err := e.Run(ctx); err != nil {
		t.Fatal(err)
	}
	var done sync.WaitGroup
	done.Go(func() {
		if err := sess.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		cancel()
		done.Wait()
		e.Close()
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
	if again := h.plane.WaitInstance(2); again != instance {
		t.Errorf("registered as %s, was %s", again, instance)
	}
	refused := h.plane.Order(instance, simulatedTask("new"), acs.Task{Arn: "stops", DesiredStatus: acs.StatusStopped})
	h.plane.WaitReport("stops", acs.StatusStopped)
	// Orders are taken one after the other: the journal has been given those of refused
	// once a later one is carried out.
	h.plane.Order(instance, acs.Task{Arn: "stops later", DesiredStatus: acs.StatusStopped})
	h.plane.WaitReport("stops later", acs.StatusStopped)
	for len(writes) > 0 {
		<-writes
	}
	for range 2 { // the first may have begun before that
		<-writes
	}
	j.FailWrites(nil)
	again := h.plane.Order(instance, simulatedTask("new"), acs.Task{Arn: "stops", DesiredStatus: acs.StatusStopped})
	agenttest.WaitMessage(h.plane, func(m *acs.AckRequest) bool { return m.MessageID == again })
	h.plane.WaitReport("new", acs.StatusRunning)
	agenttest.Wait(h.plane, "all that was said", func() (struct{}, bool) {
		for _, s := range h.plane.SubmissionsLocked() {
			if s.Task == "runs" && s.Status != acs.StatusRunning {
				t.Errorf("%+v", s)
			}
		}
		return struct{}{}, true
	})
	if h.plane.IsAcknowledged(refused) {
		t.Error("acknowledged without a journal")
	}
}
