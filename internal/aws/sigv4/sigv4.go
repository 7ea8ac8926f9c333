// Package sigv4 is AWS Signature Version 4 for both sides. Verifier verifies requests
// with a signed header or a signed query string. Signer signs the requests of the agent
// and the command line.
//
// Both build the canonical request from the bytes on the wire, by AWS's published
// rules. The tests compare them with the SDK's signer.
package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"sync"
	"time"
)

const (
	algorithm  = "AWS4-HMAC-SHA256"
	terminator = "aws4_request"
	timeFormat = "20060102T150405Z"
	dateFormat = "20060102"

	emptyHash       = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	unsignedPayload = "UNSIGNED-PAYLOAD"
)

// A scope says for what a signature is valid.
type scope struct {
	date, region, service string
}

func (s scope) String() string {
	return s.date + "/" + s.region + "/" + s.service + "/" + terminator
}

func mac(key []byte, s string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(s))
	return h.Sum(nil)
}

// signingKey derives the signing key of a secret in a scope.
func signingKey(secret string, s scope) []byte {
	key := mac([]byte("AWS4"+secret), s.date)
	key = mac(key, s.region)
	key = mac(key, s.service)
	return mac(key, terminator)
}

// Keys caches the last signing key, which is valid for a day.
type Keys struct {
	mu     sync.Mutex
	secret string
	scope  scope
	key    []byte
}

func (k *Keys) of(secret string, s scope) []byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.key == nil || k.secret != secret || k.scope != s {
		k.secret, k.scope, k.key = secret, s, signingKey(secret, s)
	}
	return k.key
}

// signature returns the hexadecimal signature of a canonical request.
func signature(key []byte, at time.Time, s scope, canonical string) string {
	sum := sha256.Sum256([]byte(canonical))
	return hex.EncodeToString(mac(key, algorithm+"\n"+at.Format(timeFormat)+"\n"+s.String()+"\n"+hex.EncodeToString(sum[:])))
}

// payloadHash returns the hexadecimal SHA-256 of a body.
func payloadHash(body []byte) string {
	if len(body) == 0 {
		return emptyHash
	}
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}
