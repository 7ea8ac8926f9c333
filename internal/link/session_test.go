package link

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/identity"
	"github.com/ashore/ashore/internal/store"
	"github.com/ashore/ashore/internal/wire/acs"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/coder/websocket"
	clientv3 "go.etcd.io/etcd/client/v3"
)

func TestATasksLifeOnOneSession(t *testing.T) {
	w := newWorld(t)
	st := w.store(store.Config{Sole: true})
	seed(t, st)
	s, inst := w.server("s1", st), instance(t, st)
	old := task(t, st, inst)
	a := connect(t, s, inst, manners{})
	m := next[*acs.TaskManifestMessage](a)
	if len(m.Tasks) != 1 || m.Tasks[0].TaskArn != site.TaskARN("c", old) || m.Tasks[0].DesiredStatus != acs.StatusRunning || m.Timeline == 0 {
		t.Errorf("manifest %+v", m)
	}
	p := next[*acs.PayloadMessage](a)
	if len(p.Tasks) != 1 || p.Tasks[0].Arn != site.TaskARN("c", old) || p.SeqNum < m.Timeline || p.ClusterArn != site.ClusterARN("c") {
		t.Errorf("payload %+v", p)
	}
	rec := st.Snapshot().Session("c", inst)
	if rec == nil || rec.Server != "s1" || rec.AgentVersion != "1.2.3" || rec.Docker != "20.10.24" {
		t.Errorf("session record %+v", rec)
	}
	id := task(t, st, inst)
	p = next[*acs.PayloadMessage](a)
	if len(p.Tasks) != 1 || p.Tasks[0].Arn != site.TaskARN("c", id) || p.Tasks[0].DesiredStatus != acs.StatusRunning {
		t.Errorf("payload %+v", p)
	}
	submit(t, st, id, fleet.TaskRunning)
	a.expectNoPayload(st, inst)
	stop(t, st, id)
	p = next[*acs.PayloadMessage](a)
	if len(p.Tasks) != 1 || p.Tasks[0].Arn != site.TaskARN("c", id) || p.Tasks[0].DesiredStatus != acs.StatusStopped {
		t.Errorf("payload %+v", p)
	}
	submit(t, st, id, fleet.TaskStopped)
	a.expectNoPayload(st, inst)
	steady := task(t, st, inst)
	next[*acs.PayloadMessage](a)
	submit(t, st, steady, fleet.TaskRunning)
	a.disconnect()
	eventually(t, "the record goes with the connection", func() bool { return st.Snapshot().Session("c", inst) == nil })
	// Tasks that were never reported are sent again, others are not.
	a = connect(t, s, inst, manners{})
	p = next[*acs.PayloadMessage](a)
	if len(p.Tasks) != 1 || p.Tasks[0].Arn != site.TaskARN("c", old) {
		t.Errorf("payload after reconnect %+v", p.Tasks)
	}
}

