package tcs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ErrUnknownType is what Decode answers for a frame whose type has no struct
// here. Both sides log and ignore such frames.
var ErrUnknownType = errors.New("tcs: unknown message type")

// Message is one of this package's message structs, by pointer.
type Message interface{ kind() string }

// TypeOf is the name a message has on the wire.
func TypeOf(m Message) string { return m.kind() }

type frame struct {
	Type    string          `json:"type"`
	Message json.RawMessage `json:"message"`
}

// Encode writes a message's JSON. Towards the server it still needs its header:
// see WithHeader.
func Encode(m Message) ([]byte, error) {
	body, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("tcs: encode %s: %w", m.kind(), err)
	}
	return json.Marshal(frame{Type: m.kind(), Message: body})
}

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
func Decode(body []byte) (Message, error) {
	var f frame
	if err := json.Unmarshal(body, &f); err != nil {
		return nil, fmt.Errorf("tcs: frame: %w", err)
	}
	var m Message
	switch f.Type {
	case "PublishMetricsRequest":
		m = new(PublishMetricsRequest)
	case "PublishHealthRequest":
		m = new(PublishHealthRequest)
	case "PublishInstanceStatusRequest":
		m = new(PublishInstanceStatusRequest)
	case "AckPublishMetric":
		m = new(AckPublishMetric)
	case "AckPublishHealth":
		m = new(AckPublishHealth)
	case "AckPublishInstanceStatus":
		m = new(AckPublishInstanceStatus)
	case "HeartbeatMessage":
		m = new(HeartbeatMessage)
	default:
		return nil, fmt.Errorf("%w: %q", ErrUnknownType, f.Type)
	}
	if len(f.Message) == 0 {
		return m, nil
	}
	if err := json.Unmarshal(f.Message, m); err != nil {
		return nil, fmt.Errorf("tcs: %s: %w", f.Type, err)
	}
	return m, nil
}

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
