package agenttest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/ashore/ashore/internal/wire/acs"
	"github.com/ashore/ashore/internal/wire/tcs"
)

// Submitted is the input of a SubmitTaskStateChange.
type Submitted struct {
	Cluster            string
	Task               string
	Status             string
	Reason             string
	PullStartedAt      float64
	ExecutionStoppedAt float64
	Containers         []struct {
		ContainerName   string
		RuntimeID       string `json:"runtimeId"`
		Status          string
		ExitCode        *int
		ImageDigest     string
		Reason          string
		NetworkBindings []struct {
			BindIP        string
			ContainerPort int
			HostPort      int
			Protocol      string
		}
	}
}

// Plane is a simulated control plane. It records what an agent sends. Tests can answer,
// order tasks and inject faults.
type Plane struct {
	*httptest.Server
	t testing.TB

	// Refuse, if set, returns the error with which an operation is answered: "" for
	// none, a code, or "Code: message".
	Refuse func(operation string, body []byte) string
	// RefuseUpgrade, if set, returns the name of the error that refuses a websocket, or
	// "".
	RefuseUpgrade func(path string) string
	Extensions    bool
	Accounts      bool // the state was restored, so inventories have full accounts
	// Reports, if set, makes reports come by the connection for orders, and returns the
	// answer; nil means no answer.
	Reports func(*acs.ReportMessage) *acs.ReportAck

	mu         sync.Mutex
	registered []map[string]any
	submitted  []Submitted
	changed    chan struct{} // closed and replaced at each change
	received   []acs.Message
	telemetry  []tcs.Message
	conn       *websocket.Conn
	upgrades   []http.Header
	queries    []string
	instances  int
	seq        int64
}

