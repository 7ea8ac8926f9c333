package link

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/frontdoor"
	"github.com/ashore/ashore/internal/wire/acs"
	"github.com/ashore/ashore/internal/wire/inflight"
	"github.com/coder/websocket"
	"github.com/google/uuid"
)

const (
	// acsReadLimit bounds a message from an agent, in bytes. The largest message is an
	// inventory, with about 200 bytes a task.
	acsReadLimit = 8 << 20
	// closeRefused is a close code after which agents wait before they reconnect. After
	// 1000, 1001, 1006 and 1011 they reconnect at once.
	closeRefused = websocket.StatusPolicyViolation
)

// serveACS answers the upgrade for an ACS connection. It does everything that can fail
// before it accepts the upgrade: if an accepted connection is closed, the agent reconnects
// at once, in a hot loop.
func (s *Server) serveACS(w http.ResponseWriter, r *http.Request) {
	if !s.addConn() {
		s.refuse(w, r, newRefusal(http.StatusServiceUnavailable, acs.ServerException, "this server is shutting down"))
		return
	}
	detached := false // the connection belongs to another goroutine now
	defer func() {
		if !detached {
			s.conns.Done()
		}
	}()
	q := r.URL.Query()
	p, why := s.authorizeUpgrade(r, actionPoll, q.Get("clusterArn"), q.Get("containerInstanceArn"))
	if why != nil {
		s.refuse(w, r, why)
		return
	}
	x := newSession(s, p, frontdoor.CallerFrom(r.Context()).Principal, fleet.InstanceSession{
		Server:       s.cfg.ID,
		Connection:   uuid.NewString(),
		AgentVersion: fleet.ClipBytes(q.Get("agentVersion"), fleet.MaxVersion),
		AgentHash:    fleet.ClipBytes(q.Get("agentHash"), fleet.MaxVersion),
		Docker:       fleet.ClipBytes(strings.TrimPrefix(q.Get("dockerVersion"), "DockerVersion: "), fleet.MaxVersion),
		ConnectedAt:  time.Now().UTC(),
		Run:          runOf(q),
	})
	if why := s.admitSession(r, p, x); why != nil {
		s.refuse(w, r, why)
		return
	}

	// Take the snapshot after addSession, so that no change falls between it and the
	// first mark. Take it before the agent learns of the connection, so that the
	// inventory is newer than the reports in the snapshot.
	baseline := s.store.Snapshot()
	w.Header()[acs.ExtensionsHeader] = []string{acs.ExtensionsVersion, acs.ReportsVersion, acs.AcksVersion, acs.RangesVersion}
	if baseline.Restored() != nil {
		w.Header().Add(acs.ExtensionsHeader, acs.AccountsVersion)
	}
	x.lastHeardAt.Store(time.Now().UnixNano())
	conn, err := websocket.Accept(w, r, nil)
	x.socket.setConn(conn)
	if err != nil {
		s.cfg.Log.Info("link: upgrade failed", "instance", p, "err", err)
		s.removeSession(p, x)
		s.recorder.noteEnded(p, x.id)
		return // Accept has answered
	}
	conn.SetReadLimit(acsReadLimit)
	s.cfg.Log.Info("link: agent connected", "instance", p, "connection", x.id, "agent", x.record.AgentVersion, "docker", x.record.Docker, "remote", r.RemoteAddr)
	// A connection lasts long. The handler returns now, to free the request's memory
	// and the deep stack that verified it.
	detached = true
	go func() {
		defer s.conns.Done()
		defer s.recorder.noteEnded(p, x.id)
		defer s.removeSession(p, x)
		began := time.Now()
		s.noteEnd(connectionKey{p, actionPoll}, began, x.serve(s.ctx, conn, baseline))
	}()
}

// runOf returns what an upgrade's query says about the agent's process and its boot.
func runOf(q url.Values) fleet.AgentRun {
	return fleet.AgentRun{
		Process: fleet.ClipBytes(q.Get(acs.RunParameter), fleet.MaxRun), Boot: fleet.ClipBytes(q.Get(acs.BootParameter), fleet.MaxRun),
	}
}

