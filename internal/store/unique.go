package store

import (
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Claim is the record that names the holder of a unique value. The store writes and
// deletes it together with the holder's record.
type Claim struct {
	Holder string `json:"holder"` // the record's path, as in Key.String

	Extra jsontext.Value `json:",embed"`
}

// Unique is a value that no two records of a kind may have in common.
type Unique[V any] struct {
	index *Index[V]
	u     *uniqueness
}

// uniqueness is a Unique without its type.
type uniqueness struct {
	name   string
	of     *kind
	values finder
	index  int          // in the kind's indexes
	claims *Kind[Claim] // by value
}

// Unique declares that no two records of the kind have a value in common, besides their
// names. values returns the unique values of one record, or none. They must depend only
// on the record. If a value is unique only within another record, such as a name within
// a cluster, the value must contain that record's name. The name describes the values,
// such as "name" or "arn". It is stored, so it must never change.
//
// Put, Create and Delete write one more record for each value, its claim, in the same
// transaction. The claim of "web" as the name of a record of "iam/role/*" has the key
// "iam/~unique/role.name/web". That key alone guards a transaction that gives a record
// the value. So records with different values never conflict. If two records get the
// same value, one of the transactions fails with a TakenError. A transaction can first
// free a value and then claim it for another record.
//
// A Unique may be declared for a kind that already has records. A record without a
// claim gets it when it is next written. Even before that, its value is refused to
// others. If two records already have the same value, both can be written as long as
// they keep it. A server of an earlier version knows nothing of the Unique and writes
// no claims. A claim does not count if its record no longer has the value.
//
// Unique panics in the same cases as Register. Records of such a kind can't be leased.
func (k *Kind[V]) Unique(name string, values func(*V) []string) *Unique[V] {
	if k.indexes == nil {
		panic("store: " + k.k.path + " has tables of its own, and none for unique values")
	}
	if name == "" || strings.ContainsAny(name, ".*") || escape(name) != name {
		panic(fmt.Sprintf("store: %q is no name for what is unique of %s", name, k.k.path))
	}
	u := &uniqueness{name: name, of: k.k, values: func(record any) []string { return values(record.(*V)) }}
	words := slices.DeleteFunc(slices.Clone(k.k.parts[1:]), func(part string) bool { return part == "*" })
	claims, indexes := newKind[Claim](strings.Join([]string{k.k.parts[0], "~unique", strings.Join(append(words, name), "."), "*"}, "/")), new([]finder)
	claims.dir = k.k.dir
	claims.hidden = newShelfHolder(claims, indexes)
	registered.add(claims)
	u.claims = &Kind[Claim]{claims, indexes}
	x := k.Index(values)
	u.index = x.n
	k.k.uniques = append(k.k.uniques, u)
	return &Unique[V]{x, u}
}

// Get returns the record with a value and its names, nil if there is none. The caller
// must not change it.
func (u *Unique[V]) Get(s *Snapshot, value string) (Names, *V) {
	for names, v := range u.index.Of(s, value) {
		return names, v
	}
	return Names{}, nil
}

// Find is Get within a transaction. The transaction commits only if the answer has not
// changed. If the record that claims the value can't be read, Find returns nil, and the
// transaction fails: see Tx.Err.
func (u *Unique[V]) Find(tx *Tx, value string) (Names, *V) {
	names, v := u.Get(tx.snap, value)
	if v == nil {
		if claim := Get(tx, u.u.claims.Key(value)); claim != nil && tx.broken == nil {
			tx.broken = readable(tx.snap, claim.Holder)
		}
		return names, nil
	}
	return names, Get(tx, u.index.of.Key(names[:u.u.of.names]...))
}

// TakenError refuses a write because another record has one of the unique values.
type TakenError struct {
	Kind   ChangeKind // of both records; its String is their path
	Unique string     // the name of the Unique
	Value  string
	Holder Names // of the record with the value
	key    string
}

func (e *TakenError) Error() string {
	return fmt.Sprintf("%s %q is taken by the stored record %s", e.Unique, e.Value, e.key)
}

// writeClaims writes the claims of a record that the transaction is about to write. It
// deletes the claims of the record's earlier values. record is nil for a deletion. If
// writeClaims returns an error, it has written nothing.
func (tx *Tx) writeClaims(k *kind, path, key string, record any) error {
	stored, err := tx.latest(k, path, key)
	if err != nil {
		return err
	}
	type change struct {
		key Key[Claim]
		to  *Claim
	}
	var changes []change
	for _, u := range k.uniques {
		old, now := valuesOf(u.values, stored), valuesOf(u.values, record)
		for i, value := range now {
			if slices.Contains(now[:i], value) {
				continue
			}
			at := u.claims.Key(value)
			if slices.Contains(old, value) && u.claimHolder(tx, at, value) == path {
				continue
			}
			Get(tx, at)
			holder, err := u.findHolder(tx, at, value, path)
			switch {
			case err != nil:
				return err
			case holder == "":
				changes = append(changes, change{at, &Claim{Holder: path}})
			case !slices.Contains(old, value):
				_, names := locate(holder)
				return &TakenError{ChangeKind{k}, u.name, value, k.changed(names).Names, holder}
			}
		}
		for i, value := range old {
			if slices.Contains(now, value) || slices.Contains(old[:i], value) {
				continue
			}
			at := u.claims.Key(value)
			if tx.broken == nil {
				tx.broken = readable(tx.snap, at.path)
			}
			if u.claimHolder(tx, at, value) == path {
				Get(tx, at)
				changes = append(changes, change{at, nil})
			}
		}
	}
	for _, c := range changes {
		if c.to == nil {
			tx.write(c.key.path, nil)
		} else if err := Put(tx, c.key, c.to); err != nil {
			return err // encoding a claim never fails
		}
	}
	return nil
}

// latest returns a record with the transaction's writes so far, nil if there is none.
func (tx *Tx) latest(k *kind, path, key string) (any, error) {
	data, written := tx.writes[path]
	switch {
	case !written:
		record, _ := recordAt(tx.snap, k, key)
		return record, nil
	case data == nil:
		return nil, nil
	}
	return k.decode(data)
}

// findHolder returns the path of a record other than self that has a value, "" if there
// is none. It includes the transaction's writes so far.
func (u *uniqueness) findHolder(tx *Tx, at Key[Claim], value, self string) (holder string, err error) {
	if holder = u.claimHolder(tx, at, value); holder != "" && holder != self {
		return holder, nil
	}
	holder = ""
	// This finds a record without a claim. The transaction's writes may have removed
	// the value from it.
	scanIndex(tx.snap, u.of, u.index, value, "", func(key string, _ any) bool {
		names := namesIn(key, u.of.names)
		escaped := u.of.escaped(names[:u.of.names])
		path := u.of.recordPath(escaped[:u.of.names])
		if path == self {
			return true
		}
		record, e := tx.latest(u.of, path, key)
		if e != nil {
			err = e
			return false
		}
		if !slices.Contains(valuesOf(u.values, record), value) {
			return true
		}
		_, mod := recordAt(tx.snap, u.of, key)
		tx.read(path, mod)
		holder = path
		return false
	})
	return holder, err
}

// claimHolder returns the path of the record in a value's claim. It returns "" if there
// is no claim, or if that record does not have the value.
func (u *uniqueness) claimHolder(tx *Tx, at Key[Claim], value string) string {
	if data, written := tx.writes[at.path]; written {
		if data == nil {
			return ""
		}
		c, err := decode[Claim](data)
		if err != nil {
			panic(err) // the transaction has written it
		}
		return c.Holder
	}
	c, _ := at.in(tx.snap)
	if c == nil {
		return ""
	}
	k, names := locate(c.Holder)
	if k != u.of {
		return ""
	}
	record, _ := recordAt(tx.snap, k, holderOf(k).key(names))
	if record == nil && readable(tx.snap, c.Holder) == nil || record != nil && !slices.Contains(u.values(record), value) {
		return ""
	}
	return c.Holder
}
