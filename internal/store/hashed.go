package store

import (
	"hash/maphash"
	"iter"
	"math/bits"
	"slices"
)

// hashed is a map of the members of clusters whose copy shares everything until the
// original changes, as table's, but without an order. To look one up takes one
// comparison where a tree takes a dozen, each with memory that nobody has read just
// before; a change copies a few small nodes. Of the copies nobody changes anything.
type hashed[V any] struct {
	root *hashNode[V]
	n    int
	gen  uint64                 // what is of it no copy shares
	hash func(id string) uint64 // hashOf unless set, for tests
}

// member names what a cluster has.
type member struct{ cluster, id string }

func (m member) String() string { return m.cluster + "/" + m.id }

// hashNode is a node of a trie over the bits of hashes, some at each level, the
// lowest first. Each place is free, holds an item or leads to another node. Items
// whose hashes are equal throughout lie together in a last node, in no places.
type hashNode[V any] struct {
	gen            uint64
	atItem, atNode uint32 // a bit for each place
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

// hashOf is of the id alone: those of other clusters are others, mostly.
func hashOf(id string) uint64 { return maphash.String(hashSeed, id) }

func (m *hashed[V]) hashOf(key member) uint64 {
	if m.hash != nil {
		return m.hash(key.id)
	}
	return hashOf(key.id)
}

func place(hash uint64, shift int) (bit uint32) { return 1 << (hash >> shift % hashPlaces) }

// index is how many places below the bit are taken.
func index(taken, bit uint32) int { return bits.OnesCount32(taken & (bit - 1)) }

func (m *hashed[V]) copied() hashed[V] {
	c := *m
	m.gen++
	return c
}

// get returns a member's value, and whether it has one.
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

// indexOf finds an item whose hash says nothing more, -1 where it is not there.
func (n *hashNode[V]) indexOf(key member) int {
	return slices.IndexFunc(n.items, func(it hashItem[V]) bool { return it.key == key })
}

// set gives a member a value.
func (m *hashed[V]) set(key member, v V) {
	if m.root == nil {
		m.root = &hashNode[V]{gen: m.gen}
	}
	m.root = m.put(m.root, 0, m.hashOf(key), hashItem[V]{key, v})
}

// writable returns a node that may be changed: itself, or a copy of one that is shared.
func (m *hashed[V]) writable(n *hashNode[V]) *hashNode[V] {
	if n.gen == m.gen {
		return n
	}
	return &hashNode[V]{gen: m.gen, atItem: n.atItem, atNode: n.atNode, items: slices.Clone(n.items), nodes: slices.Clone(n.nodes)}
}

// put enters an item below a node and returns what takes the node's place.
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
	default: // both go a level down
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

// delete takes a member out.
func (m *hashed[V]) delete(key member) {
	if _, ok := m.get(key); ok {
		m.root = m.remove(m.root, 0, m.hashOf(key), key)
		m.n--
	}
}

// remove takes out an item that is below a node and returns what takes the node's
// place, nil for nothing.
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
			if d != nil { // its only item comes up
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

// all yields every member with its value, in no order.
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
