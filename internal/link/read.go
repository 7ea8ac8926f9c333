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
	// smallMessage is how large a message is that is read without asking for memory:
	// all but a large host's inventory are smaller.
	smallMessage = buffer.Kept
	// maxMemory and messagesEach bound what larger ones hold, while they are read
	// and until they are done with: of all agents, and of one.
	maxMemory, maxMemoryEach = 96 << 20, 64 << 20
	// messageWait is how long such a message waits for memory, and messageTime how
	// long it may take to come.
	messageWait, messageTime = 10 * time.Second, 30 * time.Second

	// An agent's messages are counted by weight: one for each, for each report in it,
	// and for each weightBytes. Who sends more than this waits.
	weightPerSecond, weightBurst = 250, 4000
	weightBytes                  = 4 << 10
)

// message is what an agent has sent, in a buffer that is lent. It must be given
// back, once nobody uses its bytes any more.
type message struct {
	typ    websocket.MessageType
	b      *bytes.Buffer
	memory *inflight.Reservation // of a large one
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

// detachMemory gives the bytes back and hands over what the decoded message holds.
func (m *message) detachMemory() *inflight.Reservation {
	loan := m.memory
	m.memory = nil
	m.release()
	return loan
}

// readMessage reads the next message. Its memory follows what arrives.
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
	late := time.AfterFunc(messageTime, func() { _ = conn.CloseNow() }) // the read says so
	defer late.Stop()
	m.memory = s.memory.Reserve(p.String(), maxMemoryEach)
	for size := int64(2 * smallMessage); ; size *= 2 {
		// What has come is copied once more when the buffer grows.
		if err := m.memory.Resize(ctx, size+size/2); err != nil {
			return toBusyError(err)
		}
		n, err := m.b.ReadFrom(io.LimitReader(r, size/2))
		if err != nil || n < size/2 {
			return err
		}
	}
}

// reserveMemory looks at a message before it is decoded, and asks for the memory that this
// takes.
func (m *message) reserveMemory(ctx context.Context, body []byte) error {
	bytes, err := frame.Weigh(body)
	if err != nil || m.memory == nil {
		return err
	}
	if err := m.memory.Resize(ctx, m.memory.Size()+bytes); err != nil {
		return toBusyError(err)
	}
	return nil
}

// errBusy ends a connection for whose message there is no memory, with
// StatusTryAgainLater: the agent comes back after a while.
var errBusy = errors.New("too much is under way")

func toBusyError(err error) error {
	if errors.Is(err, inflight.ErrShare) || errors.Is(err, inflight.ErrFull) {
		return fmt.Errorf("%w: %w", errBusy, err)
	}
	return err
}
