package link

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/coder/websocket"

	"github.com/ashore/ashore/internal/wire/buffer"
	"github.com/ashore/ashore/internal/wire/frame"
	"github.com/ashore/ashore/internal/wire/inflight"
)

const (
	// smallMessage is the size up to which a message is read without a reservation of
	// memory. Only the inventory of a large host is larger.
	smallMessage = buffer.MaxReused
	// maxMemory and maxMemoryEach bound the bytes that larger messages use from their
	// first byte until they are handled: those of all agents, and those of one.
	maxMemory, maxMemoryEach = 96 << 20, 64 << 20
	// messageWait bounds the wait of such a message for memory. messageTime bounds how
	// long it may take to arrive.
	messageWait, messageTime = 10 * time.Second, 30 * time.Second

	// An agent's messages are counted by weight: one for each message, one for each
	// report in it, and one for each weightBytes. An agent that exceeds the rate has to
	// wait.
	weightPerSecond, weightBurst = 250, 4000
	weightBytes                  = 4 << 10
)

// message is a message of an agent, in a pooled buffer. Call release when its bytes are no
// longer used.
type message struct {
	typ    websocket.MessageType
	b      *bytes.Buffer
	memory *inflight.Reservation // of a large message
}

func (m *message) release() {
	if m.b != nil {
		buffer.Put(m.b)
		m.b = nil
	}
	if m.memory != nil {
		m.memory.Release()
		m.memory = nil
	}
}

// detachMemory releases the buffer and returns the reservation for the decoded message.
func (m *message) detachMemory() *inflight.Reservation {
	loan := m.memory
	m.memory = nil
	m.release()
	return loan
}

// readMessage reads the next message. It reserves memory as the bytes arrive.
func (s *Server) readMessage(ctx context.Context, p peer, conn *websocket.Conn) (*message, error) {
	typ, r, err := conn.Reader(ctx)
	if err != nil {
		return nil, err
	}
	m := &message{typ: typ, b: buffer.Get()}
	if err := s.readInto(ctx, m, p, conn, r); err != nil {
		m.release()
		return nil, err
	}
	if err := s.rates.Wait(ctx, p.String(), 1+m.b.Len()/weightBytes); err != nil {
		m.release()
		return nil, err
	}
	return m, nil
}

func (s *Server) readInto(ctx context.Context, m *message, p peer, conn *websocket.Conn, r io.Reader) error {
	if n, err := m.b.ReadFrom(io.LimitReader(r, smallMessage)); err != nil || n < smallMessage {
		return err
	}
	late := time.AfterFunc(messageTime, func() { _ = conn.CloseNow() }) // then the read returns an error
	defer late.Stop()
	m.memory = s.memory.Reserve(p.String(), maxMemoryEach)
	for size := int64(2 * smallMessage); ; size *= 2 {
		// When the buffer grows, the bytes so far exist twice for a moment.
		if err := m.memory.Resize(ctx, size+size/2); err != nil {
			return toBusyError(err)
		}
		n, err := m.b.ReadFrom(io.LimitReader(r, size/2))
		if err != nil || n < size/2 {
			return err
		}
	}
}

// reserveMemory checks a message before it is decoded, and reserves the memory that
// decoding it needs.
func (m *message) reserveMemory(ctx context.Context, body []byte) error {
	bytes, err := frame.EstimateMemory(body)
	if err != nil || m.memory == nil {
		return err
	}
	if err := m.memory.Resize(ctx, m.memory.Size()+bytes); err != nil {
		return toBusyError(err)
	}
	return nil
}

// errBusy ends a connection if there is no memory for its message. The close code is
// StatusTryAgainLater, after which the agent reconnects after a while.
var errBusy = errors.New("too much is under way")

func toBusyError(err error) error {
	if errors.Is(err, inflight.ErrShare) || errors.Is(err, inflight.ErrFull) {
		return fmt.Errorf("%w: %w", errBusy, err)
	}
	return err
}
