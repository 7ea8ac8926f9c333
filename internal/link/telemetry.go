package link

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/ashore/ashore/internal/contain"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/ashore/ashore/internal/wire/acs"
	"github.com/ashore/ashore/internal/wire/tcs"
	"github.com/coder/websocket"
)

const (
	// tcsReadLimit bounds a message in bytes. Agents send 1 MiB at most.
	tcsReadLimit = 2 << 20
	// tcsSilence is how long a telemetry connection may bring no message. Agents send
	// one every 20 s.
	tcsSilence = 3 * time.Minute
)

// telemetry is one agent's TCS connection. Every message is acknowledged. Only changes of
// the host's health and of its containers' health reach the store.
type telemetry struct {
	run     fleet.AgentRun
	socket  *socket
	quit    context.Context // ends when a close is requested or the connection is over
	cancel  context.CancelFunc
	once    sync.Once
	closing closeReason // set before quit ends
}

// requestClose requests that the connection be closed. Only the first call counts.
func (t *telemetry) requestClose(code websocket.StatusCode, reason string) {
	t.once.Do(func() {
		t.closing = closeReason{code, reason}
		t.cancel()
	})
}

// serveTCS answers the upgrade for a TCS connection.
func (s *Server) serveTCS(w http.ResponseWriter, r *http.Request) {
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
	p, why := s.authorizeUpgrade(r, actionTelemetry, q.Get("cluster"), q.Get("containerInstance"))
	if why != nil {
		s.refuse(w, r, why)
		return
	}
	t := &telemetry{run: runOf(q), socket: newSocket()}
	if why := s.checkTelemetryDuplicate(r.Context(), p, t.run); why != nil {
		s.refuse(w, r, why)
		return
	}
	t.quit, t.cancel = context.WithCancel(context.Background())
	s.mu.Lock()
	closing := s.closing
	if !closing {
		if old := s.telemetry[p]; old != nil {
			old.requestClose(closeRefused, "superseded by a newer connection")
		}
		s.telemetry[p] = t
	}
	s.mu.Unlock()
	if closing {
		s.refuse(w, r, newRefusal(http.StatusServiceUnavailable, acs.ServerException, "this server is shutting down"))
		return
	}
	conn, err := websocket.Accept(w, r, nil)
	t.socket.setConn(conn)
	if err != nil {
		s.cfg.Log.Info("link: telemetry upgrade failed", "instance", p, "err", err)
		s.removeTelemetry(p, t)
		return // Accept has answered
	}
	conn.SetReadLimit(tcsReadLimit)
	detached = true
	go func() { // see serveACS
		defer s.conns.Done()
		defer s.removeTelemetry(p, t)
		began := time.Now()
		s.noteEnd(connectionKey{p, actionTelemetry}, began, s.serveTelemetry(p, t, conn))
	}()
}

// removeTelemetry removes an ended connection.
func (s *Server) removeTelemetry(p peer, t *telemetry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t.cancel()
	if s.telemetry[p] == t {
		delete(s.telemetry, p)
	}
}

// serveTelemetry receives telemetry until either side ends the connection. It returns the
// reason.
func (s *Server) serveTelemetry(p peer, t *telemetry, conn *websocket.Conn) error {
	closed := make(chan struct{})
	stop := context.AfterFunc(t.quit, func() {
		defer close(closed)
		if err := conn.Close(t.closing.code, t.closing.reason); err != nil {
			s.cfg.Log.Debug("link: telemetry close handshake", "instance", p, "err", err)
		}
	})
	err := s.receiveTelemetry(s.ctx, p, conn)
	switch {
	case errors.Is(err, errBusy):
		t.requestClose(websocket.StatusTryAgainLater, err.Error())
	case store.IsItemError(err):
		t.requestClose(closeRefused, errSetAside.Error())
	}
	s.cfg.Log.Debug("link: telemetry ended", "instance", p, "reason", err)
	if !stop() {
		<-closed
	}
	_ = conn.CloseNow() // closed already, or can't be told any more
	return err
}

// receiveTelemetry handles messages and sends their acknowledgements, until an error ends
// the connection.
func (s *Server) receiveTelemetry(ctx context.Context, p peer, conn *websocket.Conn) error {
	for {
		read, cancel := context.WithTimeout(ctx, tcsSilence)
		m, err := s.readMessage(read, p, conn)
		cancel()
		if err != nil {
			return err
		}
		var answer tcs.Message
		err = contain.Do(func() (err error) {
			answer, err = s.handleTelemetry(ctx, p, m)
			return err
		})
		m.release()
		if errors.Is(err, errBusy) || store.IsItemError(err) {
			return err
		}
		if err != nil {
			s.cfg.Log.Debug("link: telemetry frame ignored", "instance", p, "err", err)
			continue
		}
		if answer == nil {
			continue
		}
		frame, err := tcs.Encode(answer)
		if err != nil {
			return err
		}
		write, cancel := context.WithTimeout(ctx, s.cfg.WriteWait)
		err = conn.Write(write, websocket.MessageText, frame)
		cancel()
		if err != nil {
			return err
		}
	}
}

// handleTelemetry handles one message and returns its acknowledgement. It ignores the
// signature in the message's header, since the connection's upgrade was verified.
func (s *Server) handleTelemetry(ctx context.Context, p peer, raw *message) (tcs.Message, error) {
	_, body, err := tcs.Split(raw.b.Bytes())
	if err != nil {
		return nil, err
	}
	if err := raw.reserveMemory(ctx, body); err != nil {
		return nil, err
	}
	m, err := tcs.Decode(body)
	if err != nil {
		return nil, err
	}
	switch m := m.(type) {
	case *tcs.PublishMetricsRequest:
		return &tcs.AckPublishMetric{}, nil
	case *tcs.PublishHealthRequest:
		if err := s.storeTaskHealth(ctx, p, m); err != nil {
			s.cfg.Log.Warn("link: tasks' health lags behind", "instance", p, "err", err)
		}
		return &tcs.AckPublishHealth{}, nil
	case *tcs.PublishInstanceStatusRequest:
		if err := s.storeHealth(ctx, p, m); err != nil {
			s.cfg.Log.Warn("link: an instance's health lags behind", "instance", p, "err", err)
		}
		return &tcs.AckPublishInstanceStatus{}, nil
	}
	return nil, nil
}
