package link

import (
	"bytes"
	"context"
	"sync"

	"github.com/coder/websocket"
)

// buffers hold one message each while it is read or written: thousands of sessions
// share few. One that had to grow beyond keepBuffer is let go.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

const keepBuffer = 64 << 10

func release(b *bytes.Buffer) {
	if b.Cap() <= keepBuffer {
		b.Reset()
		buffers.Put(b)
	}
}

// readMessage reads the next message into b once it comes.
func readMessage(ctx context.Context, conn *websocket.Conn) (typ websocket.MessageType, b *bytes.Buffer, err error) {
	typ, r, err := conn.Reader(ctx)
	if err != nil {
		return 0, nil, err
	}
	b = buffers.Get().(*bytes.Buffer)
	if _, err := b.ReadFrom(r); err != nil {
		release(b)
		return 0, nil, err
	}
	return typ, b, nil
}
