package store

import (
	"strings"
	"testing"
)

// TestBatch: transactions are joined only where their order does not matter.
func TestBatch(t *testing.T) {
	tx := func(reads, writes string) *commit {
		x := newTx(nil)
		for _, k := range strings.Fields(reads + " " + writes) {
			x.reads[k] = 1
		}
		for _, k := range strings.Fields(writes) {
			x.write(k, []byte("{}"))
		}
		return &commit{tx: x}
	}
	ranged := tx("", "c")
	ranged.tx.Unchanged("below/")
	big := tx("", "d")
	big.bytes = batchBytes
	for _, c := range []struct {
		name   string
		first  *commit
		second *commit
		joined bool
	}{
		{"apart", tx("a", "b"), tx("c", "d"), true},
		{"both only read", tx("parent", "b"), tx("parent", "d"), true},
		{"both write", tx("", "a"), tx("", "a"), false},
		{"the second reads what the first writes", tx("", "a"), tx("a", "b"), false},
		{"the second writes what the first reads", tx("a", "b"), tx("", "a"), false},
		{"write skew", tx("x", "y"), tx("y", "x"), false},
		{"the first decides over a set", ranged, tx("", "d"), false},
		{"the second decides over a set", tx("", "d"), ranged, false},
		{"too large together", big, func() *commit { c := tx("", "e"); c.bytes = 1; return c }(), false},
	} {
		b := batch{limit: maxOps, touched: map[string]bool{}}
		if !b.add(c.first) {
			t.Errorf("%s: the first is not taken", c.name)
		}
		if got := b.add(c.second); got != c.joined {
			t.Errorf("%s: joined %v", c.name, got)
		}
	}
}
