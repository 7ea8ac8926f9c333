package store

import (
	"hash/maphash"
	"iter"
	"math/bits"
	"slices"
)

// hashed is an unordered map of the members of clusters. As with table, a copy shares
// all nodes until the original changes. A look-up takes one comparison. A tree takes a
// dozen, each in memory that is not in the cache. A change copies a few small nodes.
// Copies are read-only.
type hashed[V any] struct {
	root *hashNode[V]
	n    int
	gen  uint64                 // nodes of this generation are shared with no copy
	hash func(id string) uint64 // the function hashOf unless a test sets another
}

// member names a member of a cluster.
type member struct{ cluster, id string }

func (m member) String() string { return m.cluster + "/" + m.id }

// hashNode is a node of a trie over the bits of hashes. Each level uses hashLevel bits,
// the lowest bits first. Each place is free, holds an item or leads to another node.
// Items whose hashes are equal in all bits lie together in a last node without places.
type hashNode[V any] struct {
	gen            uint64
	atItem, atNode uint32 // one bit for each place
	items          []hashItem[V]
	nodes          []*hashNode[V]
}

type hashItem[V any] struct {
	key   member
	value V
}

const (
	hashBits   = 64
	hashLevel  = 5
	hashPlaces = 1 << hashLevel
)

var hashSeed = maphash.MakeSeed()

// hashOf hashes the id alone. Ids of different clusters mostly differ.
func hashOf(id string) uint64 { return maphash.String(hashSeed, id) }

func (m *hashed[V]) hashOf(key member) uint64 {
	if m.hash != nil {
		return m.hash(key.id)
	}
	return hashOf(key.id)
}

func place(hash uint64, shift int) (bit uint32) { return 1 << (hash >> shift % hashPlaces) }

// index counts the occupied places below the bit.
func index(taken, bit uint32) int { return bits.OnesCount32(taken & (bit - 1)) }

func (m *hashed[V]) copied() hashed[V] {
	c := *m
	m.gen++
	return c
}

// get returns a member's value, and whether the map has the member.
func (m *hashed[V]) get(key member) (v V, ok bool) {
	hash := m.hashOf(key)
	n := m.root
	for shift := 0; n != nil; shift += hashLevel {
		if shift >= hashBits {
			if i := n.indexOf(key); i >= 0 {
				return n.items[i].value, true
			}
			return v, false
		}
		bit := place(hash, shift)
		if n.atItem&bit != 0 {
			if it := &n.items[index(n.atItem, bit)]; it.key == key {
				return it.value, true
			}
			return v, false
		}
		if n.atNode&bit == 0 {
			return v, false
		}
		n = n.nodes[index(n.atNode, bit)]
	}
	return v, false
}

// indexOf returns the index of an item in a last node, where all hashes are equal. It
// returns -1 if the item is not there.
func (n *hashNode[V]) indexOf(key member) int {
	return slices.IndexFunc(n.items, func(it hashItem[V]) bool { return it.key == key })
}

// set stores a value for a member.
func (m *hashed[V]) set(key member, v V) {
	if m.root == nil {
		m.root = &hashNode[V]{gen: m.gen}
	}
	m.root = m.put(m.root, 0, m.hashOf(key), hashItem[V]{key, v})
}

// writable returns a node that may be changed: the node itself, or a copy if the node
// is shared.
func (m *hashed[V]) writable(n *hashNode[V]) *hashNode[V] {
	if n.gen == m.gen {
		return n
	}
	return &hashNode[V]{gen: m.gen, atItem: n.atItem, atNode: n.atNode, items: slices.Clone(n.items), nodes: slices.Clone(n.nodes)}
}

// put inserts an item below a node and returns the node that replaces it.
func (m *hashed[V]) put(n *hashNode[V], shift int, hash uint64, it hashItem[V]) *hashNode[V] {
	n = m.writable(n)
	if shift >= hashBits {
		if i := n.indexOf(it.key); i >= 0 {
			n.items[i] = it
		} else {
			n.items = append(n.items, it)
			m.n++
		}
		return n
	}
	bit := place(hash, shift)
	i, j := index(n.atItem, bit), index(n.atNode, bit)
	switch {
	case n.atNode&bit != 0:
		n.nodes[j] = m.put(n.nodes[j], shift+hashLevel, hash, it)
	case n.atItem&bit == 0:
		n.atItem |= bit
		n.items = slices.Insert(n.items, i, it)
		m.n++
	case n.items[i].key == it.key:
		n.items[i] = it
	default: // both items move one level down
		was := n.items[i]
		m.n--
		d := m.put(&hashNode[V]{gen: m.gen}, shift+hashLevel, m.hashOf(was.key), was)
		d = m.put(d, shift+hashLevel, hash, it)
		n.atItem &^= bit
		n.atNode |= bit
		n.items = slices.Delete(n.items, i, i+1)
		n.nodes = slices.Insert(n.nodes, j, d)
	}
	return n
}

// delete removes a member.
func (m *hashed[V]) delete(key member) {
	if _, ok := m.get(key); ok {
		m.root = m.remove(m.root, 0, m.hashOf(key), key)
		m.n--
	}
}

// remove removes an item that is below a node. It returns the node that replaces that
// node, nil if nothing is left.
func (m *hashed[V]) remove(n *hashNode[V], shift int, hash uint64, key member) *hashNode[V] {
	n = m.writable(n)
	if shift >= hashBits {
		i := n.indexOf(key)
		n.items = slices.Delete(n.items, i, i+1)
	} else if bit := place(hash, shift); n.atItem&bit != 0 {
		i := index(n.atItem, bit)
		n.items = slices.Delete(n.items, i, i+1)
		n.atItem &^= bit
	} else {
		j := index(n.atNode, bit)
		d := m.remove(n.nodes[j], shift+hashLevel, hash, key)
		switch {
		case d != nil && (len(d.nodes) > 0 || len(d.items) > 1):
			n.nodes[j] = d
		default:
			n.nodes = slices.Delete(n.nodes, j, j+1)
			n.atNode &^= bit
			if d != nil { // its only item moves up
				n.items = slices.Insert(n.items, index(n.atItem, bit), d.items[0])
				n.atItem |= bit
			}
		}
	}
	if len(n.items) == 0 && len(n.nodes) == 0 {
		return nil
	}
	return n
}

// all yields every member with its value, in no particular order.
func (m *hashed[V]) all() iter.Seq2[member, V] {
	return func(yield func(member, V) bool) {
		if m.root != nil {
			m.root.yieldAll(yield)
		}
	}
}

func (n *hashNode[V]) yieldAll(yield func(member, V) bool) bool {
	for i := range n.items {
		if !yield(n.items[i].key, n.items[i].value) {
			return false
		}
	}
	for _, d := range n.nodes {
		if !d.yieldAll(yield) {
			return false
		}
	}
	return true
}
