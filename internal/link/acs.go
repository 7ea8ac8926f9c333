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
	// acsReadLimit bounds a message from an agent. The largest is an inventory:
	// some 200 bytes a task.
	acsReadLimit = 8 << 20
	// closeRefused is a close code that agents don't answer by reconnecting at
	// once, as they do to 1000, 1001, 1006 and 1011.
	closeRefused = websocket.StatusPolicyViolation
)

// serveACS decides on the upgrade, and everything that can fail is done before
// it is accepted: an agent whose accepted connection is closed comes back at
// once, in a hot loop.
func (s *Server) serveACS(w http.ResponseWriter, r *http.Request) {
	if !s.enter() {
		s.refuse(w, r, refusef(http.StatusServiceUnavailable, acs.ServerException, "this server is shutting down"))
		return
	}
	handed := false // to a goroutine of its own
	defer func() {
		if !handed {
			s.conns.Done()
		}
	}()
	q := r.URL.Query()
	p, why := s.admit(r, actionPoll, q.Get("clusterArn"), q.Get("containerInstanceArn"))
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
	if why := s.claim(r, p, x); why != nil {
		s.refuse(w, r, why)
		return
	}
	if why := s.join(p, x); why != nil {
		s.refuse(w, r, why)
		s.recorder.ended(p, x.id)
		return
	}

	// Taken after join, so that no change falls between it and the first mark,
	// and before the agent knows of the connection, so that its inventory is
	// younger than the reports in it.
	baseline := s.store.Snapshot()
	w.Header()[acs.ExtensionsHeader] = []string{acs.ExtensionsVersion, acs.ReportsVersion, acs.AcksVersion, acs.RangesVersion}
	if baseline.Restored() != nil {
		w.Header().Add(acs.ExtensionsHeader, acs.AccountsVersion)
	}
	x.last.Store(time.Now().UnixNano())
	conn, err := websocket.Accept(w, r, nil)
	x.socket.open(conn)
	if err != nil {
		s.cfg.Log.Info("link: upgrade failed", "instance", p, "err", err)
		s.leave(p, x)
		s.recorder.ended(p, x.id)
		return // Accept has answered
	}
	conn.SetReadLimit(acsReadLimit)
	s.cfg.Log.Info("link: agent connected", "instance", p, "connection", x.id, "agent", x.record.AgentVersion, "docker", x.record.Docker, "remote", r.RemoteAddr)
	// What the request held, and the deep stack that verified it, go with the
	// handler: a connection lasts.
	handed = true
	go func() {
		defer s.conns.Done()
		defer s.recorder.ended(p, x.id)
		defer s.leave(p, x)
		began := time.Now()
		s.ended(line{p, actionPoll}, began, x.serve(s.ctx, conn, baseline))
	}()
}

// runOf is what an agent says of its run.
func runOf(q url.Values) fleet.AgentRun {
	return fleet.AgentRun{
		Process: fleet.ClipBytes(q.Get(acs.RunParameter), fleet.MaxRun), Boot: fleet.ClipBytes(q.Get(acs.BootParameter), fleet.MaxRun),
	}
}

// join makes x the instance's connection here and ends the one before. Of two
// upgrades at once the one that owns the record stays.
func (s *Server) join(p peer, x *session) *refusal {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return refusef(http.StatusServiceUnavailable, acs.ServerException, "this server is shutting down")
	}
	switch rec := s.store.Snapshot().Session(p.cluster, p.id); {
	case rec == nil:
		s.recorder.check(p) // lost with its lease meanwhile
	case rec.Connection != x.id:
		return refusef(http.StatusConflict, acs.ServerException, "superseded by a newer connection")
	}
	if old := s.sessions[p]; old != nil {
		old.end(closeRefused, "superseded by a newer connection")
	}
	s.sessions[p] = x
	if len(s.sessions) == 1 {
		s.recorder.poke() // from now on it has to watch the lease
	}
	return nil
}

func (s *Server) leave(p peer, x *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sessions[p] == x {
		delete(s.sessions, p)
		s.renewals.left(p, &x.record, x.heard(), time.Now())
	}
}

// parcel is a decoded message with what it holds.
type parcel struct {
	acs.Message
	loan *inflight.Loan // nil for all but large ones
}

// done gives back what it held.
func (p parcel) done() {
	if p.loan != nil {
		p.loan.Return()
	}
}

// read passes the agent's messages on until the connection ends.
func (x *session) read(ctx context.Context, conn *websocket.Conn) error {
	for {
		raw, err := x.s.read(ctx, x.peer, conn)
		if err == nil {
			x.last.Store(time.Now().UnixNano())
			x.busy.Store(true)
			err = x.receive(ctx, raw)
			x.busy.Store(false)
		}
		if errors.Is(err, errBusy) {
			x.end(websocket.StatusTryAgainLater, err.Error())
		}
		if err != nil {
			return err
		}
	}
}

// receive passes one message on. Its error ends the connection.
func (x *session) receive(ctx context.Context, raw *message) error {
	defer raw.release()
	if raw.typ != websocket.MessageText {
		return nil
	}
	err := raw.weigh(ctx, raw.b.Bytes())
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
		x.acknowledged(r.Acks)
		x.acknowledge(x.take(ctx, r))
		return nil
	}
	p := parcel{m, raw.keep()}
	select {
	case x.in <- p:
		return nil
	case <-ctx.Done():
		p.done()
		return ctx.Err()
	}
}
