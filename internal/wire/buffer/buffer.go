// Package buffer lends buffers for messages that are being read, written or taken
// apart: thousands of connections share few.
package buffer

import (
	"bytes"
	"sync"
)

// MaxReused bounds what is used again: one that had to grow further is let go.
const MaxReused = 64 << 10

var pool = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// Get lends an empty buffer.
func Get() *bytes.Buffer { return pool.Get().(*bytes.Buffer) }

// Put takes it back; nothing may use its bytes any more.
func Put(b *bytes.Buffer) {
	if b.Cap() <= MaxReused {
		b.Reset()
		pool.Put(b)
	}
}
