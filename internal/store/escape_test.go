package store

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// anyName draws any text, often one that is hard to escape.
var anyName = rapid.OneOf(
	rapid.StringOfN(rapid.SampledFrom([]rune("ab/%.-\x00\x01\x02 2F0é~\x7f*")), 0, 6, -1),
	rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 6), func(b []byte) string { return string(b) }),
	rapid.SampledFrom([]string{"", "%", "%2F", "/", "//", "..", "/aws/ecs/web", "a%2Fb", "head", "stop"}),
)

// The promises of escape: unescape returns the name, two names never have the same
// text, the text is one part of a path that etcd, a backup and people can read, and the
// names that existed before escaping stay unchanged.
func TestEscape(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := anyName.Draw(t, "a"), anyName.Draw(t, "b")
		text := escape(a)
		if back, ok := unescape(text); !ok || back != a || !isEscaped(text) {
			t.Fatalf("%q is %q, and back %q, %v", a, text, back, ok)
		}
		if (escape(b) == text) != (a == b) {
			t.Fatalf("%q and %q are %q and %q", a, b, text, escape(b))
		}
		if text == "" || strings.Contains(text, "/") || !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
			t.Fatalf("%q is %q", a, text)
		}
		if a != "" && b != "" && escape(a+b) != text+escape(b) {
			t.Fatalf("%q does not begin as %q", escape(a+b), text)
		}
	})
	for _, name := range []string{"default", "web-1_A", "00000007", "000000000004", "AKIAIOSFODNN7EXAMPLE", "mi-0123456789abcdef0", "FARGATE_SPOT", strings.Repeat("f", 64)} {
		if escape(name) != name {
			t.Errorf("%q is %q: stored records would be lost", name, escape(name))
		}
	}
	for _, text := range []string{"", "%2", "%2f", "%41", "%zz", "%2F%", "a b", "é", "a/b", "%%"} {
		if name, ok := unescape(text); ok || isEscaped(text) {
			t.Errorf("%q is read as %q: two keys would name one record", text, name)
		}
	}
}

// Table keys return their names, and they sort as the names do.
func TestTableKeys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, maxNames).Draw(t, "names")
		draw := func(what string) (names Names) {
			for i := range n {
				names[i] = anyName.Draw(t, what)
			}
			return names
		}
		a, b := draw("a"), draw("b")
		key := tableKey(a[:n]...)
		if back := namesIn(key, n); back != a {
			t.Fatalf("%q is %q, and back %q", a, key, back)
		}
		if got, want := strings.Compare(key, tableKey(b[:n]...)), slices.Compare(a[:], b[:]); got != want {
			t.Fatalf("%q and %q compare as %d, their keys as %d", a, b, want, got)
		}
	})
}

// A record's path leads to its kind and its names, whatever the names are.
func TestLocateAnyName(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := rapid.SampledFrom(registered.kinds).Draw(t, "kind")
		var names Names
		for i := range k.names {
			names[i] = anyName.Draw(t, "name")
		}
		escaped := k.escaped(names[:k.names])
		path := k.recordPath(escaped[:k.names])
		found, at := locate(path)
		if found != k || at != escaped {
			t.Fatalf("%q of %s is located as %v %q", names, k.path, found, at)
		}
		if c := k.changed(at); c.Names != names || c.Kind != k.change {
			t.Fatalf("%q is changed as %q", names, c.Names)
		}
	})
}
