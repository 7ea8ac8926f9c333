package frame

import "errors"

// What one frame may hold. The largest that agents send, an inventory of 10,000
// tasks and 50,000 that have ended, has half of it.
const (
	maxObjects = 200_000 // objects and lists
	maxValues  = 1_000_000
	maxDepth   = 32
	// minObjectBytes is how many bytes an object takes on the wire at least, on the average:
	// every one that agents send has members. A few may be empty.
	minObjectBytes  = 20
	maxEmptyObjects = 64

	// What an object and a value may come to in memory.
	objectMemory = 160
	valueMemory  = 32
)

// ErrTooMuch refuses a frame that would take far more memory than it has bytes.
var ErrTooMuch = errors.New("too many elements, or nested too deep")

// EstimateMemory looks at a frame's JSON before it is decoded and returns about how much
// memory it comes to. It need not be valid.
func EstimateMemory(data []byte) (bytes int64, err error) {
	objects, values, depth, quoted := 0, 1, 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			objects++
			if depth++; depth > maxDepth {
				return 0, ErrTooMuch
			}
		case c == '}' || c == ']':
			depth--
		case c == ',':
			values++
		}
	}
	if objects > min(maxObjects, maxEmptyObjects+len(data)/minObjectBytes) || values > maxValues {
		return 0, ErrTooMuch
	}
	return int64(len(data) + objects*objectMemory + values*valueMemory), nil
}
