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

// session is one agent's ACS connection. One goroutine reads, one (loop) decides
// and writes; they and the dispatcher meet in in, changed and quit only.
type session struct {
	s      *Server
	peer   peer
	caller identity.Principal
	id     string // the connection's
	record fleet.InstanceSession
	log    *slog.Logger

	in   chan received // from the reader, in order
	wake chan struct{}
	quit chan struct{}

	socket      *socket
	lastHeardAt atomic.Int64 // when the agent was last heard, in ns
	handling    atomic.Bool  // a message of it is being worked on
	pinging     atomic.Bool  // it is being asked whether it is there

	mu              sync.Mutex
	changed         map[string]struct{} // ids of tasks to look at again; guarded by mu
	instanceChanged bool                // the instance is to be looked at again; guarded by mu
	leaving         bool                // farewell waits for the end of orders; guarded by mu
	acks            []*acs.ReportAck    // to be sent; guarded by mu
	ackedIDs        []string            // ids of messages that came with reports; guarded by mu
	closing         *closeReason        // set before quit is closed; guarded by mu
	// endedTasks are ids of tasks whose end was reported while the state was a
	// restored one; guarded by mu.
	endedTasks map[string]struct{}

	// The rest belongs to the loop.
	conn         *websocket.Conn
	writeTimer   *time.Timer // ends the connection when a write takes too long; nil until the first
	orders       *orders
	strays       *orders             // tasks by ARN that run there and must not
	reported     map[string]struct{} // ids of tasks whose host had reported before it connected
	manifest     string              // message id of the manifest, until its candidates were confirmed
	pendingBeats []string            // heartbeats without acknowledgement
	nextBeat     time.Time
	chores       []*chore
	seq          int64
	messages     int64
	registered   bool      // the instance is registered, as of its last change
	leaveAt      time.Time // when the session of a deregistered instance ends at the latest
}

type closeReason struct {
	code   websocket.StatusCode
	reason string
}

// chore is work that needs etcd and is tried until it is done.
type chore struct {
	what    string
	due     time.Time
	wait    time.Duration
	do      func(context.Context) error
	message received // the message that it is about
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

// markTask notes that a task has changed. It never blocks. Where the agent is to be
// told nothing of it the loop is not roused: what it does next begins with a look
// at what has changed, and only a farewell waits for the end of orders.
func (x *session) markTask(task, wanted string) {
	x.mu.Lock()
	x.changed[task] = struct{}{}
	rest := wanted == "" && !x.leaving
	x.mu.Unlock()
	if !rest {
		x.wakeLoop()
	}
}

// markInstance notes that the instance has changed.
func (x *session) markInstance() {
	x.mu.Lock()
	x.instanceChanged = true
	x.mu.Unlock()
	x.wakeLoop()
}

// lastHeard is when the agent was last heard.
func (x *session) lastHeard() time.Time { return time.Unix(0, x.lastHeardAt.Load()) }

// wakeLoop has the loop look for what there is to do.
func (x *session) wakeLoop() {
	select {
	case x.wake <- struct{}{}:
	default:
	}
}

// requestClose asks the session to close its connection. The first call counts.
func (x *session) requestClose(code websocket.StatusCode, reason string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closing == nil {
		x.closing = &closeReason{code, reason}
		close(x.quit)
	}
}

// serve runs the session until either side ends it or ctx does. It returns why,
// nil where this side has ended it. A panic of the session's ends no other one: the
// agent is told not to come back at once.
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
		// The close frame is out by then; an agent that is not there any more
		// does not answer it.
		hurry := time.AfterFunc(closeWait, func() { cancel(errors.New("no answer to the close frame")) })
		if err := conn.Close(closing.code, closing.reason); err != nil {
			x.log.Debug("link: close handshake", "err", err)
		}
		hurry.Stop()
	} else {
		x.log.Info("link: agent disconnected", "reason", err)
	}
	cancel(err)
	_ = conn.CloseNow() // closed already, or past being told
	reader.Wait()
	x.releaseMessages()
	return err
}

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

// step does all that is due and returns when the next thing is.
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

// updateOrders brings the orders in line with the tasks that have changed and returns
// the snapshot that it saw. It takes the marks first: a mark that comes later
// stays for the next look, one that came earlier is never newer than the
// snapshot.
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

// endIfDeregistered ends the session of a deregistered instance once it has nothing more
// to stop, or has had its time for it.
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
		x.wakeLoop() // for what came after this look and before that
	}
	if len(x.orders.byTask) > 0 && now.Before(x.leaveAt) {
		return false
	}
	x.requestClose(closeRefused, inactiveRefusal(x.peer).Error())
	return true
}

// sendHeartbeat sends the heartbeat that is due. Only data messages keep an agent
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

// heartbeatDelay spreads the heartbeats of agents that connected at once.
func (x *session) heartbeatDelay() time.Duration {
	d := x.s.cfg.Heartbeat
	return d*5/6 + rand.N(d/3)
}

// runChores tries the chores that are due.
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

// maxChores bounds what one agent can make its session remember.
const maxChores = 16

// addChore has something done that needs etcd. What is the same as a chore that waits
// takes its place: the agent knows better now.
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

// releaseMessages gives back what messages hold that nobody will look at any more.
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

// handleMessage takes one message of the agent.
func (x *session) handleMessage(p received) {
	switch m := p.Message.(type) {
	case *acs.AckRequest:
		x.noteAcks([]string{m.MessageID})
	case *acs.HeartbeatAckRequest:
		x.pendingBeats = nil // whichever it answers, the agent is there
	case *acs.NackRequest:
		x.log.Warn("link: agent refused a message", "message", m.MessageID, "reason", fleet.Clip(m.Reason, fleet.MaxReason))
	case *acs.TaskStopVerificationMessage:
		if m.MessageID != x.manifest {
			break // counts once, and for the latest manifest
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

// sendMessage writes one message. An agent that doesn't read loses its connection.
func (x *session) sendMessage(ctx context.Context, m acs.Message) error {
	b := buffer.Get()
	defer buffer.Put(b)
	if err := acs.EncodeTo(b, m); err != nil {
		return err
	}
	// One timer for all of them costs less than a context for each.
	if x.writeTimer == nil {
		x.writeTimer = time.AfterFunc(x.s.cfg.WriteWait, func() { _ = x.conn.CloseNow() }) // Write tells
	} else {
		x.writeTimer.Reset(x.s.cfg.WriteWait)
	}
	defer x.writeTimer.Stop()
	if err := x.conn.Write(context.WithoutCancel(ctx), websocket.MessageText, b.Bytes()); err != nil {
		return fmt.Errorf("send %s: %w", acs.TypeOf(m), err)
	}
	return nil
}

// nextSequence returns a message's sequence number: the revision that it shows, and
// never less than the one before.
func (x *session) nextSequence(snap *store.Snapshot) int64 {
	x.seq = max(x.seq, snap.Revision())
	return x.seq
}

// newMessageID makes one that no other message of any connection has.
func (x *session) newMessageID() string {
	x.messages++
	return x.id + "/" + strconv.FormatInt(x.messages, 10)
}

func (x *session) clusterARN() string  { return x.s.site.ClusterARN(x.peer.cluster) }
func (x *session) instanceARN() string { return x.s.site.InstanceARN(x.peer.cluster, x.peer.id) }
