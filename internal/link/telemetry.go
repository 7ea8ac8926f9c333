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
	// tcsReadLimit is over what agents send: a MiB at most.
	tcsReadLimit = 2 << 20
	// tcsSilence is after how long without a message (one comes every 20 s) a
	// telemetry connection is given up.
	tcsSilence = 3 * time.Minute
)

// telemetry is one agent's TCS connection. Whatever comes is acknowledged;
// nothing of it reaches the store but how the host itself and its tasks'
// containers are, where that changes.
type telemetry struct {
	run     fleet.AgentRun
	socket  *socket
	quit    context.Context // ended by end, and when the connection is over
	leave   context.CancelFunc
	once    sync.Once
	closing ending // set before quit ends
}

func (t *telemetry) end(code websocket.StatusCode, reason string) {
	t.once.Do(func() {
		t.closing = ending{code, reason}
		t.leave()
	})
}

func (s *Server) serveTCS(w http.ResponseWriter, r *http.Request) {
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
	p, why := s.admit(r, actionTelemetry, q.Get("cluster"), q.Get("containerInstance"))
	if why != nil {
		s.refuse(w, r, why)
		return
	}
	t := &telemetry{run: runOf(q), socket: newSocket()}
	if why := s.vetTelemetry(r.Context(), p, t.run); why != nil {
		s.refuse(w, r, why)
		return
	}
	t.quit, t.leave = context.WithCancel(context.Background())
	s.mu.Lock()
	closing := s.closing
	if !closing {
		if old := s.telemetry[p]; old != nil {
			old.end(closeRefused, "superseded by a newer connection")
		}
		s.telemetry[p] = t
	}
	s.mu.Unlock()
	if closing {
		s.refuse(w, r, refusef(http.StatusServiceUnavailable, acs.ServerException, "this server is shutting down"))
		return
	}
	conn, err := websocket.Accept(w, r, nil)
	t.socket.open(conn)
	if err != nil {
		s.cfg.Log.Info("link: telemetry upgrade failed", "instance", p, "err", err)
		s.forget(p, t)
		return // Accept has answered
	}
	conn.SetReadLimit(tcsReadLimit)
	handed = true
	go func() { // as with ACS
		defer s.conns.Done()
		defer s.forget(p, t)
		began := time.Now()
		s.ended(line{p, actionTelemetry}, began, s.listen(p, t, conn))
	}()
}

// forget ends what is known of a connection.
func (s *Server) forget(p peer, t *telemetry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t.leave()
	if s.telemetry[p] == t {
		delete(s.telemetry, p)
	}
}

// listen takes telemetry until either side ends the connection. It returns why.
func (s *Server) listen(p peer, t *telemetry, conn *websocket.Conn) error {
	closed := make(chan struct{})
	stop := context.AfterFunc(t.quit, func() {
		defer close(closed)
		if err := conn.Close(t.closing.code, t.closing.reason); err != nil {
			s.cfg.Log.Debug("link: telemetry close handshake", "instance", p, "err", err)
		}
	})
	err := s.receive(s.ctx, p, conn)
	switch {
	case errors.Is(err, errBusy):
		t.end(websocket.StatusTryAgainLater, err.Error())
	case store.IsItemError(err):
		t.end(closeRefused, errSetAside.Error())
	}
	s.cfg.Log.Debug("link: telemetry ended", "instance", p, "reason", err)
	if !stop() {
		<-closed
	}
	_ = conn.CloseNow() // closed already, or past being told
	return err
}

func (s *Server) receive(ctx context.Context, p peer, conn *websocket.Conn) error {
	for {
		read, cancel := context.WithTimeout(ctx, tcsSilence)
		m, err := s.read(read, p, conn)
		cancel()
		if err != nil {
			return err
		}
		var answer tcs.Message
		err = contain.Do(func() (err error) {
			answer, err = s.observe(ctx, p, m)
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

// observe takes one frame and returns its acknowledgement. The signature in its
// header is not looked at: the connection's upgrade was verified.
func (s *Server) observe(ctx context.Context, p peer, raw *message) (tcs.Message, error) {
	_, body, err := tcs.Split(raw.b.Bytes())
	if err != nil {
		return nil, err
	}
	if err := raw.weigh(ctx, body); err != nil {
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
		if err := s.keepTaskHealth(ctx, p, m); err != nil {
			s.cfg.Log.Warn("link: tasks' health lags behind", "instance", p, "err", err)
		}
		return &tcs.AckPublishHealth{}, nil
	case *tcs.PublishInstanceStatusRequest:
		if err := s.keepHealth(ctx, p, m); err != nil {
			s.cfg.Log.Warn("link: an instance's health lags behind", "instance", p, "err", err)
		}
		return &tcs.AckPublishInstanceStatus{}, nil
	}
	return nil, nil
}
