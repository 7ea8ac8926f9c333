package store

import "errors"

// A transaction measures its size while it grows. It counts its comparisons, its writes
// and its bytes against etcd's limits. So the author of a transaction needs not know
// how many records another package adds to it.

// budget is the limits of a transaction, and the bytes that it has.
type budget struct {
	ops   int // limit of comparisons, and of operations
	root  int // length of the prefix of each path
	bytes int // size of the request, estimated a little too high
}

// perCompare and perWrite bound how many bytes etcd's messages add to their keys and
// values.
const (
	perCompare = 32
	perWrite   = 40
)

func (b *budget) keyed(path string) int { return b.root + len(path) }

// ops returns the number of comparisons or of operations, whichever is larger. It
// includes the one of each that the store adds.
func (tx *Tx) ops() int { return max(len(tx.reads)+len(tx.ranges), len(tx.order)) + 1 }

// fits says whether etcd accepts the transaction as one.
func (tx *Tx) fits() bool { return tx.ops() <= tx.budget.ops && tx.budget.bytes <= maxBytes }

// Share returns how much of a transaction's limits this one uses: 1 is all, and more
// than 1 does not fit.
func (tx *Tx) Share() float64 {
	return max(float64(tx.ops())/float64(tx.budget.ops), float64(tx.budget.bytes)/maxBytes)
}

// trying holds what to roll back of the calls of Try that are under way.
type trying struct {
	depth  int
	read   []string
	over   []overwritten
	leased []string
}

type overwritten struct {
	path string
	data []byte
}

// Try runs f as a part of the transaction. If the transaction then exceeds etcd's
// limits, fits is false, and Try rolls the transaction back to its state before f. It
// also does so if f returns an error, which Try returns, and if f panics. f itself must
// roll back what it changed outside the transaction. Calls may be nested.
func (tx *Tx) Try(f func() error) (fits bool, err error) {
	was := *tx // the copy shares tx's maps; rollBack restores them from trying
	tx.trying.depth++
	done := false
	defer func() {
		if !done {
			tx.rollBack(&was)
		}
		if tx.trying.depth = was.trying.depth; tx.trying.depth == 0 {
			tx.trying = trying{}
		}
	}()
	if err := f(); err != nil {
		return false, err
	}
	done = tx.fits()
	return done, nil
}

// rollBack restores the transaction's state before a Try.
func (tx *Tx) rollBack(was *Tx) {
	for _, path := range tx.trying.leased[len(was.trying.leased):] {
		delete(tx.leased, path)
	}
	for i := len(tx.trying.over) - 1; i >= len(was.trying.over); i-- {
		tx.writes[tx.trying.over[i].path] = tx.trying.over[i].data
	}
	for _, path := range tx.order[len(was.order):] {
		delete(tx.writes, path)
	}
	for _, path := range tx.trying.read[len(was.trying.read):] {
		delete(tx.reads, path)
	}
	tx.order, tx.ranges, tx.broken, tx.budget = tx.order[:len(was.order)], tx.ranges[:len(was.ranges)], was.broken, was.budget
	tx.trying.read, tx.trying.over, tx.trying.leased = tx.trying.read[:len(was.trying.read)], tx.trying.over[:len(was.trying.over)], tx.trying.leased[:len(was.trying.leased)]
}

// errOverShare rolls back a try that uses more than its share.
var errOverShare = errors.New("more than its part of the transaction")

// TryMost is Try of f with a count n. It looks for the largest n up to most with which
// the transaction uses at most the share part of its limits (1 is all). It runs f with
// several counts, each smaller than the one before, and estimates the next count, so n
// may be a little too small. With n = 1 f may fill the transaction. The returned n is 0
// if f does not fit even then.
func (tx *Tx) TryMost(most int, part float64, f func(n int) error) (n int, err error) {
	before := tx.Share()
	for n = most; n > 0; {
		share := 0.0
		fits, err := tx.Try(func() error {
			err := f(n)
			if share = tx.Share(); err == nil && share > part && n > 1 {
				return errOverShare
			}
			return err
		})
		if fits || err != nil && err != errOverShare {
			return n, err
		}
		// The size of what f adds grows with the count.
		n = max(min(n-1, int(float64(n)*(part-before)/(share-before))), min(n-1, 1))
	}
	return 0, nil
}
