package awsjson

import "testing"

func TestObject(t *testing.T) {
	if got := string(Object("a", "<\"\xff>", "b", "")); got != `{"a":"<\"\ufffd>","b":""}` {
		t.Error(got)
	}
}
