package shellenv

import "regexp"

// plainWord matches words without characters that have a meaning in a shell.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./][A-Za-z0-9_@%+=:,./-]*$`)

// Word returns s as one word of a command for a shell such as sh, bash or zsh. It
// quotes s if s has a character with a meaning in the shell.
func Word(s string) string {
	if plainWord.MatchString(s) {
		return s
	}
	return posix{}.quote(s)
}