func TestRefusals(t *testing.T) {
	w := newWorld(t)
	st := w.store(store.Config{Sole: true})
	seed(t, st)
	s, inst, gone := w.server("s1", st), instance(t, st), fleet.NewID()
	put(t, st, store.InstanceKey("c", gone), &fleet.Instance{Cluster: "c", ID: gone, Status: fleet.InstanceInactive, Principal: "host-" + gone})
	host := identity.Principal{Kind: identity.Host, ARN: "host-" + gone}
	for _, c := range []struct {
		caller            identity.Principal
		cluster, instance string
		want              string
	}{
		{s.caller, "c", "", acs.BadRequestException},
		{s.caller, "nowhere", fleet.NewID(), acs.InvalidClusterException},
		{s.caller, "arn:aws:ecs:eu-west-1:000000000000:cluster/c", inst, acs.InvalidClusterException},
		{s.caller, "c", fleet.NewID(), acs.InvalidInstanceException},
		{s.caller, "c", "../x", acs.InvalidInstanceException},
		{s.caller, "c", site.InstanceARN("other", inst), acs.InvalidInstanceException},
		{s.caller, "c", site.InstanceARN("c", gone), acs.InactiveInstanceException},
		{host, site.ClusterARN("c"), site.InstanceARN("c", inst), acs.AccessDeniedException},
		{host, site.ClusterARN("c"), site.InstanceARN("c", gone), acs.InactiveInstanceException},
		{identity.Principal{}, "c", inst, acs.AccessDeniedException},
		{identity.Principal{Kind: identity.Host, ARN: "host-" + inst}, site.ClusterARN("c"), "arn:aws:ecs:us-east-1:000000000000:container-instance/" + inst, ""},
		{s.caller, "c", inst, ""},
	} {
		s.caller = c.caller
		for _, socket := range []string{"acs", "tcs"} {
			dial := dialACS
			if socket == "tcs" {
				dial = dialTCS
			}
			conn, r, err := dial(t.Context(), s, c.cluster, c.instance)
			if c.want == "" {
				if err != nil {
					t.Errorf("%s %s %s: %v", socket, c.cluster, c.instance, err)
					continue
				}
				conn.CloseNow()
				continue
			}
			if err == nil {
				conn.CloseNow()
				t.Errorf("%s %s %s: accepted, want %s", socket, c.cluster, c.instance, c.want)
				continue
			}
			body, _ := io.ReadAll(r.Body)
			var shape struct {
				Type    string `json:"type"`
				Message struct {
					Message string `json:"message"`
				} `json:"message"`
			}
			if err := json.Unmarshal(body, &shape); err != nil || shape.Type != c.want || shape.Message.Message == "" {
				t.Errorf("%s %s %s: %s (%v), want %s", socket, c.cluster, c.instance, body, err, c.want)
			}
		}
	}
	eventually(t, "no record is left", func() bool { return st.Snapshot().Session("c", inst) == nil })
	if st.Snapshot().Session("c", gone) != nil {
		t.Error("a refused agent has a session record")
	}
}

