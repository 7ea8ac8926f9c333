package store

import (
	"iter"

	"github.com/ashore/ashore/internal/fleet"
)

var tokens = Register[fleet.Token]("cluster/*/token/*")

// TokenChanged is the kind of changes of a clientToken's result.
var TokenChanged = tokens.Changed()

// TokenKey names the result of a request with a clientToken. hash is a hash of the
// token, because a token may be any text.
func TokenKey(cluster, hash string) Key[fleet.Token] { return tokens.Key(cluster, hash) }

// Token returns the result of a request with a clientToken, or nil.
func (s *Snapshot) Token(cluster, hash string) *fleet.Token { return tokens.Get(s, cluster, hash) }

// TokenWritten returns the revision at which the result was written, 0 if there is
// none.
func (s *Snapshot) TokenWritten(cluster, hash string) int64 { return tokens.Written(s, cluster, hash) }

// Tokens yields a cluster's tokens by hash.
func (s *Snapshot) Tokens(cluster string) iter.Seq2[string, *fleet.Token] {
	return func(yield func(string, *fleet.Token) bool) {
		for names, v := range tokens.ListWithin(s, cluster) {
			if !yield(names[1], v) {
				return
			}
		}
	}
}
