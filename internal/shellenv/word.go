package shellenv

import "regexp"

// plainWord are the words that no shell sees anything in.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./][A-Za-z0-9_@%+=:,./-]*$`)

// Word writes s as one word of a command that a person copies into a shell such as
// sh, bash or zsh: as it is where it has no sign that the shell would act on, else
// in quotes.
func Word(s string) string {
	if plainWord.MatchString(s) {
		return s
	}
	return posix{}.quote(s)
}
