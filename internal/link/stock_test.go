package link

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/identity"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/coder/websocket"
)

// stock simulates amazon-ecs-agent 1.105.1. Its messages have the members, the order and
// the spelling that were seen on the wire, and use none of our encoders. It only handles
// messages for which that agent has a handler.
type stock struct {
	t        testing.TB
	acs, tcs *websocket.Conn
	cluster  string // as configured; the sockets carry it verbatim
	instance string // ARN
}

const stockVersion = "agentHash=a8b3e7d3&agentVersion=1.105.1"

func stockAgent(t testing.TB, s *server, cluster, id string) *stock {
	t.Helper()
	a := &stock{t: t, cluster: cluster, instance: site.InstanceARN("c", id)}
	escaped := strings.NewReplacer(":", "%3A", "/", "%2F").Replace(a.instance)
	name := strings.NewReplacer(":", "%3A", "/", "%2F").Replace(cluster)
	a.tcs = a.dial(s, "/tcs/ws?"+stockVersion+"&cluster="+name+"&containerInstance="+escaped+"&dockerVersion=20.10.24%2Bdfsg1")
	a.acs = a.dial(s, "/acs/ws?"+stockVersion+"&clusterArn="+name+"&containerInstanceArn="+escaped+
		"&dockerVersion=DockerVersion%3A+20.10.24%2Bdfsg1&protocolVersion=2&sendCredentials=true&seqNum=1")
	return a
}

func (a *stock) dial(s *server, path string) *websocket.Conn {
	a.t.Helper()
	conn, _, err := websocket.Dial(a.t.Context(), strings.Replace(s.http.URL, "http", "ws", 1)+path, &websocket.DialOptions{
		HTTPHeader: http.Header{"User-Agent": {"Go-http-client/1.1"}}, CompressionMode: websocket.CompressionDisabled,
	})
	if err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(func() { conn.CloseNow() })
	return conn
}

func (a *stock) say(conn *websocket.Conn, format string, args ...any) {
	a.t.Helper()
	if err := conn.Write(a.t.Context(), websocket.MessageText, fmt.Appendf(nil, format, args...)); err != nil {
		a.t.Fatal(err)
	}
}

// measure sends a telemetry message as the agent does, signed by a block of header lines.
func (a *stock) measure(format string, args ...any) {
	a.t.Helper()
	a.say(a.tcs, "Authorization: AWS4-HMAC-SHA256 Credential=AKIA/20261122/us-east-1/ecs/aws4_request, SignedHeaders=host;x-amz-date, Signature=9e23\r\n"+
		"Host: 127.0.0.1:4700\r\nX-Amz-Date: 20261122T100112Z\r\n\r\n"+format, args...)
}

// stockHandles are the messages for which the agent has a handler and which this server
// may send.
var stockHandles = []string{"HeartbeatMessage", "PayloadMessage", "TaskManifestMessage", "TaskStopVerificationAck"}

// hear returns the next message on the socket for orders, and acknowledges it as the agent
// does.
func (a *stock) hear() (kind string, m map[string]any) {
	a.t.Helper()
	kind, m = a.read(a.acs)
	if !slices.Contains(stockHandles, kind) {
		a.t.Fatalf("the stock agent has no handler for %s: %v", kind, m)
	}
	switch kind {
	case "HeartbeatMessage":
		a.say(a.acs, `{"type":"HeartbeatAckRequest","message":{"messageId":%q}}`, m["messageId"])
	case "PayloadMessage", "TaskManifestMessage":
		// Without these members the agent logs an error and answers nothing.
		for _, k := range []string{"messageId", "clusterArn", "containerInstanceArn"} {
			if s, _ := m[k].(string); s == "" {
				a.t.Fatalf("no %s in %v", k, m)
			}
		}
		a.say(a.acs, `{"type":"AckRequest","message":{"cluster":%q,"containerInstance":%q,"messageId":%q}}`,
			m["clusterArn"], m["containerInstanceArn"], m["messageId"])
	}
	return kind, m
}

// read returns the next message on a socket.
func (a *stock) read(conn *websocket.Conn) (kind string, m map[string]any) {
	a.t.Helper()
	ctx, cancel := context.WithTimeout(a.t.Context(), patience)
	defer cancel()
	_, data, err := conn.Read(ctx)
	if err != nil {
		a.t.Fatal(err)
	}
	var frame struct {
		Type    string         `json:"type"`
		Message map[string]any `json:"message"`
	}
	if err := json.Unmarshal(data, &frame); err != nil {
		a.t.Fatalf("%s: %v", data, err)
	}
	return frame.Type, frame.Message
}