// An agent's new connection may come before the server notices that the old one is dead,
// on the same server or on another.
func TestTheNewestConnectionWins(t *testing.T) {
	w := newWorld(t)
	st1, st2 := w.store(store.Config{}), w.store(store.Config{})
	seed(t, st1)
	s1, s2 := w.server("s1", st1), w.server("s2", st2)
	inst := instance(t, st1)
	same := manners{run: fleet.AgentRun{Process: "p", Boot: "b"}}
	old := connect(t, s1, inst, same)
	next[*acs.TaskManifestMessage](old)
	oldID := st1.Snapshot().Session("c", inst).Connection
	for i, s := range []*server{s1, s2, s1, s2} {
		a := connect(t, s, inst, same)
		next[*acs.TaskManifestMessage](a)
		rec := s.st.Snapshot().Session("c", inst)
		err := old.ended()
		if code := websocket.CloseStatus(err); code != closeRefused {
			t.Fatalf("%d: the old connection ended with %v", i, err)
		}
		eventually(t, "the old server forgets the session", func() bool { return s1.CountConnected()+s2.CountConnected() == 1 })
		// The recorder removes the record at the end; here once more, to be sure.
		if err := removeRecord(t.Context(), st1, peer{"c", inst}, oldID); err != nil {
			t.Fatal(err)
		}
		now, err := st1.Fresh(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := now.Session("c", inst); got == nil || got.Connection != rec.Connection {
			t.Fatalf("%d: the late end of the old connection left the record %+v, want %+v", i, got, rec)
		}
		id := task(t, st1, inst)
		if p := next[*acs.PayloadMessage](a); p.Tasks[len(p.Tasks)-1].Arn != site.TaskARN("c", id) {
			t.Fatalf("%d: payload %+v", i, p.Tasks)
		}
		submit(t, st1, id, fleet.TaskStopped)
		old, oldID = a, rec.Connection
	}
}

func TestAnAgentWithoutHeartbeatsIsHungUpOn(t *testing.T) {
	w := newWorld(t)
	st := w.store(store.Config{Sole: true})
	seed(t, st)
	s := w.server("s1", st, func(c *Config) { c.Heartbeat = 100 * time.Millisecond })
	dead, alive := instance(t, st), instance(t, st)
	a, b := connect(t, s, dead, manners{noBeats: true}), connect(t, s, alive, manners{})
	if err := a.ended(); websocket.CloseStatus(err) != -1 {
		t.Errorf("ended with a close frame: %v", err)
	}
	eventually(t, "the record goes", func() bool { return st.Snapshot().Session("c", dead) == nil })
	b.expectNoPayload(st, alive)
	if st.Snapshot().Session("c", alive) == nil {
		t.Error("the one that answers lost its record")
	}
}

// An agent that does not read loses its own connection and delays no other agent.
func TestASlowAgentDelaysNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	st := w.store(store.Config{Sole: true})
	seed(t, st)
	put(t, st, store.TaskDefinitionKey("big", 1), &fleet.TaskDefinition{Family: "big", Revision: 1, Definition: &ecs.RegisterTaskDefinitionInput{
		Family: aws.String("big"), ContainerDefinitions: []types.ContainerDefinition{{
			Name: aws.String("main"), Image: aws.String("i"), Command: []string{strings.Repeat("x", 1<<20)},
		}},
	}})
	s := w.server("s1", st, func(c *Config) { c.WriteWait = 15 * time.Second })
	slow, quick := instance(t, st), instance(t, st)
	connect(t, s, slow, manners{deaf: true})
	b := connect(t, s, quick, manners{})
	for range 30 {
		id := fleet.NewID()
		put(t, st, store.TaskKey("c", id), &fleet.Task{Cluster: "c", ID: id, Instance: slow, Family: "big", Revision: 1})
	}
	began := time.Now()
	for range 5 {
		id := task(t, st, quick)
		if p := next[*acs.PayloadMessage](b); p.Tasks[0].Arn != site.TaskARN("c", id) {
			t.Fatalf("payload %s", p.Tasks[0].Arn)
		}
		submit(t, st, id, fleet.TaskRunning)
	}
	if d := time.Since(began); s.CountConnected() != 2 {
		t.Errorf("the quick agent waited %v, until the slow one was dropped", d)
	}
	eventually(t, "the slow one is dropped", func() bool { return s.CountConnected() == 1 })
}

func TestRecordsAreWrittenAgainAfterALostLease(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	st := w.store(store.Config{})
	seed(t, st)
	s := w.server("s1", st)
	var ids []string
	for range 20 {
		id := instance(t, st)
		ids = append(ids, id)
		connect(t, s, id, manners{})
	}
	for range 3 {
		lease, err := st.Lease(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.etcd.Revoke(t.Context(), lease); err != nil {
			t.Fatal(err)
		}
		eventually(t, "every record is under a new lease", func() bool {
			again, err := st.Lease(t.Context())
			if err != nil || again == lease {
				return false
			}
			l, err := w.etcd.TimeToLive(t.Context(), again, clientv3.WithAttachedKeys())
			return err == nil && len(l.Keys) == len(ids)
		})
	}
	snap, err := st.Fresh(t.Context()) // etcd has them, but the snapshot may be older
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		if snap.Session("c", id) == nil {
			t.Errorf("%s has no record", id)
		}
	}
	if s.CountConnected() != len(ids) {
		t.Errorf("%d sessions are left", s.CountConnected())
	}
}

func TestStaleRecordsGoAtStartOfASoleServer(t *testing.T) {
	w := newWorld(t)
	st := w.store(store.Config{Sole: true})
	seed(t, st)
	for range 200 {
		put(t, st, store.SessionKey("c", instance(t, st)), &fleet.InstanceSession{Server: "before", Connection: fleet.NewID()})
	}
	w.server("s1", st)
	for key := range st.Snapshot().Sessions() {
		t.Fatalf("%s is still there", key)
	}
}