// NewPlane starts a plane. It is closed when the test ends.
func NewPlane(t testing.TB) *Plane {
	p := &Plane{t: t, changed: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /", p.serveAPI)
	mux.HandleFunc("GET /acs/ws", p.serveACS)
	mux.HandleFunc("GET /tcs/ws", p.serveTCS)
	p.Server = httptest.NewServer(mux)
	t.Cleanup(func() {
		p.Disconnect(websocket.StatusGoingAway)
		p.CloseClientConnections()
		p.Close()
	})
	return p
}

func (p *Plane) notifyLocked() {
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *Plane) serveAPI(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	p.mu.Lock()
	refuse := p.Refuse
	p.mu.Unlock()
	if refuse != nil {
		if code := refuse(operation, body); code != "" {
			status := http.StatusBadRequest
			if code == "ServerException" {
				status = http.StatusInternalServerError
			}
			w.WriteHeader(status)
			code, message, said := strings.Cut(code, ": ")
			if !said {
				message = "refused by the test"
			}
			fmt.Fprintf(w, `{"__type":%q,"message":%q}`, code, message)
			return
		}
	}
	if !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential=") {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"__type":"MissingAuthenticationTokenException","message":"unsigned"}`)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch operation {
	case "RegisterContainerInstance":
		var in map[string]any
		if err := json.Unmarshal(body, &in); err != nil {
			p.t.Error(err)
		}
		arn, _ := in["containerInstanceArn"].(string)
		if arn == "" {
			p.instances++
			arn = fmt.Sprintf("arn:aws:ecs:us-east-1:000000000000:container-instance/%s/%032d", in["cluster"], p.instances)
		}
		p.registered = append(p.registered, in)
		json.NewEncoder(w).Encode(map[string]any{"containerInstance": map[string]any{"containerInstanceArn": arn, "attributes": in["attributes"]}})
	case "DiscoverPollEndpoint":
		json.NewEncoder(w).Encode(map[string]any{"endpoint": p.URL + "/acs", "telemetryEndpoint": p.URL + "/tcs/"})
	case "SubmitTaskStateChange":
		var in Submitted
		if err := json.Unmarshal(body, &in); err != nil {
			p.t.Error(err)
		}
		p.submitted = append(p.submitted, in)
		fmt.Fprint(w, "{}")
	default:
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"__type":"ClientException","message":"not here"}`)
	}
	p.notifyLocked()
}

func (p *Plane) refuseUpgrade(w http.ResponseWriter, r *http.Request) bool {
	p.mu.Lock()
	refuse := p.RefuseUpgrade
	p.mu.Unlock()
	if refuse == nil {
		return false
	}
	name := refuse(r.URL.Path)
	if name == "" {
		return false
	}
	w.WriteHeader(http.StatusBadRequest)
	w.Write(acs.Refusal(name, "refused by the test"))
	return true
}

func (p *Plane) serveACS(w http.ResponseWriter, r *http.Request) {
	if p.refuseUpgrade(w, r) {
		return
	}
	if p.Extensions {
		w.Header().Add(acs.ExtensionsHeader, acs.ExtensionsVersion)
	}
	if p.Accounts {
		w.Header().Add(acs.ExtensionsHeader, acs.AccountsVersion)
	}
	if p.Reports != nil {
		w.Header().Add(acs.ExtensionsHeader, acs.ReportsVersion)
	}
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	conn.SetReadLimit(32 << 20)
	p.mu.Lock()
	p.conn = conn
	p.queries = append(p.queries, r.URL.RawQuery)
	p.upgrades = append(p.upgrades, r.Header.Clone())
	p.notifyLocked()
	p.mu.Unlock()
	for {
		_, data, err := conn.Read(context.Background())
		if err != nil {
			return
		}
		m, err := acs.Decode(data)
		p.mu.Lock()
		if err != nil {
			p.t.Error(err)
		} else {
			p.received = append(p.received, m)
		}
		p.notifyLocked()
		p.mu.Unlock()
		if r, ok := m.(*acs.ReportMessage); ok {
			if ack := p.Reports(r); ack != nil {
				data, err := acs.Encode(ack)
				if err == nil {
					err = conn.Write(context.Background(), websocket.MessageText, data)
				}
				if err != nil {
					return // the test has closed it
				}
			}
		}
	}
}

func (p *Plane) serveTCS(w http.ResponseWriter, r *http.Request) {
	if p.refuseUpgrade(w, r) {
		return
	}
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	for {
		_, data, err := conn.Read(context.Background())
		if err != nil {
			return
		}
		header, body, err := tcs.Split(data)
		if err == nil && header.Get("Authorization") == "" {
			err = fmt.Errorf("unsigned frame")
		}
		var m tcs.Message
		if err == nil {
			m, err = tcs.Decode(body)
		}
		p.mu.Lock()
		if err != nil {
			p.t.Error(err)
		} else {
			p.telemetry = append(p.telemetry, m)
		}
		p.notifyLocked()
		p.mu.Unlock()
		if ack, err := tcs.Encode(&tcs.AckPublishMetric{}); err == nil {
			conn.Write(context.Background(), websocket.MessageText, ack)
		}
	}
}

// Disconnect closes the connection for orders.
func (p *Plane) Disconnect(code websocket.StatusCode) {
	p.mu.Lock()
	line := p.conn
	p.conn = nil
	p.mu.Unlock()
	if line != nil {
		line.Close(code, "dropped by the test")
	}
}

// Set changes the plane's settings under its lock.
func (p *Plane) Set(fn func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fn()
}

// Wait waits until check returns true. check is called with the plane locked.
func Wait[T any](p *Plane, what string, check func() (T, bool)) T {
	p.t.Helper()
	limit := time.After(60 * time.Second)
	for {
		p.mu.Lock()
		v, ok := check()
		changed := p.changed
		p.mu.Unlock()
		if ok {
			return v
		}
		select {
		case <-changed:
		case <-limit:
			p.t.Fatalf("waited for %s in vain; submitted: %+v", what, p.submitted)
		}
	}
}

// WaitConnected waits for a connection for orders.
func (p *Plane) WaitConnected() {
	p.t.Helper()
	Wait(p, "a connection", func() (struct{}, bool) { return struct{}{}, p.conn != nil })
}

// Send sends a message to the agent.
func (p *Plane) Send(m acs.Message) {
	p.t.Helper()
	p.WaitConnected()
	data, err := acs.Encode(m)
	if err != nil {
		p.t.Fatal(err)
	}
	p.mu.Lock()
	line := p.conn
	p.mu.Unlock()
	if err := line.Write(context.Background(), websocket.MessageText, data); err != nil {
		p.t.Fatal(err)
	}
}

// Order sends tasks and returns the message's id.
func (p *Plane) Order(instance string, tasks ...acs.Task) string {
	p.t.Helper()
	p.mu.Lock()
	p.seq++
	seq := p.seq
	p.mu.Unlock()
	id := Hex(8)
	p.Send(&acs.PayloadMessage{MessageID: id, ClusterArn: "cluster", ContainerInstanceArn: instance, SeqNum: seq, Tasks: tasks})
	return id
}

// WaitInstance waits for the n-th registration and returns its ARN.
func (p *Plane) WaitInstance(n int) string {
	p.t.Helper()
	return Wait(p, "registration", func() (string, bool) {
		if len(p.registered) < n {
			return "", false
		}
		in := p.registered[n-1]
		if arn, _ := in["containerInstanceArn"].(string); arn != "" {
			return arn, true
		}
		return fmt.Sprintf("arn:aws:ecs:us-east-1:000000000000:container-instance/%s/%032d", in["cluster"], p.instances), true
	})
}

// WaitReport waits for a report of a task with a status.
func (p *Plane) WaitReport(task, status string) Submitted {
	p.t.Helper()
	return Wait(p, status+" of "+task, func() (Submitted, bool) {
		for _, s := range p.submitted {
			if s.Task == task && s.Status == status {
				return s, true
			}
		}
		return Submitted{}, false
	})
}

// WaitMessage waits for a message of the agent for which fits is true.
func WaitMessage[M acs.Message](p *Plane, fits func(M) bool) M {
	p.t.Helper()
	var zero M
	return Wait(p, "a "+acs.TypeOf(zero), func() (M, bool) {
		for _, m := range p.received {
			if m, ok := m.(M); ok && fits(m) {
				return m, true
			}
		}
		return zero, false
	})
}

// WaitTelemetry waits for a telemetry message for which fits is true.
func WaitTelemetry[M tcs.Message](p *Plane, fits func(M) bool) M {
	p.t.Helper()
	var zero M
	return Wait(p, "a "+tcs.TypeOf(zero), func() (M, bool) {
		for _, m := range p.telemetry {
			if m, ok := m.(M); ok && fits(m) {
				return m, true
			}
		}
		return zero, false
	})
}

// IsAcknowledged reports whether the agent has acknowledged a message.
func (p *Plane) IsAcknowledged(message string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.ContainsFunc(p.received, func(m acs.Message) bool {
		ack, ok := m.(*acs.AckRequest)
		return ok && ack.MessageID == message
	})
}

// Queries returns the queries of the connections for orders so far.
func (p *Plane) Queries() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.queries...)
}

// Registrations returns the registrations so far.
func (p *Plane) Registrations() []map[string]any {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]map[string]any(nil), p.registered...)
}

// Submissions returns the submitted reports so far.
func (p *Plane) Submissions() []Submitted {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Submitted(nil), p.submitted...)
}

// SubmissionsLocked is Submissions for use inside Wait, where the plane is locked.
func (p *Plane) SubmissionsLocked() []Submitted { return p.submitted }

// ForgetConnection drops the connection of an agent that was killed. So the next order
// waits for a new connection.
func (p *Plane) ForgetConnection() {
	p.mu.Lock()
	line := p.conn
	p.conn = nil
	p.mu.Unlock()
	if line != nil {
		line.CloseNow()
	}
}

// QueriesLocked is Queries for use inside Wait.
func (p *Plane) QueriesLocked() []string { return append([]string(nil), p.queries...) }
