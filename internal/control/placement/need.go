package placement

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ashore/ashore/internal/fleet"
)

// Need is what a host must offer for a task: an attribute, with a value if one is
// given.
type Need struct {
	Name, Value string
	// For is what needs it, in words that a user knows, such as "the log driver
	// awslogs of the container web". Help is what the user can do about it.
	For, Help string
}

// isMetBy reports whether a host offers what is needed.
func (n *Need) isMetBy(i *fleet.Instance) bool {
	v, has := i.Attribute(n.Name)
	return has && (n.Value == "" || n.Value == v)
}

func (n *Need) attribute() string {
	if n.Value != "" {
		return n.Name + "=" + n.Value
	}
	return n.Name
}

// offersAll reports whether a host offers everything that is needed.
func offersAll(i *fleet.Instance, needs []Need) bool {
	for k := range needs {
		if !needs[k].isMetBy(i) {
			return false
		}
	}
	return true
}

// Lack is something that a task needs and does not get, and what would help.
type Lack struct {
	What string // a noun, such as "the log driver awslogs of the container web"
	Help string // sentences
}

// Lacks returns the needs that none of the hosts offers, grouped by what needs them.
func Lacks(needs []Need, hosts ...*fleet.Instance) []Lack {
	var out []Lack
	attributes := map[string][]string{}
	for k := range needs {
		n := &needs[k]
		if slices.ContainsFunc(hosts, n.isMetBy) {
			continue
		}
		if len(attributes[n.For]) == 0 {
			out = append(out, Lack{n.For, n.Help})
		}
		if a := n.attribute(); !slices.Contains(attributes[n.For], a) {
			attributes[n.For] = append(attributes[n.For], a)
		}
	}
	for i := range out {
		names := attributes[out[i].What]
		word := "attribute"
		if len(names) > 1 {
			word = "attributes"
		}
		out[i].What += fmt.Sprintf(" (%s %s)", word, strings.Join(names, ", "))
	}
	return out
}

// DescribeLacks writes lacks as one text: each with what would help, and numbered if
// there are several.
func DescribeLacks(lacks []Lack) string {
	var out []string
	for i, l := range lacks {
		number := ""
		if len(lacks) > 1 {
			number = fmt.Sprintf("%d. ", i+1)
		}
		out = append(out, strings.TrimSpace(number+l.What+". "+l.Help))
	}
	return strings.Join(out, " ")
}
