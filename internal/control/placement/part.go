package placement

import (
	"strings"

	"github.com/ashore/ashore/internal/fleet"
)

// Part is the hosts that have the same values of some attributes.
type Part struct {
	Values []string // in the attributes' order; "" for an attribute that the hosts don't have
	IDs    []string
}

// Division is a list of hosts divided into parts.
type Division struct {
	Parts  []Part
	partOf map[string]int32 // by id of an ACTIVE host: the index of its part
}

// Divide divides hosts into parts. The parts are in the order of their first hosts.
func Divide(ids []string, host func(string) Host, attributes []string) *Division {
	if len(attributes) == 0 {
		return &Division{Parts: []Part{{IDs: ids}}}
	}
	d := &Division{partOf: make(map[string]int32, len(ids))}
	at := map[string]int{}
	for _, id := range ids {
		h := host(id)
		values := attributeValues(h, attributes)
		key := joinValues(values)
		i, known := at[key]
		if !known {
			i = len(d.Parts)
			at[key] = i
			d.Parts = append(d.Parts, Part{Values: values})
		}
		d.Parts[i].IDs = append(d.Parts[i].IDs, id)
		if h.Instance != nil && h.Instance.Status == fleet.InstanceActive {
			d.partOf[id] = int32(i)
		}
	}
	return d
}

func attributeValues(h Host, attributes []string) []string {
	values := make([]string, len(attributes))
	if h.Instance == nil {
		return values
	}
	for i, a := range attributes {
		values[i], _ = h.Instance.Attribute(a)
	}
	return values
}

// joinValues joins values into a key: an attribute's value has no zero byte.
func joinValues(values []string) string { return strings.Join(values, "\x00") }
