package link

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/frontdoor"
	"github.com/ashore/ashore/internal/identity"
	"github.com/ashore/ashore/internal/store"
	"github.com/ashore/ashore/internal/store/storetest"
	"github.com/ashore/ashore/internal/wire/acs"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/coder/websocket"
	clientv3 "go.etcd.io/etcd/client/v3"
)

var site = fleet.Site{Account: "000000000000", Region: "us-east-1"}

const patience = 30 * time.Second // bound of waits for a condition

// world is one etcd with a cluster and a task definition.
type world struct {
	t    testing.TB
	etcd *clientv3.Client
}

func newWorld(t testing.TB) *world {
	return &world{t, storetest.Etcd(t)}
}

func (w *world) store(cfg store.Config) *store.Store {
	cfg.Site = site
	return storetest.OpenOn(w.t, w.etcd, cfg)
}

// server is a link Server behind HTTP. caller sets its callers.
type server struct {
	*Server
	t      testing.TB
	st     *store.Store
	http   *httptest.Server
	caller identity.Principal
	once   sync.Once
}

func (w *world) server(id string, st *store.Store, adapt ...func(*Config)) *server {
	cfg := Config{
		Store: st, Auth: identity.NewAuthorizer(st), ID: id,
		Log: slog.New(slog.NewTextHandler(w.t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})).With("server", id),
	}
	for _, f := range adapt {
		f(&cfg)
	}
	l, err := New(w.t.Context(), cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	s := &server{Server: l, t: w.t, st: st, caller: identity.Principal{Kind: identity.Admin, ARN: "arn:aws:iam::000000000000:user/admin"}}
	mux := http.NewServeMux()
	mux.Handle("/acs/ws", l.ACS())
	mux.Handle("/tcs/ws", l.TCS())
	s.http = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mux.ServeHTTP(w, r.WithContext(frontdoor.WithCaller(r.Context(), frontdoor.Caller{Principal: s.caller})))
	}))
	w.t.Cleanup(s.close)
	return s
}

func (s *server) close() {
	s.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.Server.Close(ctx); err != nil {
			s.t.Error(err)
		}
		s.http.Close()
	})
}

