// Package pagetoken creates the tokens by which a listing continues. They are opaque
// to callers, and valid only for the operation and filters that they were created
// for.
package pagetoken

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"
)

// A Scope is one operation with everything that selects what it lists.
type Scope [8]byte

// ErrInvalid is what Read returns for everything but a token of its scope.
var ErrInvalid = errors.New("not a token that was given for these parameters")

// For returns the scope of an operation and its filters.
func For(filters ...string) Scope {
	sum := sha256.Sum256([]byte(strings.Join(filters, "\x00")))
	return Scope(sum[:len(Scope{})])
}

var encoding = base64.RawURLEncoding.Strict()

// Token returns the token that continues after key.
func (s Scope) Token(key string) string { return encoding.EncodeToString(append(s[:], key...)) }

// Read returns the key after which a token continues, or ErrInvalid.
func (s Scope) Read(token string) (key string, err error) {
	if strings.ContainsAny(token, "\r\n") { // the decoder would skip these
		return "", ErrInvalid
	}
	data, err := encoding.DecodeString(token)
	if err != nil || len(data) < len(s) || Scope(data[:len(s)]) != s {
		return "", ErrInvalid
	}
	return string(data[len(s):]), nil
}
