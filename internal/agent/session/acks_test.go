package session

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/ashore/ashore/internal/agent/engine"
	"github.com/ashore/ashore/internal/agent/runtime/fake"
	"github.com/ashore/ashore/internal/wire/acs"
)

// connPair is both ends of a connection for orders.
type connPair struct {
	*acsConn
	began time.Time

	mu  sync.Mutex
	got []string // received messages and their times; guarded by mu
}

// newPeer connects an agent to a server that answers reports.
func newPeer(t *testing.T, acks bool) *connPair {
	t.Helper()
	p := &connPair{began: time.Now()}
	s := &Session{log: slog.New(slog.DiscardHandler)}
	s.cfg.Engine = engine.New(engine.Config{Runtime: fake.New(fake.Config{}), OnReport: func(arn string) { s.NotifyReport(arn) }})
	t.Cleanup(s.cfg.Engine.Close)
	s.outbox = newOutbox(s)
	conn := connect(t, func(conn *websocket.Conn) {
		for {
			_, data, err := conn.Read(t.Context())
			if err != nil {
				return
			}
			m, err := acs.Decode(data)
			if err != nil {
				t.Error(err)
			}
			switch m := m.(type) {
			case *acs.AckRequest:
				p.note("%s from %s of %s", m.MessageID, m.ContainerInstance, m.Cluster)
			case *acs.ReportMessage:
				p.note("%s %s with %v", m.Reports[0].TaskArn, m.Reports[0].Status, m.Acks)
				answer, err := acs.Encode(&acs.ReportAck{MessageID: m.MessageID})
				if err == nil {
					err = conn.Write(t.Context(), websocket.MessageText, answer)
				}
				if err != nil {
					t.Error(err)
				}
			}
		}
	})
	p.acsConn = &acsConn{Session: s, conn: conn, ctx: t.Context(), reports: true, acks: acks, expiry: startExpiry(conn)}
	t.Cleanup(p.expiry.stop)
	s.outbox.start(t.Context())
	s.outbox.attach(p.acsConn)
	go conn.Each(p.receiveFrame) // ends with the connection
	return p
}

func (p *connPair) note(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.got = append(p.got, fmt.Sprintf("%s: ", time.Since(p.began))+fmt.Sprintf(format, args...))
}

// expectReceived checks the received messages so far, and removes them.
func (p *connPair) expectReceived(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	if fmt.Sprintf("%q", p.got) != fmt.Sprintf("%q", want) {
		t.Errorf("after %s:\n%q, not\n%q", time.Since(p.began), p.got, want)
	}
	p.got = nil
}

// An acknowledgement goes with the next reports, but waits at most a second for them.
func TestAcknowledgementsTravelWithReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t, true)
		p.acknowledge("c", "i", "1")
		p.acknowledge("c", "i", "2")
		time.Sleep(ackDelay / 2)
		p.expectReceived(t)
		p.cfg.Engine.Reject("a", errors.New("unreadable")) // the engine reports it
		p.expectReceived(t, "500ms: a STOPPED with [1 2]")
		time.Sleep(ackDelay / 2) // the timer of the first was for those
		p.acknowledge("c", "i", "3")
		time.Sleep(ackDelay / 2)
		p.acknowledge("c", "i", "4")
		time.Sleep(ackDelay/2 - 1)
		p.expectReceived(t)
		time.Sleep(time.Nanosecond)
		p.expectReceived(t, "2s: 3 from i of c", "2s: 4 from i of c")
		p.cfg.Engine.Reject("b", errors.New("unreadable"))
		p.expectReceived(t, "2s: b STOPPED with []")

		// On the next connection the server begins again.
		p.acknowledge("c", "i", "5")
		p.outbox.detach(p.acsConn)
		time.Sleep(2 * ackDelay)
		p.expectReceived(t)
		p.outbox.attach(p.acsConn)
		p.cfg.Engine.Reject("c", errors.New("unreadable"))
		p.expectReceived(t, "4s: c STOPPED with []")
	})
}

// A server that does not know this extension gets each acknowledgement at once.
func TestAcknowledgementsByThemselves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t, false)
		p.acknowledge("c", "i", "1")
		p.cfg.Engine.Reject("a", errors.New("unreadable"))
		p.expectReceived(t, "0s: 1 from i of c", "0s: a STOPPED with []")
	})
}