// tasks returns the tasks of the next message, by ARN, with their desired status.
func (a *stock) tasks(kind string) (list map[string]string, m map[string]any) {
	a.t.Helper()
	got, m := a.hear()
	if got != kind {
		a.t.Fatalf("got a %s, want a %s", got, kind)
	}
	list = map[string]string{}
	for _, v := range m["tasks"].([]any) {
		task := v.(map[string]any)
		arn, ok := task["arn"].(string)
		if !ok {
			arn = task["taskArn"].(string)
		}
		list[arn] = task["desiredStatus"].(string) // the agent panics without it
	}
	return list, m
}

func (a *stock) acknowledged() string {
	a.t.Helper()
	kind, _ := a.read(a.tcs)
	return kind
}

// A stock agent's day: orders, stops, health, and a restart during which a task was
// stopped. Its reports come by API calls, so the test just stores them.
func TestAStockAgent(t *testing.T) {
	t.Parallel()
	for _, cluster := range []string{"c", site.ClusterARN("c")} {
		w := newWorld(t)
		st := w.store(store.Config{Sole: true})
		seed(t, st)
		s, inst := w.server("s1", st, func(c *Config) { c.Heartbeat = time.Hour }), instance(t, st)
		s.caller = identity.Principal{Kind: identity.Host, ARN: "host-" + inst}
		a := stockAgent(t, s, cluster, inst)
		if _, m := a.tasks("TaskManifestMessage"); m["timeline"].(float64) <= 0 {
			t.Errorf("manifest %v: the agent drops one that is not newer than what it knows", m)
		}
		rec := st.Snapshot().Session("c", inst)
		if rec == nil || rec.AgentVersion != "1.105.1" || rec.AgentHash != "a8b3e7d3" || rec.Docker != "20.10.24+dfsg1" {
			t.Errorf("session record %+v", rec)
		}

		stays, goes := withContainer(t, st, inst), withContainer(t, st, inst)
		ordered := map[string]string{}
		for len(ordered) < 2 {
			list, _ := a.tasks("PayloadMessage")
			for arn, status := range list {
				ordered[arn] = status
			}
		}
		if ordered[site.TaskARN("c", stays)] != "RUNNING" || ordered[site.TaskARN("c", goes)] != "RUNNING" {
			t.Errorf("ordered %v", ordered)
		}
		submit(t, st, stays, fleet.TaskRunning)
		submit(t, st, goes, fleet.TaskRunning)
		a.telemetry(s, st, inst, stays)

		// The agent is killed, and a task is stopped meanwhile. The agent comes back
		// with both tasks. It learns of the stop by the manifest, whose number is
		// greater than any before.
		a.acs.CloseNow()
		eventually(t, "the server sees the end", func() bool { return st.Snapshot().Session("c", inst) == nil })
		stop(t, st, goes)
		a = stockAgent(t, s, cluster, inst)
		list, m := a.tasks("TaskManifestMessage")
		if len(list) != 2 || list[site.TaskARN("c", stays)] != "RUNNING" || list[site.TaskARN("c", goes)] != "STOPPED" {
			t.Errorf("manifest %v", list)
		}
		a.say(a.acs, `{"type":"TaskStopVerificationMessage","message":{"messageId":%q,"stopCandidates":[{"desiredStatus":"STOPPED","taskArn":%q,"taskClusterArn":%q}]}}`,
			m["messageId"], site.TaskARN("c", goes), site.ClusterARN("c"))
		verified, told := false, false
		for !verified || !told {
			switch kind, got := a.hear(); kind {
			case "TaskStopVerificationAck":
				verified = true
				stops, _ := got["stopTasks"].([]any)
				if got["messageId"] != m["messageId"] || len(stops) != 1 || stops[0].(map[string]any)["taskArn"] != site.TaskARN("c", goes) {
					t.Errorf("verified %v", got)
				}
			case "PayloadMessage":
				told = true
				task := got["tasks"].([]any)[0].(map[string]any)
				if len(got["tasks"].([]any)) != 1 || task["arn"] != site.TaskARN("c", goes) || task["desiredStatus"] != "STOPPED" {
					t.Errorf("payload %v", got)
				}
			default:
				t.Fatalf("a %s", kind)
			}
		}
		submit(t, st, goes, fleet.TaskStopped)
		next := task(t, st, inst)
		if list, _ := a.tasks("PayloadMessage"); len(list) != 1 || list[site.TaskARN("c", next)] != "RUNNING" {
			t.Errorf("then %v", list)
		}
	}
}

