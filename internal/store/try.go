package store

import "errors"

// How much fits into one transaction is measured as it is put together: what it
// compares and writes is counted against what etcd takes. Nobody who writes one has to
// know how many records another room adds to it.

// budget is what a transaction may hold, and the bytes that it holds.
type budget struct {
	ops   int // comparisons, and operations, that it may have
	root  int // length of what stands before each path
	bytes int // of the request, rather more than less
}

// perCompare and perWrite bound what etcd's messages add to the keys and values in
// them, in bytes.
const (
	perCompare = 32
	perWrite   = 40
)

func (b *budget) keyed(path string) int { return b.root + len(path) }

// ops is how many comparisons or operations, whichever are more, the transaction has,
// with the one of each that the store adds.
func (tx *Tx) ops() int { return max(len(tx.reads)+len(tx.ranges), len(tx.order)) + 1 }

// fits says whether etcd takes the transaction as one.
func (tx *Tx) fits() bool { return tx.ops() <= tx.budget.ops && tx.budget.bytes <= maxBytes }

// Share is how much of what a transaction may hold this one does: more than 1 where it
// does not fit.
func (tx *Tx) Share() float64 {
	return max(float64(tx.ops())/float64(tx.budget.ops), float64(tx.budget.bytes)/maxBytes)
}

// trying is what has to be taken back of the calls of Try that are under way.
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

// Try runs f as a part of the transaction. Where the whole is more than etcd takes in
// one transaction with that, fits is false, and the transaction is as it was before:
// nothing that f has read or written is of it. The same holds where f returns an error,
// which is Try's then, and where it panics. What f has changed elsewhere is f's to take
// back. Calls may be nested.
func (tx *Tx) Try(f func() error) (fits bool, err error) {
	was := *tx // its maps are tx's: these are taken back by what trying notes
	tx.trying.depth++
	kept := false
	defer func() {
		if !kept {
			tx.rollBack(&was)
		}
		if tx.trying.depth = was.trying.depth; tx.trying.depth == 0 {
			tx.trying = trying{}
		}
	}()
	if err := f(); err != nil {
		return false, err
	}
	kept = tx.fits()
	return kept, nil
}

// rollBack makes the transaction what it was.
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

// errOverShare takes back a try that takes more than its part.
var errOverShare = errors.New("more than its part of the transaction")

// TryMost is Try of f with the largest count up to most with which all that the
// transaction holds is up to a part of what it may hold, 1 being all, as far as can be
// told: f is run with several counts, each smaller. With a count of 1 f may fill the
// transaction. The count is 0 where f does not even fit then.
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
		// What f adds grows with the count.
		n = max(min(n-1, int(float64(n)*(part-before)/(share-before))), min(n-1, 1))
	}
	return 0, nil
}
