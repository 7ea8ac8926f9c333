package query

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/ashore/ashore/internal/aws/protocol"
)

// A node has the part of a form below one name. "Tags.member.2.Key=a" is a path of four
// nodes.
type node struct {
	value    string
	given    bool // the name itself has a value
	children map[string]*node
}

// nodeSize is about the memory of a node in bytes, including its place in a map.
const nodeSize = 160

// treeOf builds a tree from the names of a form.
func treeOf(form url.Values, budget *protocol.Budget) (*node, error) {
	root := &node{}
	for name, values := range form {
		n := root
		depth := 0
		for rest, more := name, true; more; depth++ {
			if depth >= 3*protocol.MaxDepth { // a list or map has up to three nodes a level
				return nil, protocol.At(name[:min(len(name), 64)], protocol.CheckDepth(protocol.MaxDepth))
			}
			var part string
			part, rest, more = strings.Cut(rest, ".")
			next := n.children[part]
			if next == nil {
				if err := budget.Spend(nodeSize); err != nil {
					return nil, err
				}
				next = &node{}
				if n.children == nil {
					n.children = map[string]*node{}
				}
				n.children[part] = next
			}
			n = next
		}
		n.value, n.given = values[len(values)-1], true
	}
	return root, nil
}

// at returns the node below n at a path of names, nil if there is none.
func (n *node) at(names ...string) *node {
	for _, name := range names {
		if name == "" {
			continue
		}
		if n = n.children[name]; n == nil {
			return nil
		}
	}
	return n
}

// numbered returns the nodes below n whose names are numbers, sorted. As in AWS, the
// numbers may have gaps.
func (n *node) numbered() ([]*node, error) {
	type item struct {
		number uint64
		node   *node
	}
	var items []item
	for name, child := range n.children {
		number, err := strconv.ParseUint(name, 10, 32)
		if err != nil || number == 0 {
			return nil, protocol.Errorf("%q is not the number of an element", name)
		}
		items = append(items, item{number, child})
	}
	slices.SortFunc(items, func(a, b item) int {
		if a.number < b.number {
			return -1
		}
		return 1
	})
	nodes := make([]*node, len(items))
	for i, it := range items {
		nodes[i] = it.node
	}
	return nodes, nil
}
