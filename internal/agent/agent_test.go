package agent_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/agent"
	"github.com/ashore/ashore/internal/agent/agenttest"
	"github.com/ashore/ashore/internal/agent/engine"
	"github.com/ashore/ashore/internal/agent/session"
	"github.com/ashore/ashore/internal/wire/acs"
	"github.com/ashore/ashore/internal/wire/tcs"
)

// host is a folder in which agents run, one after the other.
type host struct {
	t     *testing.T
	plane *agenttest.Plane
	image string
	cfg   agent.Config
	id    string
}

func newHost(t *testing.T) *host {
	t.Helper()
	h := &host{t: t, plane: agenttest.NewPlane(t)}
	d := agenttest.Docker(t)
	h.image = agenttest.Image(t, d)
	h.id = agenttest.Installation(t, d, engine.LabelInstallation)
	h.cfg = agent.Config{
		Dir: t.TempDir(), Version: "test",
		Settings: &agent.Settings{Server: h.plane.URL, Cluster: "default", InstallationID: h.id, Region: "us-east-1", Account: "000000000000"},
		Credentials: func() (session.Credentials, error) {
			return session.Credentials{AccessKeyID: "AK", SecretAccessKey: "SK"}, nil
		},
		Log:    slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo})),
		Getenv: func(string) string { return "" },
	}
	return h
}

// start runs an agent and returns a function that stops it.
func (h *host) start() (stop func()) {
	h.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- agent.Agent{Config: h.cfg}.Run(ctx) }()
	ended := false
	stop = func() {
		if ended {
			return
		}
		ended = true
		cancel()
		select {
		case err := <-done:
			if err != nil {
				h.t.Errorf("agent: %v", err)
			}
		case <-time.After(30 * time.Second):
			h.t.Error("the agent does not end")
		}
	}
	h.t.Cleanup(stop)
	return stop
}

func taskArn() string { return "arn:aws:ecs:us-east-1:000000000000:task/default/" + agenttest.Hex(16) }

func (h *host) task(command ...string) acs.Task {
	return acs.Task{
		Arn: taskArn(), DesiredStatus: acs.StatusRunning, Family: "fam", Version: "1",
		Containers: []acs.Container{{Name: "main", Image: h.image, Essential: true, Memory: 32, Command: command}},
	}
}

// server returns a task that answers on a port. Once it answers, it also obeys signals.
func (h *host) server() acs.Task {
	task := h.task("http", "80", "sleep", "60")
	task.Containers[0].PortMappings = []acs.PortMapping{{ContainerPort: 80}}
	return task
}

// up waits for such a task and returns its container's id.
func (h *host) up(arn string) string {
	h.t.Helper()
	c := h.plane.WaitReport(arn, acs.StatusRunning).Containers[0]
	fetch(h.t, c.NetworkBindings[0].HostPort)
	return c.RuntimeID
}

func TestOneTaskFromOrderToEnd(t *testing.T) {
	h := newHost(t)
	h.plane.Extensions = true
	h.start()
	instance := h.plane.WaitInstance(1)
	task := h.server()
	task.RoleCredentials = &acs.Credentials{CredentialsID: "cid", AccessKeyID: "never-journaled", SecretAccessKey: "never-journaled"}
	id := h.plane.Order(instance, task)
	agenttest.WaitMessage(h.plane, func(m *acs.AckRequest) bool { return m.MessageID == id })
	agenttest.WaitMessage(h.plane, func(m *acs.IAMRoleCredentialsAckRequest) bool { return m.CredentialsID == "cid" })
	agenttest.WaitMessage(h.plane, func(m *acs.InventoryMessage) bool { return m.ContainerInstanceArn == instance })
	r := h.plane.WaitReport(task.Arn, acs.StatusRunning)
	if len(r.Containers) != 1 || len(r.Containers[0].NetworkBindings) != 1 {
		t.Fatalf("%+v", r)
	}
	if page := fetch(t, r.Containers[0].NetworkBindings[0].HostPort); page != "hello\n" {
		t.Errorf("page: %q", page)
	}
	h.plane.Order(instance, acs.Task{Arn: task.Arn, DesiredStatus: acs.StatusStopped})
	r = h.plane.WaitReport(task.Arn, acs.StatusStopped)
	if c := r.Containers[0]; c.ExitCode == nil || *c.ExitCode != 143 || r.ExecutionStoppedAt == 0 {
		t.Errorf("%+v", r)
	}
	// An order to start it again has no effect except another report. If the first
	// report is still being delivered, that one is the answer.
	for unreported := -1.0; unreported != 0; {
		_, state := h.control("GET", "/v1/state", nil)
		unreported = state["tasks"].([]any)[0].(map[string]any)["unreported"].(float64)
	}
	n := len(h.plane.Submissions())
	h.plane.Order(instance, task)
	agenttest.Wait(h.plane, "a repeated report", func() (struct{}, bool) { return struct{}{}, len(h.plane.SubmissionsLocked()) > n })
	if last := h.plane.Submissions()[n]; last.Status != acs.StatusStopped {
		t.Errorf("%+v", last)
	}
	data, err := os.ReadFile(filepath.Join(h.cfg.Dir, agent.JournalFile))
	if err != nil || bytes.Contains(data, []byte("never-journaled")) {
		t.Errorf("credentials in the journal (%v)", err)
	}
	agenttest.WaitTelemetry(h.plane, func(m *tcs.PublishMetricsRequest) bool { return m.Metadata.ContainerInstance == instance })
}

