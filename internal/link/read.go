package link

import (
	"bytes"
	"context"

	"github.com/coder/websocket"

	"github.com/ashore/ashore/internal/wire/buffer"
)

// readMessage reads the next message into a buffer that is lent once it comes.
func readMessage(ctx context.Context, conn *websocket.Conn) (typ websocket.MessageType, b *bytes.Buffer, err error) {
	typ, r, err := conn.Reader(ctx)
	if err != nil {
		return 0, nil, err
	}
	b = buffer.Get()
	if _, err := b.ReadFrom(r); err != nil {
		buffer.Put(b)
		return 0, nil, err
	}
	return typ, b, nil
}