// The acknowledgement of heartbeats keeps a stock agent connected. Three unanswered
// heartbeats would end the connection.
func TestAStockAgentsHeartbeats(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	st := w.store(store.Config{Sole: true})
	seed(t, st)
	s, inst := w.server("s1", st, func(c *Config) { c.Heartbeat = time.Second }), instance(t, st)
	a := stockAgent(t, s, "c", inst)
	a.tasks("TaskManifestMessage")
	for range 3 {
		if kind, m := a.hear(); kind != "HeartbeatMessage" || m["healthy"] != true {
			t.Fatalf("%s %v", kind, m)
		}
	}
}

// telemetry sends the four kinds of messages of the telemetry socket.
func (a *stock) telemetry(s *server, st *store.Store, inst, task string) {
	a.t.Helper()
	const summary = `{"max":586,"min":266,"overflowMax":0,"overflowMin":0,"overflowSum":0,"sampleCount":5,"sum":2540}`
	arn := site.TaskARN("c", task)
	head := fmt.Sprintf(`"cluster":%q,"containerInstance":%q,"fin":true`, a.cluster, a.instance)
	ask := func(want, format string, args ...any) {
		a.t.Helper()
		a.measure(format, args...)
		if got := a.acknowledged(); got != want {
			a.t.Fatalf("answered by %s, want %s", got, want)
		}
	}
	ask("AckPublishMetric", `{"type":"PublishMetricsRequest","message":{"metadata":{%s,"idle":true,"messageId":"7649edf4-ce82-4173-889b-59fccb759931"},"timestamp":1795341672.753}}`, head)
	ask("AckPublishMetric", `{"type":"PublishMetricsRequest","message":{"metadata":{%s,"idle":false,"messageId":"1f1f9ea8-02c5-4204-a1d1-ec4a6b1f03c7"},"taskMetrics":[{"containerMetrics":[{"containerName":"main",`+
		`"cpuStatsSet":{"max":0.08395741879940033,"min":0.06206172704696655,"sampleCount":4,"sum":0.2828792706131935},"memoryStatsSet":{"max":0,"min":0,"sampleCount":5,"sum":0},`+
		`"networkStatsSet":{"rxBytes":%[2]s,"rxBytesPerSecond":{"max":121.27115631103516,"min":0,"sampleCount":4,"sum":142.23696517944336},"rxDropped":%[2]s,"rxErrors":%[2]s,"rxPackets":%[2]s,`+
		`"txBytes":%[2]s,"txBytesPerSecond":{"max":0,"min":0,"sampleCount":4,"sum":0},"txDropped":%[2]s,"txErrors":%[2]s,"txPackets":%[2]s},`+
		`"storageStatsSet":{"readSizeBytes":%[2]s,"writeSizeBytes":%[2]s},"restartStatsSet":{"restartCount":1}}],`+
		`"taskArn":%[3]q,"taskDefinitionFamily":"f","taskDefinitionVersion":"1"}],"timestamp":1795341702.675}}`, head, summary, arn)
	for _, status := range []types.HealthStatus{"UNKNOWN", "HEALTHY", "UNHEALTHY"} {
		ask("AckPublishHealth", `{"type":"PublishHealthRequest","message":{"metadata":{%s,"messageId":"10af242a-690d-4016-bee8-a41d7b45e9e2"},"tasks":[{"containers":[{"containerName":"main","healthStatus":%q,"statusSince":1795341737.55}],`+
			`"taskArn":%q,"taskDefinitionFamily":"f","taskDefinitionVersion":"1"}],"timestamp":1795341742.674}}`, head, status, arn)
		is := types.HealthStatusUnknown // stored as no entry
		if h := st.Snapshot().Task("c", task).Health; h != nil {
			is = h.Containers[0].Status
		}
		if is != status {
			a.t.Errorf("health is %s, the agent said %s", is, status)
		}
	}
	for _, status := range []string{"INITIALIZING", "OK"} { // the first comes before the first heartbeat
		ask("AckPublishInstanceStatus", `{"type":"PublishInstanceStatusRequest","message":{"metadata":{"cluster":%q,"containerInstance":%q,"requestId":"c69edc27-7a2a-45b1-892b-261515742e7f"},`+
			`"statuses":[{"lastStatusChange":1795341682.672,"lastUpdated":1795341682.672,"status":%q,"type":"ContainerRuntime"}],"timestamp":1795341702.745}}`, a.cluster, a.instance, status)
		if h := st.Snapshot().InstanceHealth("c", inst); h == nil || string(h.Checks[0].Status) != status {
			a.t.Errorf("the host is %+v, the agent said %s", h, status)
		}
	}
}
