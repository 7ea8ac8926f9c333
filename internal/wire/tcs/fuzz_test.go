package tcs

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What can be split and decoded is unchanged after encoding and decoding it, in each way
// of decoding.
func FuzzFrame(f *testing.F) {
	for _, m := range protocol.NewAll() {
		b, err := Encode(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		f.Add(append([]byte("Host: h\r\nX-Amz-Date: d\r\n\r\n"), b...))
	}
	for _, s := range []string{
		"", "\r\n\r\n", "a\r\n\r\n{}", ":\r\n\r\n{}", "a : b\r\nA: c\r\n\r\n{}", `{"type":"PublishMetricsRequest","message":{"timestamp":null}}`,
		`{"type":"PublishMetricsRequest","message":{"timestamp":1e300,"taskMetrics":[{"taskArn":"a"}]}}`, `{"type":"HeartbeatMessage","message":{"healthy":true}}`,
		`{"type":"PublishHealthRequest","message":{"timestamp":-0.0005,"tasks":[{"containers":[{}]}]}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		h, body, err := Split(data)
		if err != nil {
			return
		}
		if h != nil {
			again, rest, err := Split(WithHeader(h, body))
			if err != nil || !bytes.Equal(rest, body) || !cmp.Equal(h, again) {
				t.Fatalf("%q has the header %v, then %v: %v", data, h, again, err)
			}
		}
		m, err := Decode(body)
		if _, quick := protocol.DecodeOwn(body); quick {
			careful, err := protocol.DecodeAny(body)
			if d := cmp.Diff(careful, m); err != nil || d != "" {
				t.Fatalf("%s: %v; with care and at once:\n%s", body, err, d)
			}
		}
		if err != nil {
			return
		}
		once, err := Encode(m)
		if err != nil {
			t.Fatalf("%s decoded but didn't encode: %v", body, err)
		}
		again, err := Decode(once)
		if err != nil {
			t.Fatalf("%s became %s: %v", body, once, err)
		}
		if twice, err := Encode(again); err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("%s became %s, then %s: %v", body, once, twice, err)
		}
	})
}
