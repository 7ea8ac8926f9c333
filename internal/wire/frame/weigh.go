package frame

import "errors"

// Bounds of one frame. The largest frame of an agent is an inventory of 10,000 tasks and
// 50,000 tombstones. It has half of that.
const (
	maxObjects = 200_000 // objects and lists
	maxValues  = 1_000_000
	maxDepth   = 32
	// minObjectBytes is the smallest mean size of an object on the wire, since all
	// objects that agents send have members. maxEmptyObjects more may be empty.
	minObjectBytes  = 20
	maxEmptyObjects = 64

	// The memory that an object and a value take, in bytes.
	objectMemory = 160
	valueMemory  = 32
)

// ErrTooMuch refuses a frame that would take far more memory than its size.
var ErrTooMuch = errors.New("too many elements, or nested too deep")

// EstimateMemory returns about how many bytes of memory a frame's JSON takes when it is
// decoded. The JSON need not be valid.
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
