package link

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/ashore/ashore/internal/store/storetest"
	"github.com/ashore/ashore/internal/wire/acs"
	"github.com/ashore/ashore/internal/wire/tcs"
	"github.com/coder/websocket"
)

// panicLog is a log that panics at a message. It is the only place at which a test can make a
// session panic.
type panicLog struct {
	slog.Handler
	at []string
}

func (t panicLog) Handle(ctx context.Context, r slog.Record) error {
	for _, text := range t.at {
		if strings.HasPrefix(r.Message, text) {
			panic("trapped at " + text)
		}
	}
	return t.Handler.Handle(ctx, r)
}

func (t panicLog) WithAttrs(a []slog.Attr) slog.Handler {
	return panicLog{t.Handler.WithAttrs(a), t.at}
}

// If a session panics, it ends, and its agent is refused for a while. Another agent's
// session goes on.
func TestSessionThatPanics(t *testing.T) {
	for name, c := range map[string]struct {
		trap   string
		action string
		bad    []byte
	}{
		"in its loop":      {"link: agent refused a message", actionPoll, []byte(`{"type":"NackRequest","message":{"messageId":"x","reason":"no"}}`)},
		"in its reader":    {"link: frame ignored", actionPoll, []byte(`{"type":"Nonsense","message":{}}`)},
		"in its telemetry": {"link: a task's health is left as it is", actionTelemetry, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			st := w.store(store.Config{Sole: true})
			seed(t, st)
			s := w.server("s1", st, func(cfg *Config) { cfg.Log = slog.New(panicLog{cfg.Log.Handler(), []string{c.trap}}) })
			other, inst := instance(t, st), instance(t, st)
			good := connect(t, s, other, manners{})
			next[*acs.TaskManifestMessage](good)
			dial := func() (*websocket.Conn, *http.Response, error) {
				if c.action == actionTelemetry {
					return dialTCS(t.Context(), s, "c", inst)
				}
				return dialACS(t.Context(), s, "c", site.InstanceARN("c", inst))
			}
			conn, _, err := dial()
			if err != nil {
				t.Fatal(err)
			}
			defer conn.CloseNow()
			if c.bad == nil { // the agent reports the health of a task that can't be written
				id := fleet.NewID()
				put(t, st, store.TaskKey("c", id), &fleet.Task{Cluster: "c", ID: id, Instance: inst, Family: "f", Revision: 1, Containers: []fleet.TaskContainer{{Name: "main"}}})
				defer storetest.Spoil(t, w.etcd, st, store.TaskHealthKey("c", id).String())()
				c.bad = health(t, id)
			}
			if err := conn.Write(t.Context(), websocket.MessageText, c.bad); err != nil {
				t.Fatal(err)
			}
			for err == nil {
				_, _, err = conn.Read(t.Context())
			}
			if websocket.CloseStatus(err) != closeRefused || !strings.Contains(err.Error(), errSetAside.Error()) {
				t.Errorf("it ended with %v", err)
			}
			good.expectNoPayload(st, other)
			eventually(t, "it is set aside", func() bool { return s.checkFailures(connectionKey{peer{"c", inst}, c.action}) != nil })
			if _, r, err := dial(); err == nil || r.StatusCode != http.StatusServiceUnavailable {
				t.Errorf("it was let in again at once: %v, %v", r, err)
			}
			eventually(t, "it may come back", func() bool {
				again, _, err := dial()
				if err == nil {
					again.CloseNow()
				}
				return err == nil
			})
		})
	}
}

func health(t *testing.T, task string) []byte {
	t.Helper()
	m := &tcs.PublishHealthRequest{Tasks: []tcs.TaskHealth{{TaskArn: site.TaskARN("c", task), Containers: []tcs.ContainerHealth{{ContainerName: "main", HealthStatus: "HEALTHY"}}}}}
	body, err := tcs.Encode(m)
	if err != nil {
		t.Fatal(err)
	}
	return tcs.WithHeader(http.Header{"Host": {"x"}}, body)
}

// If building an order panics, only that task is affected: it is stopped with a reason.
// The other tasks of its host are sent.
func TestOrderThatPanics(t *testing.T) {
	w := newWorld(t)
	st := w.store(store.Config{Sole: true})
	seed(t, st)
	s, inst := w.server("s1", st), instance(t, st)
	put(t, st, store.TaskDefinitionKey("hollow", 1), &fleet.TaskDefinition{Family: "hollow", Revision: 1})
	a := connect(t, s, inst, manners{})
	bad := fleet.NewID()
	put(t, st, store.TaskKey("c", bad), &fleet.Task{Cluster: "c", ID: bad, Instance: inst, Family: "hollow", Revision: 1})
	good := task(t, st, inst)
	sent := false
	for !sent { // with the stop of the other task, or without
		sent = slices.ContainsFunc(next[*acs.PayloadMessage](a).Tasks, func(t acs.Task) bool { return t.Arn == site.TaskARN("c", good) })
	}
	eventually(t, "it is stopped", func() bool { return st.Snapshot().Task("c", bad).Stop != nil })
	if r := st.Snapshot().Task("c", bad).Stop.Reason; !strings.Contains(r, errUnsendable.Error()) {
		t.Errorf("it says %q", r)
	}
}

