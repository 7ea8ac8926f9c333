package link

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ashore/ashore/internal/contain"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/identity"
	"github.com/ashore/ashore/internal/pace"
	"github.com/ashore/ashore/internal/store"
	"github.com/ashore/ashore/internal/wire/acs"
	"github.com/ashore/ashore/internal/wire/buffer"
	"github.com/coder/websocket"
)

// session is one agent's ACS connection. One goroutine reads; another (runLoop) decides
// and writes. They and the dispatcher only share in, wake, quit and what mu guards.
type session struct {
	s      *Server
	peer   peer
	caller identity.Principal
	id     string // of the connection
	record fleet.InstanceSession
	log    *slog.Logger

	in   chan received // from the reader, in order
	wake chan struct{}
	quit chan struct{}

	socket      *socket
	lastHeardAt atomic.Int64 // when the agent was last heard, in Unix ns
	handling    atomic.Bool  // one of its messages is being handled
	pinging     atomic.Bool  // it is being pinged for another server

	mu              sync.Mutex
	changed         map[string]struct{} // ids of tasks to check again; guarded by mu
	instanceChanged bool                // the instance must be checked again; guarded by mu
	leaving         bool                // the session ends when its orders have ended; guarded by mu
	acks            []*acs.ReportAck    // answers to send; guarded by mu
	ackedIDs        []string            // ids of messages that were acknowledged with reports; guarded by mu
	closing         *closeReason        // set before quit is closed; guarded by mu
	// endedTasks are ids of tasks whose end was reported after a restore; guarded by
	// mu.
	endedTasks map[string]struct{}

	// Only the loop uses the other fields.
	conn         *websocket.Conn
	writeTimer   *time.Timer // ends the connection when a write takes too long; nil before the first write
	orders       *orders
	strays       *orders             // tasks by ARN that run there and must not
	reported     map[string]struct{} // ids of tasks whose host had reported them before this connection
	manifest     string              // message id of the manifest, until its candidates are confirmed
	pendingBeats []string            // heartbeats that are not acknowledged
	nextBeat     time.Time
	chores       []*chore
	seq          int64
	messages     int64
	registered   bool      // the instance was registered when it was last checked
	leaveAt      time.Time // the latest time at which the session of a deregistered instance ends
}

type closeReason struct {
	code   websocket.StatusCode
	reason string
}

// chore is work that needs etcd. It is retried until it succeeds.
type chore struct {
	what    string
	due     time.Time
	wait    time.Duration
	do      func(context.Context) error
	message received // the message that it handles
}

// closeWait bounds the wait for an agent's answer to a close frame.
const closeWait = time.Second

// errHungUp ends a session whose agent no longer answers.
var errHungUp = errors.New("two heartbeats unacknowledged")

func newSession(s *Server, p peer, caller identity.Principal, record fleet.InstanceSession) *session {
	return &session{
		s: s, peer: p, caller: caller, id: record.Connection, record: record,
		log:     s.cfg.Log.With("instance", p.String(), "connection", record.Connection),
		in:      make(chan received, 16),
		wake:    make(chan struct{}, 1),
		quit:    make(chan struct{}),
		socket:  newSocket(),
		changed: map[string]struct{}{}, endedTasks: map[string]struct{}{},
		orders: newOrders(), strays: newOrders(), reported: map[string]struct{}{},
	}
}

// markTask records that a task has changed. It never blocks. If the agent needs no order
// for the task, the loop is not woken: its next step applies the change anyway, and only a
// leaving session waits for the end of its orders.
func (x *session) markTask(task, wanted string) {
	x.mu.Lock()
	x.changed[task] = struct{}{}
	rest := wanted == "" && !x.leaving
	x.mu.Unlock()
	if !rest {
		x.wakeLoop()
	}
}

// markInstance records that the instance has changed.
func (x *session) markInstance() {
	x.mu.Lock()
	x.instanceChanged = true
	x.mu.Unlock()
	x.wakeLoop()
}

// lastHeard returns when the agent was last heard.
func (x *session) lastHeard() time.Time { return time.Unix(0, x.lastHeardAt.Load()) }

// wakeLoop makes the loop take a step.
func (x *session) wakeLoop() {
	select {
	case x.wake <- struct{}{}:
	default:
	}
}

// requestClose requests that the session close its connection. Only the first call counts.
func (x *session) requestClose(code websocket.StatusCode, reason string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closing == nil {
		x.closing = &closeReason{code, reason}
		close(x.quit)
	}
}