// admitSession makes x the instance's connection, in the store and here, or returns why it
// may not be.
func (s *Server) admitSession(r *http.Request, p peer, x *session) *refusal {
	s.setClaiming(x.id, true)
	tried, why := s.claimInstance(r, p, x)
	if why == nil {
		why = s.addSession(p, x)
	}
	s.setClaiming(x.id, false) // before noteEnded: a record that comes later is an orphan
	if why != nil && tried {
		s.recorder.noteEnded(p, x.id) // after an error of etcd the record may exist nevertheless
	}
	return why
}

// setClaiming notes whether a connection is being recorded.
func (s *Server) setClaiming(connection string, on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if on {
		s.claiming[connection] = true
	} else {
		delete(s.claiming, connection)
	}
}

// isOrphan says that a record belongs to a connection of this server that is neither here
// nor being recorded. A write whose outcome was unknown has left it: it may take effect
// long after its request has ended.
func (s *Server) isOrphan(p peer, rec *fleet.InstanceSession) bool {
	if rec == nil || rec.Server != s.cfg.ID {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.sessions[p]
	return !s.claiming[rec.Connection] && (x == nil || x.id != rec.Connection)
}

// addSession makes x the instance's connection to this server and ends the previous one.
// If two upgrades come at once, the one that owns the session record wins.
func (s *Server) addSession(p peer, x *session) *refusal {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return newRefusal(http.StatusServiceUnavailable, acs.ServerException, "this server is shutting down")
	}
	switch rec := s.store.Snapshot().Session(p.cluster, p.id); {
	case rec == nil:
		s.recorder.requestCheck(p) // the record was lost with its lease in the meantime
	case rec.Connection != x.id:
		return newRefusal(http.StatusConflict, acs.ServerException, "superseded by a newer connection")
	}
	if old := s.sessions[p]; old != nil {
		old.requestClose(closeRefused, "superseded by a newer connection")
	}
	s.sessions[p] = x
	if len(s.sessions) == 1 {
		s.recorder.wakeUp() // from now on it has to watch the lease
	}
	return nil
}

// removeSession removes x, unless a newer session has replaced it.
func (s *Server) removeSession(p peer, x *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sessions[p] == x {
		delete(s.sessions, p)
		s.renewals.noteLeft(p, &x.record, x.lastHeard(), time.Now())
	}
}

// received is a decoded message with the memory reserved for it.
type received struct {
	acs.Message
	memory *inflight.Reservation // nil for small messages
}

// release releases the message's memory.
func (p received) release() {
	if p.memory != nil {
		p.memory.Release()
	}
}

// readMessages passes the agent's messages on until the connection ends.
func (x *session) readMessages(ctx context.Context, conn *websocket.Conn) error {
	for {
		raw, err := x.s.readMessage(ctx, x.peer, conn)
		if err == nil {
			x.lastHeardAt.Store(time.Now().UnixNano())
			x.handling.Store(true)
			err = x.receiveMessage(ctx, raw)
			x.handling.Store(false)
		}
		if errors.Is(err, errBusy) {
			x.requestClose(websocket.StatusTryAgainLater, err.Error())
		}
		if err != nil {
			return err
		}
	}
}

// receiveMessage decodes a message and passes it on. An error ends the connection.
func (x *session) receiveMessage(ctx context.Context, raw *message) error {
	defer raw.release()
	if raw.typ != websocket.MessageText {
		return nil
	}
	err := raw.reserveMemory(ctx, raw.b.Bytes())
	if errors.Is(err, errBusy) || ctx.Err() != nil {
		return err
	}
	var m acs.Message
	if err == nil {
		m, err = acs.Decode(raw.b.Bytes())
	}
	if err != nil {
		x.log.Debug("link: frame ignored", "err", err)
		return nil
	}
	if r, ok := m.(*acs.ReportMessage); ok {
		if err := x.s.rates.Wait(ctx, x.peer.String(), len(r.Reports)); err != nil {
			return err
		}
		x.noteAcks(r.Acks)
		x.queueAck(x.applyReports(ctx, r))
		return nil
	}
	p := received{m, raw.detachMemory()}
	select {
	case x.in <- p:
		return nil
	case <-ctx.Done():
		p.release()
		return ctx.Err()
	}
}