// If a record of a task or of a host can't be decoded, nothing is started, stopped,
// acknowledged or disconnected because of it. When the record is readable again,
// everything is as before.
func TestUnreadableRecordsOfAHost(t *testing.T) {
	w := newWorld(t)
	st := w.store(store.Config{Sole: true})
	seed(t, st)
	s, inst := w.server("s1", st), instance(t, st)
	ran, hidden := task(t, st, inst), task(t, st, inst)
	submit(t, st, ran, fleet.TaskRunning)
	submit(t, st, hidden, fleet.TaskRunning)
	mends := []func(){
		storetest.Spoil(t, w.etcd, st, store.TaskReportKey("c", ran).String()),
		storetest.Spoil(t, w.etcd, st, store.TaskKey("c", hidden).String()),
	}
	a := connect(t, s, inst, manners{})
	m := next[*acs.TaskManifestMessage](a)
	a.expectNoPayload(st, inst) // neither is ordered to run
	arn := func(id string) string { return site.TaskARN("c", id) }
	unknown := fleet.NewID()
	a.send(&acs.TaskStopVerificationMessage{MessageID: m.MessageID, StopCandidates: []acs.ManifestTask{{TaskArn: arn(hidden)}, {TaskArn: arn(unknown)}}})
	if ack := next[*acs.TaskStopVerificationAck](a); len(ack.StopTasks) != 1 || ack.StopTasks[0].TaskArn != arn(unknown) {
		t.Errorf("confirmed %+v", ack.StopTasks)
	}
	other := task(t, st, inst)
	next[*acs.PayloadMessage](a)
	a.send(&acs.ReportMessage{MessageID: "r", Reports: []acs.TaskReport{
		{TaskArn: arn(ran), Status: "STOPPED"}, {TaskArn: arn(hidden), Status: "STOPPED"}, {TaskArn: arn(other), Status: "RUNNING"},
	}})
	if ack := next[*acs.ReportAck](a); len(ack.Refused) != 2 {
		t.Errorf("refused are %v", ack.Refused)
	}
	if r := st.Snapshot().Task("c", other).Report; r == nil {
		t.Error("the other report was not taken")
	}

	mends = append(mends, storetest.Spoil(t, w.etcd, st, store.InstanceKey("c", inst).String()))
	stop(t, st, other)
	if p := next[*acs.PayloadMessage](a); p.Tasks[0].DesiredStatus != acs.StatusStopped {
		t.Errorf("the session goes on by %+v", p)
	}
	if _, r, err := dialACS(t.Context(), s, "c", site.InstanceARN("c", inst)); err == nil || r.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("another connection: %v, %v", r, err)
	}
	for _, mend := range mends {
		mend()
	}
	a.expectNoPayload(st, inst)
	if r := st.Snapshot().Task("c", ran).Report; r.Status != fleet.TaskRunning {
		t.Errorf("the report is %+v", r)
	}
}

// While the record of a restore can't be decoded, a host's unknown tasks go on running as
// they do after a restore, and none of its known tasks is ended.
func TestUnreadableRestore(t *testing.T) {
	w := newWorld(t)
	st := w.store(store.Config{Sole: true})
	seed(t, st)
	s, inst := w.server("s1", st), instance(t, st)
	placed, unknown, readable := task(t, st, inst), fleet.NewID(), fleet.NewID()
	put(t, st, store.RestoredKey(), &fleet.Restored{})
	mend := storetest.Spoil(t, w.etcd, st, store.RestoredKey().String())
	a := connect(t, s, inst, manners{})
	next[*acs.TaskManifestMessage](a)
	a.send(inventory(inst, inventoryEntry(unknown)))
	a.expectNoPayload(st, inst)
	if st.Snapshot().Task("c", placed).Stop != nil || st.Snapshot().Task("c", unknown) != nil {
		t.Error("something was done by what can't be read")
	}
	mend()
	a.send(inventory(inst, inventoryEntry(unknown), inventoryEntry(readable)))
	eventually(t, "they are taken over", func() bool {
		return st.Snapshot().Task("c", unknown) != nil && st.Snapshot().Task("c", readable) != nil
	})
}