// put writes records.
func put[V any](t testing.TB, st *store.Store, k store.Key[V], v *V) {
	t.Helper()
	err := st.Update(t.Context(), func(tx *store.Tx) error {
		store.Get(tx, k)
		return store.Put(tx, k, v)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func seed(t testing.TB, st *store.Store) {
	t.Helper()
	put(t, st, store.ClusterKey("c"), &fleet.Cluster{Name: "c", Status: fleet.ClusterActive})
	put(t, st, store.TaskDefinitionKey("f", 1), &fleet.TaskDefinition{Family: "f", Revision: 1, Definition: &ecs.RegisterTaskDefinitionInput{
		Family: aws.String("f"), ContainerDefinitions: []types.ContainerDefinition{{Name: aws.String("main"), Image: aws.String("i")}},
	}})
}

func instance(t testing.TB, st *store.Store) string {
	t.Helper()
	id := fleet.NewID()
	put(t, st, store.InstanceKey("c", id), &fleet.Instance{Cluster: "c", ID: id, Status: fleet.InstanceActive, Principal: "host-" + id})
	return id
}

func task(t testing.TB, st *store.Store, instance string) string {
	t.Helper()
	id := fleet.NewID()
	put(t, st, store.TaskKey("c", id), &fleet.Task{Cluster: "c", ID: id, Instance: instance, Family: "f", Revision: 1})
	return id
}

func stop(t testing.TB, st *store.Store, id string) {
	t.Helper()
	put(t, st, store.TaskStopKey("c", id), &fleet.TaskStop{Code: types.TaskStopCodeUserInitiated, Reason: "because"})
}

func submit(t testing.TB, st *store.Store, id string, status fleet.TaskStatus) {
	t.Helper()
	put(t, st, store.TaskReportKey("c", id), &fleet.TaskReport{Status: status, StartedAt: time.Now()})
}

// agent is a scripted agent. By default it acknowledges messages, and it stores what it
// received.
type agent struct {
	t    testing.TB
	conn *websocket.Conn
	got  chan acs.Message // all messages except heartbeats
	done chan struct{}
	err  error // why reading ended; valid after done
}

type manners struct {
	noAcks, noBeats, deaf bool
	run                   fleet.AgentRun // the stock agent has none
}

func dialACS(ctx context.Context, s *server, cluster, instance string) (*websocket.Conn, *http.Response, error) {
	return dialAs(ctx, s, cluster, instance, fleet.AgentRun{})
}

func dialAs(ctx context.Context, s *server, cluster, instance string, run fleet.AgentRun) (*websocket.Conn, *http.Response, error) {
	q := url.Values{"clusterArn": {cluster}, "containerInstanceArn": {instance}, "agentVersion": {"1.2.3"}, "agentHash": {"abc"},
		"dockerVersion": {"DockerVersion: 20.10.24"}, "seqNum": {"1"}, "protocolVersion": {"2"}, "sendCredentials": {"true"}}
	if run.Process != "" {
		q.Set(acs.RunParameter, run.Process)
	}
	if run.Boot != "" {
		q.Set(acs.BootParameter, run.Boot)
	}
	return websocket.Dial(ctx, strings.Replace(s.http.URL, "http", "ws", 1)+"/acs/ws?"+q.Encode(), nil)
}

func connect(t testing.TB, s *server, id string, m manners) *agent {
	t.Helper()
	conn, r, err := dialAs(t.Context(), s, "c", site.InstanceARN("c", id), m.run)
	if err != nil {
		t.Fatal(err)
	}
	if r.Header.Get(acs.ExtensionsHeader) != acs.ExtensionsVersion {
		t.Fatalf("extensions header is %q", r.Header.Get(acs.ExtensionsHeader))
	}
	conn.SetReadLimit(64 << 20)
	a := &agent{t: t, conn: conn, got: make(chan acs.Message, 10000), done: make(chan struct{})}
	if m.deaf {
		close(a.done)
	} else {
		go a.read(m)
	}
	t.Cleanup(a.disconnect)
	return a
}

// disconnect ends the connection like a lost network.
func (a *agent) disconnect() {
	a.conn.CloseNow()
	<-a.done
}

func (a *agent) read(m manners) {
	defer close(a.done)
	for {
		_, data, err := a.conn.Read(context.Background())
		if err != nil {
			a.err = err
			return
		}
		msg, err := acs.Decode(data)
		if err != nil {
			a.t.Errorf("frame %.200s: %v", data, err)
			return
		}
		switch x := msg.(type) {
		case *acs.HeartbeatMessage:
			if !m.noBeats {
				a.send(&acs.HeartbeatAckRequest{MessageID: x.MessageID})
			}
			continue
		case *acs.PayloadMessage:
			if !m.noAcks {
				a.send(&acs.AckRequest{Cluster: x.ClusterArn, ContainerInstance: x.ContainerInstanceArn, MessageID: x.MessageID})
			}
		case *acs.TaskManifestMessage:
			a.send(&acs.AckRequest{Cluster: x.ClusterArn, ContainerInstance: x.ContainerInstanceArn, MessageID: x.MessageID})
		}
		a.got <- msg
	}
}

func (a *agent) send(m acs.Message) {
	data, err := acs.Encode(m)
	if err != nil {
		a.t.Error(err)
		return
	}
	// If the connection has ended, read returns the error.
	_ = a.conn.Write(context.Background(), websocket.MessageText, data)
}

func next[M acs.Message](a *agent) M {
	a.t.Helper()
	for {
		select {
		case m := <-a.got:
			if m, ok := m.(M); ok {
				return m
			}
		case <-time.After(patience):
			a.t.Fatalf("no %T", *new(M))
		}
	}
}

// expectNoPayload checks that no payload comes. It places a marker task after everything that
// might have caused a payload. The marker must be the next to arrive.
func (a *agent) expectNoPayload(st *store.Store, instance string) {
	a.t.Helper()
	id := task(a.t, st, instance)
	p := next[*acs.PayloadMessage](a)
	if len(p.Tasks) != 1 || p.Tasks[0].Arn != site.TaskARN("c", id) {
		a.t.Fatalf("payload %+v where none was due", p.Tasks)
	}
	submit(a.t, st, id, fleet.TaskStopped)
}

func (a *agent) ended() error {
	a.t.Helper()
	select {
	case <-a.done:
		return a.err
	case <-time.After(patience):
		a.t.Fatal("the connection stays open")
		return nil
	}
}

// eventually waits for a condition.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
