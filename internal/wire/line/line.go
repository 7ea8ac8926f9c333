// Package line is the client's end of websockets that last long and are quiet most of the
// time. A process may have many of them: a quiet one uses a kilobyte. Messages that are
// sent during a write are combined into the next write.
package line

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/gobwas/ws"

	"github.com/ashore/ashore/internal/wire/buffer"
)

const (
	readBuffer = 1 << 10
	// writeTimeout is how long the other end may accept no data.
	writeTimeout = 30 * time.Second
	// closeWait is how long the other end may take to answer a close frame.
	closeWait = 5 * time.Second
)

// errClosing is the error of messages after the close frame.
var errClosing = errors.New("the websocket is closing")

// ClosedError means that the other end has sent a close frame.
type ClosedError struct {
	Code   ws.StatusCode
	Reason string
}

func (e *ClosedError) Error() string { return fmt.Sprintf("closed with %d: %s", e.Code, e.Reason) }

// Conn is a connection. Only one goroutine may read; any may call the other methods.
type Conn struct {
	rwc   io.ReadWriteCloser // constant
	limit int64              // of a message; constant

	// Only the reader uses these.
	in   *bufio.Reader
	head [ws.MaxHeaderSize]byte
	pong func() // called at each answer to Ping; may be nil

	mu         sync.Mutex
	queue      *bytes.Buffer // frames that wait; nil if none do
	writing    bool          // a goroutine writes, and will also write the queue
	err        error         // why nothing can be written any more
	writeTimer *time.Timer   // ends a write that takes too long
}

func newConn(rwc io.ReadWriteCloser, limit int64) *Conn {
	return &Conn{rwc: rwc, limit: limit, in: bufio.NewReaderSize(rwc, readBuffer)}
}

// Each calls fn for every message until the connection ends, and returns why. A message is
// valid only until fn returns.
func (c *Conn) Each(fn func(data []byte)) error {
	for {
		// The reader waits here most of the time, while its stack is small.
		if _, err := c.in.Peek(1); err != nil {
			return err
		}
		b, err := c.readMessage()
		if err != nil {
			return err
		}
		fn(b.Bytes())
		buffer.Put(b)
	}
}

// readMessage reads one message.
func (c *Conn) readMessage() (*bytes.Buffer, error) {
	h, err := c.readHeader(false)
	if err != nil {
		return nil, err
	}
	b := buffer.Get()
	for {
		if err := c.readPayload(b, h); err != nil {
			return nil, err
		}
		if h.Fin {
			return b, nil
		}
		if h, err = c.readHeader(true); err != nil {
			return nil, err
		}
	}
}

// readHeader reads the header of the next data frame. It answers the control frames before
// it.
func (c *Conn) readHeader(within bool) (ws.Header, error) {
	for {
		h, err := ws.ReadHeaderBuffer(c.in, c.head[:])
		if err != nil {
			return h, err
		}
		state := ws.StateClientSide
		if within {
			state = state.Set(ws.StateFragmented)
		}
		if err := ws.CheckHeader(h, state); err != nil {
			c.Close(ws.StatusProtocolError, err.Error())
			return h, err
		}
		if h.OpCode.IsData() || h.OpCode == ws.OpContinuation {
			return h, nil
		}
		if err := c.answerControl(h); err != nil {
			return h, err
		}
	}
}

func (c *Conn) readPayload(b *bytes.Buffer, h ws.Header) error {
	if h.Length > c.limit-int64(b.Len()) {
		err := fmt.Errorf("a message of more than %d bytes", c.limit)
		c.Close(ws.StatusMessageTooBig, err.Error())
		return err
	}
	if h.Length <= buffer.MaxReused {
		b.Grow(int(h.Length))
		into := b.AvailableBuffer()[:h.Length]
		if _, err := io.ReadFull(c.in, into); err != nil {
			return err
		}
		b.Write(into)
		return nil
	}
	_, err := io.CopyN(b, c.in, h.Length) // grows as it comes
	return err                            // grows as data arrives
}

// answerControl answers a control frame. For a close frame it returns an error.
func (c *Conn) answerControl(h ws.Header) error {
	data := make([]byte, h.Length)
	if _, err := io.ReadFull(c.in, data); err != nil {
		return err
	}
	switch h.OpCode {
	case ws.OpPing:
		return c.sendFrame(ws.OpPong, data)
	case ws.OpPong:
		if c.pong != nil {
			c.pong()
		}
	case ws.OpClose:
		e := &ClosedError{Code: ws.StatusNoStatusRcvd}
		if len(data) >= 2 {
			e.Code, e.Reason = ws.ParseCloseFrameData(data)
		}
		_ = c.sendClose(data[:min(2, len(data))]) // the answer; the connection ends in any case
		return e
	}
	return nil
}

// Write sends a message. It writes at once, unless another goroutine is writing. Then that
// goroutine also writes this message, and its failure is not returned here.
func (c *Conn) Write(data []byte) error { return c.sendFrame(ws.OpText, data) }

// OnPong sets a function that the reader calls at each answer to Ping. Call it before
// Each.
func (c *Conn) OnPong(fn func()) { c.pong = fn }

// Ping sends a ping.
func (c *Conn) Ping() error { return c.sendFrame(ws.OpPing, nil) }

// Close sends a close frame. The other end should then end the connection.
func (c *Conn) Close(code ws.StatusCode, reason string) {
	_ = c.sendClose(ws.NewCloseFrameBody(code, reason)) // a failure breaks the connection
	time.AfterFunc(closeWait, c.CloseNow)
}

func (c *Conn) sendClose(body []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return c.err
	}
	c.queueFrameLocked(ws.OpClose, body)
	err := c.flushLocked()
	if c.err == nil {
		c.err = errClosing
	}
	return err
}

// CloseNow closes the connection at once. Reader and writers return.
func (c *Conn) CloseNow() {
	_ = c.rwc.Close() // it may be closed already
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = io.ErrClosedPipe
	}
}

func (c *Conn) sendFrame(op ws.OpCode, data []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return c.err
	}
	c.queueFrameLocked(op, data)
	return c.flushLocked()
}

// queueFrameLocked queues a masked frame.
func (c *Conn) queueFrameLocked(op ws.OpCode, data []byte) {
	if c.queue == nil {
		c.queue = buffer.Get()
	}
	h := ws.Header{Fin: true, OpCode: op, Masked: true, Mask: ws.NewMask(), Length: int64(len(data))}
	_ = ws.WriteHeader(c.queue, h) // a buffer takes everything
	n := c.queue.Len()
	c.queue.Write(data)
	ws.Cipher(c.queue.Bytes()[n:], h.Mask, 0)
}

// flushLocked writes until the queue is empty, unless another goroutine does that.
func (c *Conn) flushLocked() error {
	if c.writing {
		return nil
	}
	c.writing = true
	for c.queue != nil {
		out := c.queue
		c.queue = nil
		if c.writeTimer == nil {
			c.writeTimer = time.AfterFunc(writeTimeout, func() { _ = c.rwc.Close() })
		} else {
			c.writeTimer.Reset(writeTimeout)
		}
		c.mu.Unlock()
		_, err := c.rwc.Write(out.Bytes())
		buffer.Put(out)
		c.mu.Lock()
		c.writeTimer.Stop()
		if err != nil {
			_ = c.rwc.Close() // ends the reader
			c.queue, c.err = nil, err
		}
	}
	c.writing = false
	return c.err
}