// The session of a deregistered instance stays open for its last stops. Then it ends with
// the code after which agents stay quiet.
func TestDeregistrationEndsTheSession(t *testing.T) {
	w := newWorld(t)
	st := w.store(store.Config{Sole: true})
	seed(t, st)
	s, inst := w.server("s1", st), instance(t, st)
	id := task(t, st, inst)
	a := connect(t, s, inst, manners{})
	next[*acs.PayloadMessage](a)
	submit(t, st, id, fleet.TaskRunning)
	stop(t, st, id)
	put(t, st, store.InstanceKey("c", inst), &fleet.Instance{Cluster: "c", ID: inst, Status: fleet.InstanceInactive})
	p := next[*acs.PayloadMessage](a)
	if len(p.Tasks) != 1 || p.Tasks[0].DesiredStatus != acs.StatusStopped {
		t.Fatalf("payload %+v", p.Tasks)
	}
	submit(t, st, id, fleet.TaskStopped)
	err := a.ended()
	var ce websocket.CloseError
	if !errors.As(err, &ce) || ce.Code != closeRefused || !strings.Contains(ce.Reason, acs.InactiveInstanceException) {
		t.Errorf("ended with %v", err)
	}
	if _, r, err := dialACS(t.Context(), s, "c", inst); err == nil || r.StatusCode == http.StatusSwitchingProtocols {
		t.Error("accepted again")
	}
}

func TestShutdownSendsAgentsElsewhere(t *testing.T) {
	w := newWorld(t)
	st1, st2 := w.store(store.Config{}), w.store(store.Config{})
	seed(t, st1)
	s1, s2 := w.server("s1", st1), w.server("s2", st2)
	var agents []*agent
	for range 20 {
		agents = append(agents, connect(t, s1, instance(t, st1), manners{}))
	}
	began := time.Now()
	s1.close()
	for _, a := range agents {
		if err := a.ended(); websocket.CloseStatus(err) != websocket.StatusGoingAway {
			t.Errorf("ended with %v", err)
		}
	}
	// A connection may wait 5 s for its peer's close frame, but all of them wait at the
	// same time.
	if d := time.Since(began); d > 20*time.Second {
		t.Errorf("shutdown took %v", d)
	}
	snap, err := st2.Fresh(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for key := range snap.Sessions() {
		t.Errorf("%s is still recorded as connected", key)
	}
	connect(t, s2, instance(t, st2), manners{})
}

// If etcd does not answer in time, a shutdown still succeeds: the records end with the
// store's lease.
func TestShutdownWithoutEtcdsAnswer(t *testing.T) {
	w := newWorld(t)
	st1, st2 := w.store(store.Config{}), w.store(store.Config{})
	seed(t, st1)
	s, inst := w.server("s1", st1), instance(t, st1)
	a := connect(t, s, inst, manners{})
	over, cancel := context.WithCancel(t.Context())
	cancel()
	s.once.Do(func() {
		if err := s.Close(over); err != nil {
			t.Error(err)
		}
		s.http.Close()
	})
	if err := a.ended(); websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("ended with %v", err)
	}
	if err := st1.Close(); err != nil {
		t.Error(err)
	}
	eventually(t, "the record goes with the lease", func() bool { return st2.Snapshot().Session("c", inst) == nil })
}

