package plain

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

func TestText(t *testing.T) {
	for in, want := range map[string]string{
		"":                             "",
		"exit code 1: né, 日本 → \u00a0": "exit code 1: né, 日本 → \u00a0",
		"\x1b]0;owned\x07":             `\x1b]0;owned\a`,
		"a\r\x1b[2Kb":                  `a\r\x1b[2Kb`,
		"one\ntwo\tthree":              `one\ntwo\tthree`,
		"\u009b31m":                    `\u009b31m`, // the one-character form of ESC [
		"\x9b31m":                      `\x9b31m`,   // the same as a byte, as a terminal without UTF-8 reads it
		"safe\u202eexe.txt":            `safe\u202eexe.txt`,
		"\x7f\x00":                     `\x7f\x00`,
		"\ufffd":                       "\ufffd",
		"line\u2028end":                `line\u2028end`,
	} {
		if got := Text(in); got != want {
			t.Errorf("%q: %s, not %s", in, got, want)
		}
	}
	if got := Lines("a\n\tb\x1bc"); got != "a\n\tb\\x1bc" {
		t.Errorf("%q", got)
	}
}

func TestArgs(t *testing.T) {
	got := fmt.Sprintf("%s %5.1f|%-6s|%q %v %d\n", Args([]any{"\x1b[2J", 1.25, "ab", "\x1b", errors.New("x\ny"), 2 * time.Nanosecond})...)
	if want := "\\x1b[2J   1.2|ab    |\"\\x1b\" x\\ny 2\n"; got != want {
		t.Errorf("%q, not %q", got, want)
	}
}
