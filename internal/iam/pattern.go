package iam

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/ashore/ashore/internal/aws/arn"
)

// A resourcePattern is "*", or an ARN with wildcards in its parts.
type resourcePattern struct {
	any   bool
	parts arn.ARN
}

func readResource(s string) (resourcePattern, error) {
	if s == "*" {
		return resourcePattern{any: true}, nil
	}
	parts, err := arn.Parse(s)
	if err != nil || strings.Contains(s, "${") { // it has a policy variable
		return resourcePattern{}, fmt.Errorf("the resource %q is neither * nor an ARN", s)
	}
	return resourcePattern{parts: parts}, nil
}

// matches compares part by part. A wildcard does not match across a colon, except in
// the last part, which may contain colons.
func (p resourcePattern) matches(resource string) bool {
	if p.any {
		return true
	}
	a, err := arn.Parse(resource)
	return err == nil && matchARN(p.parts, a)
}

func matchARN(pattern, a arn.ARN) bool {
	return matches(pattern.Partition, a.Partition, false) && matches(pattern.Service, a.Service, false) && matches(pattern.Region, a.Region, false) &&
		matches(pattern.Account, a.Account, false) && matches(pattern.Resource, a.Resource, false)
}

// matches compares text with a pattern, in which * is any number of characters and ? is
// one character. fold ignores the case of A to Z.
func matches(pattern, text string, fold bool) bool {
	star, from := -1, 0 // the last *, and where in text the part after it is tried
	for p, t := 0, 0; ; {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, from = p, t
			p++
			continue
		case t == len(text):
			return p == len(pattern)
		case p < len(pattern) && pattern[p] == '?':
			_, n := utf8.DecodeRuneInString(text[t:])
			p, t = p+1, t+n
			continue
		case p < len(pattern) && (pattern[p] == text[t] || fold && toLower(pattern[p]) == toLower(text[t])):
			p, t = p+1, t+1
			continue
		case star < 0:
			return false
		}
		// The * matches one more character.
		_, n := utf8.DecodeRuneInString(text[from:])
		from += n
		p, t = star+1, from
	}
}

func toLower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
