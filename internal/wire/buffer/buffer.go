// Package buffer has a pool of buffers for messages that are read, written or decoded.
// Thousands of connections share a few buffers.
package buffer

import (
	"bytes"
	"sync"
)

// MaxReused is the largest capacity of a buffer, in bytes, that goes back to the pool.
const MaxReused = 64 << 10

var pool = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// Get returns an empty buffer.
func Get() *bytes.Buffer { return pool.Get().(*bytes.Buffer) }

// Put returns a buffer to the pool. Its bytes must not be used any more.
func Put(b *bytes.Buffer) {
	if b.Cap() <= MaxReused {
		b.Reset()
		pool.Put(b)
	}
}