// fetch gets a page from a container that may not listen yet.
func fetch(t *testing.T, port int) string {
	t.Helper()
	var lastErr error
	for range 100 {
		res, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/", port))
		if err == nil {
			page, err := io.ReadAll(res.Body)
			res.Body.Close()
			if err != nil {
				t.Fatal(err)
			}
			return string(page)
		}
		lastErr = err
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal(lastErr)
	return ""
}

func TestStopAndStartOfTheAgentLeavesContainersAlone(t *testing.T) {
	h := newHost(t)
	stop := h.start()
	instance := h.plane.WaitInstance(1)
	stays, ends := h.server(), h.server()
	h.plane.Order(instance, stays, ends)
	before, dies := h.up(stays.Arn), h.up(ends.Arn)
	stop()
	h.plane.Disconnect(1000)
	d := agenttest.Docker(t)
	if err := d.Stop(t.Context(), dies, time.Second); err != nil {
		t.Fatal(err)
	}
	h.start()
	if again := h.plane.WaitInstance(2); again != instance {
		t.Errorf("registered as %s, was %s", again, instance)
	}
	if r := h.plane.WaitReport(ends.Arn, acs.StatusStopped); *r.Containers[0].ExitCode != 143 {
		t.Errorf("%+v", r)
	}
	c, err := d.Inspect(t.Context(), before)
	if err != nil || c.Phase != "running" {
		t.Fatalf("%+v %v", c, err)
	}
	for _, q := range h.plane.Queries() {
		if !strings.Contains(q, "sendCredentials=true") {
			t.Errorf("first connection of a process without wish for credentials: %s", q)
		}
	}
	h.plane.Order(instance, acs.Task{Arn: stays.Arn, DesiredStatus: acs.StatusStopped})
	h.plane.WaitReport(stays.Arn, acs.StatusStopped)
}

func TestLostJournalIsRebuiltFromTheEngine(t *testing.T) {
	h := newHost(t)
	stop := h.start()
	instance := h.plane.WaitInstance(1)
	task := h.server()
	h.plane.Order(instance, task)
	h.up(task.Arn)
	stop()
	h.plane.Disconnect(1000)
	if err := os.Remove(filepath.Join(h.cfg.Dir, agent.JournalFile)); err != nil {
		t.Fatal(err)
	}
	h.start()
	if again := h.plane.WaitInstance(2); again != instance {
		t.Fatalf("registered as %s, was %s", again, instance)
	}
	h.plane.Order(instance, acs.Task{Arn: task.Arn, DesiredStatus: acs.StatusStopped})
	if r := h.plane.WaitReport(task.Arn, acs.StatusStopped); *r.Containers[0].ExitCode != 143 {
		t.Errorf("%+v", r)
	}
}

func (h *host) control(method, path string, body any) (int, map[string]any) {
	h.t.Helper()
	c := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(h.cfg.Dir, agent.SocketFile))
	}}}
	defer c.CloseIdleConnections()
	data, _ := json.Marshal(body)
	req, err := http.NewRequest(method, "http://agent"+path, bytes.NewReader(data))
	if err != nil {
		h.t.Fatal(err)
	}
	res, err := c.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer res.Body.Close()
	var out map[string]any
	if err := json.NewDecoder(res.Body).Decode(&out); err != nil {
		h.t.Fatal(err)
	}
	return res.StatusCode, out
}

