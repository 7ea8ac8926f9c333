package acs

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sameText compares errors by their texts.
var sameText = cmp.Comparer(func(a, b BadTask) bool { return a.Arn == b.Arn && a.Err.Error() == b.Err.Error() })

// What can be decoded is unchanged after encoding and decoding it, in each way of
// decoding.
func FuzzDecode(f *testing.F) {
	for _, m := range protocol.NewAll() {
		f.Add([]byte(`{"type":"` + m.kind() + `","message":{}}`))
		b, err := Encode(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(`{"type":"PayloadMessage","message":{"tasks":[{"arn":"a","containers":[{"name":"c","environment":{"a":"b"},"cpu":1.5}],"volumes":[{"host":{}}]}]}}`))
	f.Add([]byte(`{"tasks":[{"arn":"a","desiredStatus":"RUNNING","containers":[{"name":"c","overrides":"{\"command\":[]}"}]}],"seqNum":3}`))
	f.Add([]byte(`{"type":"PayloadMessage","message":{"tasks":[{"arn":"a","desiredStatus":"STOPPED"}]}}`))
	f.Add([]byte(`{"type":"Other","message":[]}`))
	f.Add([]byte(`{"type":"PayloadMessage"}`))
	f.Add([]byte(`[[[[[[[[`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := Decode(data)
		if _, quick := protocol.DecodeOwn(data); quick {
			careful, err := protocol.DecodeAny(data)
			if d := cmp.Diff(careful, m, sameText); err != nil || d != "" {
				t.Fatalf("%s: %v; with care and at once:\n%s", data, err, d)
			}
		}
		var whole, each PayloadMessage
		if whole.decodeAll(data) {
			err := each.decodeEach(data)
			if d := cmp.Diff(each, whole, sameText); err != nil || d != "" {
				t.Fatalf("%s: %v; task by task and at once:\n%s", data, err, d)
			}
		}
		if err != nil {
			if m != nil {
				t.Errorf("%v, and %+v", err, m)
			}
			return
		}
		once, err := Encode(m)
		if err != nil {
			t.Fatalf("%s decoded but didn't encode: %v", data, err)
		}
		again, err := Decode(once)
		if err != nil {
			t.Fatalf("%s became %s: %v", data, once, err)
		}
		if twice, err := Encode(again); err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("%s became %s, then %s: %v", data, once, twice, err)
		}
	})
}
