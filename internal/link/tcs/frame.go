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

	json "github.com/go-json-experiment/json/v1"
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
	out := make([]byte, 0, len(body)+64)
	out = append(out, frameHead...)
	out = append(out, m.kind()...) // a name of ours
	out = append(out, frameBody...)
	out = append(out, body...)
	return append(out, '}'), nil
}

const (
	frameHead = `{"type":"`
	frameBody = `","message":`
)

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
	if m, ok := decodeOwn(body); ok {
		return m, nil
	}
	return decodeAny(body)
}

// decodeOwn reads a frame laid out as Encode does it, with one look at its body.
// What it takes for the body is that if it is one JSON value; in every other case
// it tells nothing, and the frame is read with care.
func decodeOwn(data []byte) (Message, bool) {
	rest, ok := bytes.CutPrefix(data, []byte(frameHead))
	if !ok {
		return nil, false
	}
	name, body, ok := bytes.Cut(rest, []byte(frameBody))
	if !ok || len(body) == 0 || body[len(body)-1] != '}' {
		return nil, false
	}
	m := newMessage(string(name))
	if m == nil {
		return nil, false
	}
	return m, json.Unmarshal(body[:len(body)-1], m) == nil
}

func decodeAny(body []byte) (Message, error) {
	var f frame
	if err := json.Unmarshal(body, &f); err != nil {
		return nil, fmt.Errorf("tcs: frame: %w", err)
	}
	m := newMessage(f.Type)
	if m == nil {
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

// newMessage is an empty message of a type, nil for an unknown one.
func newMessage(kind string) Message {
	switch kind {
	case "PublishMetricsRequest":
		return new(PublishMetricsRequest)
	case "PublishHealthRequest":
		return new(PublishHealthRequest)
	case "PublishInstanceStatusRequest":
		return new(PublishInstanceStatusRequest)
	case "AckPublishMetric":
		return new(AckPublishMetric)
	case "AckPublishHealth":
		return new(AckPublishHealth)
	case "AckPublishInstanceStatus":
		return new(AckPublishInstanceStatus)
	case "HeartbeatMessage":
		return new(HeartbeatMessage)
	}
	return nil
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
