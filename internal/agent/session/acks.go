package session

import (
	"time"

	"github.com/ashore/ashore/internal/wire/acs"
)

// ackDelay is how long an acknowledgement waits for a message with reports to be sent
// with. A task's first report usually follows soon. The server repeats a message that is
// not acknowledged within a minute.
const ackDelay = time.Second

// acks are the waiting acknowledgements of one connection.
type acks struct {
	list  []*acs.AckRequest
	timer *time.Timer // runs while one waits; nil before the first
}

// queueAck queues an acknowledgement to be sent with the next reports. It returns false if
// the reports do not go by the acknowledgement's own connection.
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

// sendAcks sends all queued acknowledgements by themselves.
func (o *outbox) sendAcks() {
	o.mu.Lock()
	conn, list := o.conn, o.dequeueAcksLocked()
	o.mu.Unlock()
	for _, ack := range list {
		conn.sendMessage(ack)
	}
}

// dequeueAcksLocked removes and returns all queued acknowledgements.
func (o *outbox) dequeueAcksLocked() []*acs.AckRequest {
	list := o.acks.list
	if len(list) > 0 {
		o.acks.list = nil
		o.acks.timer.Stop()
	}
	return list
}
