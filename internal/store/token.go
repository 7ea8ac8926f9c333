package store

import (
	"iter"

	"github.com/ashore/ashore/internal/fleet"
)

var tokens = Register[fleet.Token]("cluster/*/token/*")

// TokenChanged tells of what a clientToken brought about.
var TokenChanged = tokens.Changed()

// TokenKey names what a clientToken brought about; hash is of the token, whose
// text may be anything.
func TokenKey(cluster, hash string) Key[fleet.Token] { return tokens.Key(cluster, hash) }

// Token returns what a clientToken brought about, or nil.
func (s *Snapshot) Token(cluster, hash string) *fleet.Token { return tokens.Get(s, cluster, hash) }

// TokenWritten is the revision at which that was written, 0 for none.
func (s *Snapshot) TokenWritten(cluster, hash string) int64 { return tokens.Written(s, cluster, hash) }

// Tokens yields a cluster's tokens by hash.
func (s *Snapshot) Tokens(cluster string) iter.Seq2[string, *fleet.Token] {
	return func(yield func(string, *fleet.Token) bool) {
		for names, v := range tokens.Below(s, cluster) {
			if !yield(names[1], v) {
				return
			}
		}
	}
}
