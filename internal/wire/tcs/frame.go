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

// Message is a pointer to one of this package's message structs.
type Message interface{ kind() string }

// TypeOf returns a message's type name on the wire.
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

// Encode encodes a message as JSON. A frame to the server also needs its header: see
// WithHeader.
func Encode(m Message) ([]byte, error) { return protocol.Encode(m) }

// WithHeader prepends the signing header lines to a frame's JSON.
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

// Split splits a frame at the first blank line into its header and its JSON. Without a
// header block the header is nil.
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

// Decode decodes a frame's JSON, without the header block.
func Decode(body []byte) (Message, error) { return protocol.Decode(body) }

// Time is encoded as epoch seconds with a fraction.
type Time struct{ time.Time }

// MarshalJSON encodes with milliseconds, as the stock agent does.
func (t Time) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(t.UnixMilli())/1000, 'f', -1, 64), nil
}

// farthest is the largest distance of a time from 1970 in seconds. So a year has at most
// four digits.
const farthest = 253402300799

// UnmarshalJSON decodes a number of seconds. null changes nothing, as everywhere in JSON.
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
