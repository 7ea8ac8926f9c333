package acs

import (
	"bytes"
	"testing"
)

// What decodes survives the wire.
func FuzzDecode(f *testing.F) {
	for name, make := range byName {
		f.Add([]byte(`{"type":"` + name + `","message":{}}`))
		b, err := Encode(make())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(`{"type":"PayloadMessage","message":{"tasks":[{"arn":"a","containers":[{"name":"c","environment":{"a":"b"},"cpu":1.5}],"volumes":[{"host":{}}]}]}}`))
	f.Add([]byte(`{"type":"Other","message":[]}`))
	f.Add([]byte(`{"type":"PayloadMessage"}`))
	f.Add([]byte(`[[[[[[[[`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := Decode(data)
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
