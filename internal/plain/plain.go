// Package plain makes the text of others safe for a terminal. Text of a host, a task
// definition or a container may have control characters. If they were printed, they
// could move the cursor, set the window's title, or hide other text.
package plain

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Text returns s as one line of visible characters. It writes every other character as
// an escape of Go: \n, \x1b, \u202e. It does the same with bytes that are not UTF-8.
func Text(s string) string { return escape(s, false) }

// Lines is like Text but keeps line feeds and tabs.
func Lines(s string) string { return escape(s, true) }

func escape(s string, lines bool) string {
	clean := true
	for i, r := range s {
		if !visible(r, lines) || r == utf8.RuneError && isInvalidUTF8(s[i:]) {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case visible(r, lines):
			b.WriteString(s[:n])
		default:
			q := strconv.QuoteRuneToASCII(r)
			b.WriteString(q[1 : len(q)-1])
		}
		s = s[n:]
	}
	return b.String()
}

// visible says whether a terminal only shows a character.
func visible(r rune, lines bool) bool {
	return unicode.IsGraphic(r) || lines && (r == '\n' || r == '\t')
}

// isInvalidUTF8 says whether s begins with a byte that is not UTF-8.
func isInvalidUTF8(s string) bool {
	_, n := utf8.DecodeRuneInString(s)
	return n == 1
}

// Args makes the arguments of a Printf safe for a terminal, each by Text. The caller
// must trust the format.
func Args(args []any) []any {
	out := make([]any, len(args))
	for i, a := range args {
		out[i] = escapedArg{a}
	}
	return out
}

type escapedArg struct{ value any }

func (a escapedArg) Format(f fmt.State, verb rune) {
	io.WriteString(f, Text(fmt.Sprintf(fmt.FormatString(f, verb), a.value))) //nolint:errcheck // as package fmt does
}
