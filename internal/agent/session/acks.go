package session

import (
	"time"

	"github.com/ashore/ashore/internal/wire/acs"
)

// ackDelay is how long an acknowledgement waits for a message with reports to
// travel in: a task's first is seldom long in coming. The server repeats what is
// not acknowledged for a minute.
const ackDelay = time.Second

// acks are those of one connection that wait.
type acks struct {
	list  []*acs.AckRequest
	timer *time.Timer // runs while one waits; nil until needed
}

// queueAck leaves an acknowledgement to the next reports, unless the connection
// that it is for is not the one that takes them.
func (o *outbox) queueAck(conn *acsConn, ack *acs.AckRequest) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.conn != conn {
		return false
	}
	if o.acks.list = append(o.acks.list, ack); len(o.acks.list) > 1 {
		return true
	}
	if o.acks.timer == nil {
		o.acks.timer = time.AfterFunc(ackDelay, o.sendAcks)
	} else {
		o.acks.timer.Reset(ackDelay)
	}
	return true
}

// sendAcks sends those that have waited long enough, and what waits with them.
func (o *outbox) sendAcks() {
	o.mu.Lock()
	conn, list := o.conn, o.dequeueAcksLocked()
	o.mu.Unlock()
	for _, ack := range list {
		conn.sendMessage(ack)
	}
}

// dequeueAcksLocked hands out all that wait.
func (o *outbox) dequeueAcksLocked() []*acs.AckRequest {
	list := o.acks.list
	if len(list) > 0 {
		o.acks.list = nil
		o.acks.timer.Stop()
	}
	return list
}