func TestMoveRegistersAnIdleHostAnew(t *testing.T) {
	h := newHost(t)
	h.plane.Refuse = func(op string, body []byte) string {
		if op == "RegisterContainerInstance" && bytes.Contains(body, []byte(`"nowhere"`)) {
			return "ClusterNotFoundException"
		}
		return ""
	}
	h.start()
	instance := h.plane.WaitInstance(1)
	h.plane.WaitConnected()
	task := h.task("sleep", "60")
	h.plane.Order(instance, task)
	h.plane.WaitReport(task.Arn, acs.StatusRunning)
	if status, out := h.control("POST", "/v1/move", agent.MoveInput{Cluster: "other"}); status != http.StatusConflict {
		t.Errorf("move of a busy host: %d %v", status, out)
	}
	h.plane.Order(instance, acs.Task{Arn: task.Arn, DesiredStatus: acs.StatusStopped})
	h.plane.WaitReport(task.Arn, acs.StatusStopped)
	if status, out := h.control("POST", "/v1/move", agent.MoveInput{Cluster: "nowhere"}); status != http.StatusBadGateway {
		t.Errorf("move to a cluster that is not there: %d %v", status, out)
	}
	// A refused move must leave nothing behind that disturbs the next one.
	for i := range 20 {
		cluster := fmt.Sprint("passing-", i)
		if status, out := h.control("POST", "/v1/move", agent.MoveInput{Cluster: cluster}); status != http.StatusOK || out["cluster"] != cluster {
			t.Fatalf("%d %v", status, out)
		}
		if status, out := h.control("POST", "/v1/move", agent.MoveInput{Cluster: "nowhere"}); status != http.StatusBadGateway {
			t.Fatalf("move to a cluster that is not there: %d %v", status, out)
		}
	}
	status, out := h.control("POST", "/v1/move", agent.MoveInput{Cluster: "other"})
	if status != http.StatusOK || !strings.Contains(fmt.Sprint(out["instanceArn"]), "/other/") {
		t.Fatalf("%d %v", status, out)
	}
	_, state := h.control("GET", "/v1/state", nil)
	if state["cluster"] != "other" || state["instanceArn"] != out["instanceArn"] {
		t.Errorf("%v", state)
	}
	if s, err := agent.ReadSettings(h.cfg.Dir); err != nil || s.Cluster != "other" {
		t.Errorf("%+v %v", s, err)
	}
}

func TestReportsSurviveAServerThatFails(t *testing.T) {
	h := newHost(t)
	h.start()
	instance := h.plane.WaitInstance(1)
	h.plane.WaitConnected()
	failed := 0
	h.plane.Set(func() {
		h.plane.Refuse = func(op string, _ []byte) string {
			if op == "SubmitTaskStateChange" && failed < 3 {
				failed++
				return "ServerException"
			}
			return ""
		}
	})
	task := h.task("exit", "7")
	h.plane.Order(instance, task)
	r := h.plane.WaitReport(task.Arn, acs.StatusStopped)
	if *r.Containers[0].ExitCode != 7 || r.Containers[0].RuntimeID == "" {
		t.Errorf("%+v", r)
	}
	order := ""
	for _, s := range h.plane.Submissions() {
		order += s.Status + " "
	}
	if order != "RUNNING STOPPED " && order != "STOPPED " { // its end may be seen before the answer to its start
		t.Errorf("reports: %s", order)
	}
}

func TestReconnectionAndDeregistration(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.start()
	first := h.plane.WaitInstance(1)
	h.plane.WaitConnected()
	// The connection drops: the agent is back at once, with its credentials.
	h.plane.ForgetConnection()
	queries := agenttest.Wait(h.plane, "a second connection", func() ([]string, bool) { q := h.plane.QueriesLocked(); return q, len(q) >= 2 })
	if !strings.Contains(queries[0], "sendCredentials=true") || !strings.Contains(queries[1], "sendCredentials=false") {
		t.Errorf("%q", queries)
	}
	// The instance is deregistered: the agent is quiet until it is told to register
	// again.
	h.plane.Set(func() {
		h.plane.RefuseUpgrade = func(string) string { return acs.InactiveInstanceException }
	})
	h.plane.ForgetConnection()
	status, out := h.control("POST", "/v1/move", agent.MoveInput{Cluster: "default"})
	if status != http.StatusOK || out["instanceArn"] == first {
		t.Fatalf("%d %v", status, out)
	}
	if n := len(h.plane.Registrations()); n != 2 {
		t.Errorf("%d registrations", n)
	}
	h.plane.Set(func() { h.plane.RefuseUpgrade = nil })
	h.plane.WaitConnected()
}