// StopTask and the first delivery race. RUNNING never follows STOPPED. A task whose stop
// was committed before the agent connected is never ordered to run. Every stop arrives.
func TestAStopRacingTheFirstDelivery(t *testing.T) {
	w := newWorld(t)
	st := w.store(store.Config{Sole: true})
	seed(t, st)
	s, inst := w.server("s1", st), instance(t, st)
	n := rand.Uint64()
	t.Logf("seed %d", n)
	rng := rand.New(rand.NewPCG(n, 0))
	early := map[string]bool{} // stopped before the agent connects
	for range 20 {
		id := task(t, st, inst)
		stop(t, st, id)
		early[site.TaskARN("c", id)] = true
	}
	a := connect(t, s, inst, manners{})
	var mu sync.Mutex
	var all []string
	var wg sync.WaitGroup
	for range 8 {
		pause := rng.IntN(2)
		wg.Go(func() {
			for range 40 {
				id := task(t, st, inst)
				if pause == 1 {
					time.Sleep(time.Millisecond)
				}
				stop(t, st, id)
				mu.Lock()
				all = append(all, site.TaskARN("c", id))
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	for arn := range early {
		all = append(all, arn)
	}
	stopped, ran := map[string]bool{}, 0
	for len(stopped) < len(all) {
		for _, x := range next[*acs.PayloadMessage](a).Tasks {
			switch {
			case x.DesiredStatus == acs.StatusStopped:
				stopped[x.Arn] = true
			case stopped[x.Arn]:
				t.Fatalf("%s: RUNNING after STOPPED", x.Arn)
			case early[x.Arn]:
				t.Fatalf("%s: RUNNING although its stop was committed before", x.Arn)
			default:
				ran++
			}
		}
	}
	t.Logf("%d of %d tasks were ordered to run before their stop", ran, len(all))
}

// A change wakes only the sessions that it concerns.
func TestIdleSessionsSleep(t *testing.T) {
	w := newWorld(t)
	st := w.store(store.Config{Sole: true})
	seed(t, st)
	s := w.server("s1", st)
	busy, idle := instance(t, st), instance(t, st)
	a := connect(t, s, busy, manners{})
	b := connect(t, s, idle, manners{})
	next[*acs.TaskManifestMessage](a)
	next[*acs.TaskManifestMessage](b)
	x := s.findSession(peer{"c", idle})
	for i := range 20 {
		id := task(t, st, busy)
		next[*acs.PayloadMessage](a)
		submit(t, st, id, fleet.TaskRunning)
		if len(x.wake) != 0 {
			t.Fatalf("woken by task %d of another instance", i)
		}
		x.mu.Lock()
		n := len(x.changed)
		x.mu.Unlock()
		if n != 0 {
			t.Fatal(fmt.Sprint(n, " tasks of another instance"))
		}
	}
}

// A change that needs no order does not wake the session, unless the session waits for the
// end of its orders.
func TestSessionsSleepThroughReports(t *testing.T) {
	w := newWorld(t)
	st := w.store(store.Config{Sole: true})
	seed(t, st)
	s, inst := w.server("s1", st), instance(t, st)
	x := newSession(s.Server, peer{"c", inst}, s.caller, fleet.InstanceSession{Connection: "x"})
	woken := func() bool {
		select {
		case <-x.wake:
			return true
		default:
			return false
		}
	}
	if x.markTask("a", acs.StatusRunning); !woken() {
		t.Error("an order rests")
	}
	if x.markTask("a", ""); woken() {
		t.Error("woken to do nothing")
	}
	x.orders.set("a", acs.StatusRunning, time.Now())
	if x.updateOrders(); len(x.orders.byTask) != 0 {
		t.Error("what has changed is not looked at")
	}
	id := task(t, st, inst)
	stop(t, st, id)
	x.markTask(id, acs.StatusStopped)
	put(t, st, store.InstanceKey("c", inst), &fleet.Instance{Cluster: "c", ID: inst, Status: fleet.InstanceInactive})
	woken()
	if x.endIfDeregistered(x.updateOrders()) || !woken() {
		t.Error("not looked at again by who leaves")
	}
	if x.markTask("b", ""); !woken() {
		t.Error("who leaves is not woken")
	}
}
