package tcs

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ashore/ashore/internal/wire/frame"
)

// Message is one of this package's message structs, by pointer.
type Message interface{ kind() string }

// TypeOf is the name a message has on the wire.
func TypeOf(m Message) string { return m.kind() }

var protocol = frame.New("tcs", Message.kind,
	func() Message { return new(PublishMetricsRequest) },
	func() Message { return new(PublishHealthRequest) },
	func() Message { return new(PublishInstanceStatusRequest) },
	func() Message { return new(AckPublishMetric) },
	func() Message { return new(AckPublishHealth) },
	func() Message { return new(AckPublishInstanceStatus) },
	func() Message { return new(HeartbeatMessage) },
)

// Encode writes a message's JSON. Towards the server it still needs its header:
// see WithHeader.
func Encode(m Message) ([]byte, error) { return protocol.Encode(m) }

// WithHeader puts the signing header lines in front of a frame's JSON.
func WithHeader(h http.Header, body []byte) []byte {
	var b bytes.Buffer
	for _, k := range slices.Sorted(maps.Keys(h)) {
		for _, v := range h[k] {
			b.WriteString(k + ": " + v + "\r\n")
		}
	}
	b.WriteString("\r\n")
	b.Write(body)
	return b.Bytes()
}

// maxHead bounds a frame's header lines, in bytes.
const maxHead = 16 << 10

// Split parts a frame into its header lines and its JSON at the first blank
// line. A frame without header block yields a nil header.
func Split(data []byte) (http.Header, []byte, error) {
	if len(data) > 0 && data[0] == '{' {
		return nil, data, nil
	}
	head, body, ok := bytes.Cut(data, []byte("\r\n\r\n"))
	if !ok {
		return nil, nil, errors.New("tcs: frame without end of header")
	}
	if len(head) > maxHead {
		return nil, nil, fmt.Errorf("tcs: header of %d bytes", len(head))
	}
	h := http.Header{}
	for line := range strings.SplitSeq(string(head), "\r\n") {
		k, v, ok := strings.Cut(line, ":")
		if !ok {
			return nil, nil, fmt.Errorf("tcs: malformed header line of %d bytes", len(line))
		}
		h.Add(k, strings.TrimSpace(v))
	}
	return h, body, nil
}

// Decode reads a frame's JSON, the part after the header block.
func Decode(body []byte) (Message, error) { return protocol.Decode(body) }

// Time travels as epoch seconds with a fraction.
type Time struct{ time.Time }

// MarshalJSON writes milliseconds, as the stock agent does.
func (t Time) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(t.UnixMilli())/1000, 'f', -1, 64), nil
}

// farthest is how many seconds from 1970 a time may be, either way: its year has
// at most four digits.
const farthest = 253402300799

// UnmarshalJSON reads a number of seconds. As everywhere in JSON a null leaves
// it as it is.
func (t *Time) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		return nil
	}
	f, err := strconv.ParseFloat(string(data), 64)
	if err != nil {
		return fmt.Errorf("timestamp: %w", err)
	}
	if !(math.Abs(f) <= farthest) {
		return fmt.Errorf("timestamp: %g is too far from now", f)
	}
	t.Time = time.UnixMilli(int64(math.Round(f * 1000))).UTC()
	return nil
}
