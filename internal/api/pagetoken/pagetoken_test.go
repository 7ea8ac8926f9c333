package pagetoken

import "testing"

func TestTokensBelongToTheirScope(t *testing.T) {
	a, b := For("ListTasks", "c", ""), For("ListTasks", "", "c")
	if key, err := a.Read(a.Token("k")); err != nil || key != "k" {
		t.Error(key, err)
	}
	if _, err := b.Read(a.Token("k")); err == nil {
		t.Error("a token was read in another scope")
	}
}

// Only what Token wrote is read, and as it was written.
func FuzzRead(f *testing.F) {
	s := For("ListTasks", "default")
	for _, seed := range []string{"", "x", s.Token(""), s.Token("0123456789abcdef"), s.Token("a\x00b") + "\n", For("ListClusters").Token("k")} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if key, err := s.Read(text); err == nil && s.Token(key) != text {
			t.Errorf("%q was read as %q, whose token is %q", text, key, s.Token(key))
		}
		if key, err := s.Read(s.Token(text)); err != nil || key != text {
			t.Errorf("the token after %q was read as %q: %v", text, key, err)
		}
	})
}
