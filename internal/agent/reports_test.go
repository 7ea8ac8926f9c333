package agent_test

import (
	"log/slog"
	"slices"
	"sync"
	"testing"

	"github.com/ashore/ashore/internal/agent"
	"github.com/ashore/ashore/internal/agent/agenttest"
	"github.com/ashore/ashore/internal/agent/runtime/fake"
	"github.com/ashore/ashore/internal/agent/session"
	"github.com/ashore/ashore/internal/wire/acs"
	"github.com/coder/websocket"
)

// simulated is a host without an engine.
func simulated(t *testing.T, prepare func(*agenttest.Plane)) *host {
	t.Helper()
	h := &host{t: t, plane: agenttest.NewPlane(t)}
	h.plane.Set(func() { prepare(h.plane) })
	h.cfg = agent.Config{
		Dir: t.TempDir(), Version: "test", Runtime: fake.New(fake.Config{}), NoSocket: true,
		Settings: &agent.Settings{Server: h.plane.URL, Cluster: "default", InstallationID: "i", Region: "us-east-1", Account: "000000000000"},
		Credentials: func() (session.Credentials, error) {
			return session.Credentials{AccessKeyID: "AK", SecretAccessKey: "SK"}, nil
		},
		Log:    slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo})),
		Getenv: func(string) string { return "" },
	}
	return h
}

func simulatedTask(arn string) acs.Task {
	return acs.Task{Arn: arn, DesiredStatus: acs.StatusRunning, Family: "f", Version: "1",
		Containers: []acs.Container{{Name: "main", Image: "i", Essential: true, Memory: 4}}}
}

// Reports go by the connection if the server accepts them there. They go in order, each
// until it is answered. Refused reports go by API calls, and so does everything while
// there is no connection.
func TestReportsByTheConnection(t *testing.T) {
	var mu sync.Mutex
	got := map[string][]string{} // task → statuses by the connection
	silent, refuse := true, ""
	h := simulated(t, func(p *agenttest.Plane) {
		p.Extensions = true
		p.Reports = func(m *acs.ReportMessage) *acs.ReportAck {
			mu.Lock()
			defer mu.Unlock()
			if silent {
				return nil
			}
			ack := &acs.ReportAck{MessageID: m.MessageID}
			for _, r := range m.Reports {
				if r.TaskArn == refuse {
					ack.Refused = append(ack.Refused, r.TaskArn)
					continue
				}
				got[r.TaskArn] = append(got[r.TaskArn], r.Status)
			}
			return ack
		}
		// Until the connection is back, API calls fail too.
		p.Refuse = func(operation string, _ []byte) string {
			mu.Lock()
			defer mu.Unlock()
			if operation == "SubmitTaskStateChange" && silent {
				return "ServerException"
			}
			return ""
		}
	})
	h.start()
	instance := h.plane.WaitInstance(1)
	first, second, odd := taskArn(), taskArn(), taskArn()
	h.plane.Order(instance, simulatedTask(first), simulatedTask(second))
	// The server has the report, and the answer is lost with the connection.
	agenttest.WaitMessage(h.plane, func(*acs.ReportMessage) bool { return true })
	mu.Lock()
	silent = false
	mu.Unlock()
	h.plane.Disconnect(websocket.StatusInternalError)
	said := func(task, status string) {
		t.Helper()
		agenttest.Wait(h.plane, status+" of "+task, func() (struct{}, bool) {
			mu.Lock()
			defer mu.Unlock()
			if slices.Contains(got[task], status) {
				return struct{}{}, true
			}
			for _, s := range h.plane.SubmissionsLocked() {
				if s.Task == task && s.Status == status {
					return struct{}{}, true
				}
			}
			return struct{}{}, false
		})
	}
	said(first, acs.StatusRunning)
	said(second, acs.StatusRunning)
	h.plane.WaitConnected()
	mu.Lock()
	refuse = odd
	mu.Unlock()
	h.plane.Order(instance, simulatedTask(odd))
	if r := h.plane.WaitReport(odd, acs.StatusRunning); len(r.Containers) != 1 { // by an API call
		t.Errorf("%+v", r)
	}
	stop := func(arn string) acs.Task { return acs.Task{Arn: arn, DesiredStatus: acs.StatusStopped} }
	h.plane.Order(instance, stop(first), stop(second), stop(odd))
	h.plane.WaitReport(odd, acs.StatusStopped)
	said(first, acs.StatusStopped)
	said(second, acs.StatusStopped)
	mu.Lock()
	defer mu.Unlock()
	for _, task := range []string{first, second} {
		for i, s := range got[task] {
			if s == acs.StatusStopped && i < len(got[task])-1 {
				t.Errorf("%s: %v", task, got[task])
			}
		}
	}
	if len(got[odd]) > 0 {
		t.Errorf("taken though refused: %v", got[odd])
	}
}