func TestRegistrationSaysWhatIsTrue(t *testing.T) {
	h := newHost(t)
	refused := 0
	h.plane.Refuse = func(op string, _ []byte) string {
		if op == "RegisterContainerInstance" && refused < 2 {
			refused++
			return "ServerException"
		}
		return ""
	}
	h.cfg.Getenv = func(k string) string {
		return map[string]string{"ECS_INSTANCE_ATTRIBUTES": `{"rack":"r7"}`, "ECS_RESERVED_MEMORY": "100", "ECS_RESERVED_PORTS": "[22]"}[k]
	}
	h.start()
	h.plane.WaitInstance(1)
	r := h.plane.Registrations()[0]
	attributes := map[string]string{}
	for _, a := range r["attributes"].([]any) {
		m := a.(map[string]any)
		v, _ := m["value"].(string)
		attributes[m["name"].(string)] = v
	}
	for k, v := range map[string]string{"rack": "r7", "ecs.os-type": "linux", "ecs.capability.external": "", "com.amazonaws.ecs.capability.logging-driver.json-file": ""} {
		if got, ok := attributes[k]; !ok || got != v {
			t.Errorf("%s is %q (%v)", k, got, ok)
		}
	}
	for _, k := range []string{"ecs.capability.task-eni", "com.amazonaws.ecs.capability.ecr-auth", "ecs.capability.secrets.ssm.environment-variables", "ecs.capability.env-files.s3"} {
		if _, ok := attributes[k]; ok {
			t.Errorf("%s is claimed", k)
		}
	}
	resources := fmt.Sprint(r["totalResources"])
	for _, name := range []string{"CPU", "MEMORY", "PORTS", "PORTS_UDP"} {
		if !strings.Contains(resources, "name:"+name) {
			t.Errorf("no %s in %s", name, resources)
		}
	}
	if r["clientToken"] == "" {
		t.Error("no client token")
	}
}

func TestRefusedInstanceOfAnIdleHostIsGivenUp(t *testing.T) {
	h := newHost(t)
	stop := h.start()
	first := h.plane.WaitInstance(1)
	h.plane.WaitConnected()
	stop()
	h.plane.Set(func() {
		h.plane.Refuse = func(op string, body []byte) string {
			if op == "RegisterContainerInstance" && bytes.Contains(body, []byte(first)) {
				return "InvalidParameterException"
			}
			return ""
		}
	})
	h.start()
	if again := h.plane.WaitInstance(2); again == first {
		t.Errorf("registered as %s again", again)
	}
}

// If the cluster does not exist, that says nothing about the instance. The agent keeps its
// instance, and creates the cluster "default" on demand. For a registration ECS uses
// another error type than for other calls.
func TestClusterIsMissingAtRegistration(t *testing.T) {
	for _, refusal := range []string{"ClientException: Cluster not found.", "ClusterNotFoundException: Cluster not found."} {
		h := newHost(t)
		stop := h.start()
		first := h.plane.WaitInstance(1)
		h.plane.WaitConnected()
		stop()
		made := make(chan struct{})
		var gone, anew bool
		h.plane.Set(func() {
			h.plane.Refuse = func(op string, body []byte) string {
				switch {
				case op == "CreateCluster" && !gone:
					gone = true
					close(made)
				case op == "RegisterContainerInstance" && !gone:
					anew = anew || !bytes.Contains(body, []byte(first))
					return refusal
				}
				return ""
			}
		})
		h.start()
		select {
		case <-made:
		case <-time.After(20 * time.Second):
			t.Fatalf("%s: the cluster is not asked for", refusal)
		}
		if again := h.plane.WaitInstance(2); again != first || anew {
			t.Errorf("%s: registered as %s, before that as %s; as another instead: %v", refusal, again, first, anew)
		}
	}
}

// A build that is not a release also has a version that can be compared.
func TestAgentsVersionIsOne(t *testing.T) {
	h := newHost(t)
	h.cfg.Version = "e8239a0"
	h.start()
	h.plane.WaitConnected()
	for _, q := range h.plane.Queries() {
		if !strings.Contains(q, "agentVersion=0.0.0-e8239a0&") {
			t.Errorf("it connects with %s", q)
		}
	}
}