// serve runs the session until either side or ctx ends it. It returns the reason, or nil
// if this side ended it. If the session panics, other sessions go on, and the agent is
// told not to reconnect at once.
func (x *session) serve(ctx context.Context, conn *websocket.Conn, baseline *store.Snapshot) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	x.conn = conn
	var reader sync.WaitGroup
	reader.Go(func() { cancel(contain.Do(func() error { return x.readMessages(ctx, conn) })) })
	err := contain.Do(func() error { return x.runLoop(ctx, baseline) })
	if store.IsItemError(err) {
		x.requestClose(closeRefused, errSetAside.Error())
	}
	x.mu.Lock()
	closing := x.closing
	x.mu.Unlock()
	if closing != nil {
		x.log.Info("link: connection closed", "code", int(closing.code), "reason", closing.reason)
		// The close frame is sent by then. An agent that is gone does not answer it.
		hurry := time.AfterFunc(closeWait, func() { cancel(errors.New("no answer to the close frame")) })
		if err := conn.Close(closing.code, closing.reason); err != nil {
			x.log.Debug("link: close handshake", "err", err)
		}
		hurry.Stop()
	} else {
		x.log.Info("link: agent disconnected", "reason", err)
	}
	cancel(err)
	_ = conn.CloseNow() // closed already, or can't be told any more
	reader.Wait()
	x.releaseMessages()
	return err
}

// runLoop sends what the state requires, until the connection ends.
func (x *session) runLoop(ctx context.Context, baseline *store.Snapshot) error {
	now := time.Now()
	for t := range baseline.TasksOn(x.peer.cluster, x.peer.id) {
		x.orders.set(t.ID, sendableStatus(baseline, t, x.peer.id), now)
		if t.Holds() && t.Report != nil {
			x.reported[t.ID] = struct{}{}
		}
	}
	if err := x.sendManifest(ctx, baseline); err != nil {
		return err
	}
	x.nextBeat = now.Add(x.heartbeatDelay())
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		next, err := x.step(ctx)
		if err != nil {
			return err
		}
		timer.Reset(time.Until(next))
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-x.quit:
			return nil
		case <-x.wake:
		case <-timer.C:
		case p := <-x.in:
			if err := contain.Do(func() error { x.handleMessage(p); return nil }); err != nil {
				return err
			}
		}
	}
}

// step does everything that is due, and returns when the next step is due.
func (x *session) step(ctx context.Context) (next time.Time, err error) {
	if err := x.sendHeartbeat(ctx, time.Now()); err != nil {
		return next, err
	}
	x.applyAcks()
	if err := x.sendAcks(ctx); err != nil {
		return next, err
	}
	x.runChores(ctx)
	snap := x.updateOrders()
	if x.endIfDeregistered(snap) {
		return time.Now(), nil // quit is closed
	}
	if err := x.sendOrders(ctx, snap); err != nil {
		return next, err
	}
	next = x.nextBeat
	sooner := func(t time.Time, ok bool) {
		if ok && t.Before(next) {
			next = t
		}
	}
	sooner(x.orders.nextDue())
	sooner(x.strays.nextDue())
	for _, c := range x.chores {
		sooner(c.due, true)
	}
	sooner(x.leaveAt, !x.leaveAt.IsZero())
	return next, nil
}

// updateOrders sets the orders of the tasks that have changed, and returns the snapshot
// that it used. It takes the marks before the snapshot. So the snapshot is at least as new
// as the marks, and a mark that comes later stays for the next call.
func (x *session) updateOrders() *store.Snapshot {
	x.mu.Lock()
	var changed map[string]struct{}
	if len(x.changed) > 0 {
		changed, x.changed = x.changed, map[string]struct{}{}
	}
	if x.instanceChanged {
		x.instanceChanged, x.registered = false, false
	}
	x.mu.Unlock()
	snap, now := x.s.store.Snapshot(), time.Now()
	for id := range changed {
		x.orders.set(id, sendableStatus(snap, snap.Task(x.peer.cluster, id), x.peer.id), now)
	}
	return snap
}

// endIfDeregistered closes the session of a deregistered instance once it has nothing more
// to stop or its time is over.
func (x *session) endIfDeregistered(snap *store.Snapshot) bool {
	if x.registered {
		return false
	}
	if !x.peer.isDeregistered(snap) {
		x.registered = true
		return false
	}
	now := time.Now()
	if x.leaveAt.IsZero() {
		x.leaveAt = now.Add(x.s.cfg.Linger)
		x.mu.Lock()
		x.leaving = true
		x.mu.Unlock()
		x.wakeLoop() // for changes between the last updateOrders and leaving
	}
	if len(x.orders.byTask) > 0 && now.Before(x.leaveAt) {
		return false
	}
	x.requestClose(closeRefused, inactiveRefusal(x.peer).Error())
	return true
}

// sendHeartbeat sends a heartbeat if it is due. Only data messages keep an agent
// connected, and only acknowledgements show that it still is.
func (x *session) sendHeartbeat(ctx context.Context, now time.Time) error {
	if now.Before(x.nextBeat) {
		return nil
	}
	if len(x.pendingBeats) >= 2 {
		return errHungUp
	}
	m := &acs.HeartbeatMessage{MessageID: x.newMessageID(), Healthy: true}
	x.pendingBeats = append(x.pendingBeats, m.MessageID)
	x.nextBeat = now.Add(x.heartbeatDelay())
	return x.sendMessage(ctx, m)
}

