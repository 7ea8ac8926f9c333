package session

import (
	"sync"
	"time"

	"github.com/ashore/ashore/internal/pace"
	"github.com/ashore/ashore/internal/wire/line"
)

// How often a server is asked whether it is there, and for how long its answer is
// waited for: one that is busy has its time, one that does not move at all is
// left after 10 to 20 seconds instead of the one or two minutes of its silence.
const (
	probeInterval = 10 * time.Second
	probeTimeout  = 10 * time.Second
)

// probe asks a connection's server over and over whether it is there.
type probe struct {
	s    *Session
	conn *line.Conn
	turn int64 // of the server

	mu      sync.Mutex
	timer   *time.Timer // until the next question, or for the answer
	pending bool        // and not answered
	stopped bool
}

// startProbe begins to probe a connection to the server of a turn. One that does not
// answer loses the connection, and another is gone over to. Where there is no
// other nothing is asked: there would be nothing to gain.
func (s *Session) startProbe(conn *line.Conn, turn int64) *probe {
	if len(s.api.servers) < 2 {
		return nil
	}
	p := &probe{s: s, conn: conn, turn: turn}
	conn.OnPong(p.handlePong)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.timer = time.AfterFunc(pace.Nearly(probeInterval), p.tick)
	return p
}

func (p *probe) tick() {
	p.mu.Lock()
	late, over := p.pending, p.stopped
	if !over && !late {
		p.pending = true
		p.timer.Reset(probeTimeout)
	}
	p.mu.Unlock()
	switch {
	case over:
	case late:
		if p.s.api.switchServer(p.turn) {
			p.s.log.Warn("the server does not answer, going over to another", "waited", probeTimeout)
		}
		p.conn.CloseNow()
	default:
		_ = p.conn.Ping() // what does not get through is not answered
	}
}

func (p *probe) handlePong() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pending && !p.stopped {
		p.pending = false
		p.timer.Reset(pace.Nearly(probeInterval))
	}
}

// stop ends it. A nil probe has not begun.
func (p *probe) stop() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = true
	p.timer.Stop()
}
