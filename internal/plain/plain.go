// Package plain makes text of others fit for a terminal. What a host, a task
// definition or a container says may hold control characters: printed as they
// are, they move the cursor, set the window's title, or hide what follows.
package plain

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Text is s on one line of visible characters. Every other character is written
// as Go's strings have it: \n, \x1b, \u202e. So is a byte that is no UTF-8.
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

// visible says whether a terminal shows a character and does nothing else.
func visible(r rune, lines bool) bool {
	return unicode.IsGraphic(r) || lines && (r == '\n' || r == '\t')
}

// isInvalidUTF8 says whether s begins with a byte that is no UTF-8.
func isInvalidUTF8(s string) bool {
	_, n := utf8.DecodeRuneInString(s)
	return n == 1
}

// Args makes the arguments of a Printf fit for a terminal, each by Text. The
// format is left alone.
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