// heartbeatDelay returns the time until the next heartbeat. It is random, so that agents
// that connected at the same time get their heartbeats at different times.
func (x *session) heartbeatDelay() time.Duration {
	d := x.s.cfg.Heartbeat
	return d*5/6 + rand.N(d/3)
}

// runChores runs the chores that are due.
func (x *session) runChores(ctx context.Context) {
	left := x.chores[:0]
	for _, c := range x.chores {
		if time.Now().Before(c.due) {
			left = append(left, c)
			continue
		}
		if err := contain.Do(func() error { return c.do(ctx) }); err != nil {
			x.log.Warn("link: not done yet", append(contain.Attrs(err), "what", c.what, "retry_in", c.wait)...)
			c.due = time.Now().Add(pace.About(c.wait))
			c.wait = min(2*c.wait, time.Minute)
			left = append(left, c)
			continue
		}
		c.message.release()
	}
	x.chores = left
}

// maxChores bounds how many chores one agent can cause.
const maxChores = 16

// addChore adds work that needs etcd. It replaces a waiting chore of the same kind: the
// agent's newer message counts.
func (x *session) addChore(what string, of received, do func(context.Context) error) {
	c := &chore{what: what, wait: time.Second, do: do, message: of}
	if of.Message != nil {
		for i, old := range x.chores {
			if old.what == what {
				old.message.release()
				x.chores[i] = c
				return
			}
		}
	}
	if len(x.chores) >= maxChores {
		x.log.Warn("link: agent asks for too much at once", "what", what)
		of.release()
		return
	}
	x.chores = append(x.chores, c)
}

// releaseMessages releases the memory of messages that will not be handled any more.
func (x *session) releaseMessages() {
	for _, c := range x.chores {
		c.message.release()
	}
	for {
		select {
		case p := <-x.in:
			p.release()
		default:
			return
		}
	}
}

// handleMessage handles one message of the agent.
func (x *session) handleMessage(p received) {
	switch m := p.Message.(type) {
	case *acs.AckRequest:
		x.noteAcks([]string{m.MessageID})
	case *acs.HeartbeatAckRequest:
		x.pendingBeats = nil // any acknowledgement shows that the agent is there
	case *acs.NackRequest:
		x.log.Warn("link: agent refused a message", "message", m.MessageID, "reason", fleet.Clip(m.Reason, fleet.MaxReason))
	case *acs.TaskStopVerificationMessage:
		if m.MessageID != x.manifest {
			break // counts once, and only for the latest manifest
		}
		x.manifest = ""
		x.addChore("verify stops", p, func(ctx context.Context) error { return x.verifyStops(ctx, m) })
		return
	case *acs.InventoryMessage:
		x.addChore("compare the inventory", p, func(ctx context.Context) error { return x.reconcileInventory(ctx, m) })
		return
	case *acs.IAMRoleCredentialsAckRequest:
		// No credentials are sent yet.
	default:
		x.log.Debug("link: message ignored", "type", acs.TypeOf(m))
	}
	p.release()
}

// sendMessage writes one message. An agent that does not read loses its connection.
func (x *session) sendMessage(ctx context.Context, m acs.Message) error {
	b := buffer.Get()
	defer buffer.Put(b)
	if err := acs.EncodeTo(b, m); err != nil {
		return err
	}
	// One timer for all messages costs less than a context for each.
	if x.writeTimer == nil {
		x.writeTimer = time.AfterFunc(x.s.cfg.WriteWait, func() { _ = x.conn.CloseNow() }) // Write returns the error
	} else {
		x.writeTimer.Reset(x.s.cfg.WriteWait)
	}
	defer x.writeTimer.Stop()
	if err := x.conn.Write(context.WithoutCancel(ctx), websocket.MessageText, b.Bytes()); err != nil {
		return fmt.Errorf("send %s: %w", acs.TypeOf(m), err)
	}
	return nil
}

// nextSequence returns a message's sequence number: the snapshot's revision, and never
// less than the last one.
func (x *session) nextSequence(snap *store.Snapshot) int64 {
	x.seq = max(x.seq, snap.Revision())
	return x.seq
}

// newMessageID returns an id that no other message of any connection has.
func (x *session) newMessageID() string {
	x.messages++
	return x.id + "/" + strconv.FormatInt(x.messages, 10)
}

func (x *session) clusterARN() string  { return x.s.site.ClusterARN(x.peer.cluster) }
func (x *session) instanceARN() string { return x.s.site.InstanceARN(x.peer.cluster, x.peer.id) }
