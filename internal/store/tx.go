package store

import (
	"errors"
	"fmt"
)

// ErrExists says that Create found an existing record.
var ErrExists = errors.New("record exists already")

// Tx collects the reads and writes of one transaction. It belongs to the
// function that Update calls and must not outlive it.
type Tx struct {
	snap   *Snapshot
	reads  map[string]int64 // key → revision, 0 for an absent record
	ranges []string         // prefixes that must not have changed
	writes map[string][]byte
	order  []string // keys of writes in the order of their first write
	leased map[string]bool
	broken error // why the transaction can't be committed: an UnreadableError
	budget budget
	trying trying
}

func newTx(s *Snapshot) *Tx {
	return &Tx{snap: s, reads: map[string]int64{}, writes: map[string][]byte{}}
}

// Snapshot returns the state on which the transaction decides. Reads through it are not
// guarded.
func (tx *Tx) Snapshot() *Snapshot { return tx.snap }

// Get reads a record, nil if there is none, and guards it: the transaction commits only
// if the record has not changed. The record belongs to the snapshot, so copy it before
// you change it. For a record that can't be read Get returns nil, and Update refuses
// the transaction in any case: see Err.
func Get[V any](tx *Tx, k Key[V]) *V {
	v, mod := k.in(tx.snap)
	tx.read(k.path, mod)
	if v == nil && tx.broken == nil {
		tx.broken = readable(tx.snap, k.path)
	}
	return v
}

// Err returns an UnreadableError after the transaction has read a record that exists
// and can't be read. Update returns it in place of its function's error.
func (tx *Tx) Err() error { return tx.broken }

// Create is Put for a record that must not exist. It returns ErrExists if it does.
func Create[V any](tx *Tx, k Key[V], v *V) error {
	if Get(tx, k) != nil {
		return fmt.Errorf("%s: %w", k.path, ErrExists)
	}
	return Put(tx, k, v)
}

// Put writes a record that the transaction has read by Get. It returns a TakenError if
// another record has one of its unique values.
func Put[V any](tx *Tx, k Key[V], v *V) error {
	if _, read := tx.reads[k.path]; !read {
		return fmt.Errorf("store: %s is written without having been read", k.path)
	}
	data, err := marshal(v)
	if err != nil {
		return fmt.Errorf("%s: %w", k.path, err)
	}
	if len(k.kind.uniques) > 0 {
		if err := tx.writeClaims(k.kind, k.path, k.key, v); err != nil {
			return err
		}
	}
	tx.write(k.path, data)
	return nil
}

// PutLeased is Put for a record that ends with this store's lease: when the server
// dies, or has lost etcd for the lease's time.
func PutLeased[V any](tx *Tx, k Key[V], v *V) error {
	if len(k.kind.uniques) > 0 {
		return fmt.Errorf("store: %s has unique values and can't be leased", k.path)
	}
	if err := Put(tx, k, v); err != nil {
		return err
	}
	tx.lease(k.path)
	return nil
}

// Delete deletes a record that the transaction has read by Get.
func Delete[V any](tx *Tx, k Key[V]) error {
	if _, read := tx.reads[k.path]; !read {
		return fmt.Errorf("store: %s is deleted without having been read", k.path)
	}
	if len(k.kind.uniques) > 0 {
		if err := tx.writeClaims(k.kind, k.path, k.key, nil); err != nil {
			return err
		}
	}
	tx.write(k.path, nil)
	return nil
}

// Claim guards a set by its guard key. The key is compared and rewritten, so of two
// concurrent transactions that decide over the set only one commits.
func (tx *Tx) Claim(k Key[Guard]) error {
	if _, done := tx.writes[k.path]; done {
		return nil
	}
	Get(tx, k)
	return Put(tx, k, &Guard{})
}

// Unchanged guards a set by its prefix: the transaction commits only if nothing below
// the prefix was created or modified since the snapshot. It ignores deletions. So it is
// for decisions that are also right for any smaller set, such as that a set is empty.
func (tx *Tx) Unchanged(prefix string) {
	tx.ranges = append(tx.ranges, prefix)
	tx.budget.bytes += 2*tx.budget.keyed(prefix) + perCompare
}

func (tx *Tx) read(path string, mod int64) {
	n := len(tx.reads)
	tx.reads[path] = mod
	if len(tx.reads) == n {
		return
	}
	tx.budget.bytes += tx.budget.keyed(path) + perCompare
	if tx.trying.depth > 0 {
		tx.trying.read = append(tx.trying.read, path)
	}
}

func (tx *Tx) write(path string, data []byte) {
	was, again := tx.writes[path]
	if again {
		tx.budget.bytes -= len(was)
		if tx.trying.depth > 0 {
			tx.trying.over = append(tx.trying.over, overwritten{path, was})
		}
	} else {
		tx.order = append(tx.order, path)
		tx.budget.bytes += tx.budget.keyed(path) + perWrite
	}
	tx.budget.bytes += len(data)
	tx.writes[path] = data
}

func (tx *Tx) lease(path string) {
	if tx.leased[path] {
		return
	}
	if tx.leased == nil {
		tx.leased = map[string]bool{}
	}
	tx.leased[path] = true
	if tx.trying.depth > 0 {
		tx.trying.leased = append(tx.trying.leased, path)
	}
}
