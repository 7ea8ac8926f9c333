package session

import (
	"sync"
	"time"

	"github.com/ashore/ashore/internal/pace"
	"github.com/ashore/ashore/internal/wire/line"
)

// probeInterval is the time between two pings of a server. probeTimeout is how long its
// answer may take. A busy server has enough time. The agent leaves a server that hangs
// after 10 to 20 seconds, not only after one or two minutes of silence.
const (
	probeInterval = 10 * time.Second
	probeTimeout  = 10 * time.Second
)

// probe pings a connection's server periodically.
type probe struct {
	s    *Session
	conn *line.Conn
	turn int64 // of the server

	mu      sync.Mutex
	timer   *time.Timer // until the next ping, or for the answer
	pending bool        // a ping is not answered yet
	stopped bool
}

// startProbe begins to probe a connection to the server of a turn. If the server does not
// answer, the connection is closed and the agent switches to another server. It returns
// nil if there is no other server.
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
		_ = p.conn.Ping() // a ping that can't be sent is not answered
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

// stop ends the probe. It accepts a nil probe.
func (p *probe) stop() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = true
	p.timer.Stop()
}
