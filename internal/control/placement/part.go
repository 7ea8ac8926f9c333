package placement

import "strings"

// Part are the hosts that have the same values of some attributes.
type Part struct {
	Values []string // in the attributes' order; a host without one has ""
	IDs    []string
}

// Divide sorts hosts into parts, in the order in which they come.
func Divide(ids []string, host func(string) Host, attributes []string) []Part {
	if len(attributes) == 0 {
		return []Part{{IDs: ids}}
	}
	var out []Part
	at := map[string]int{}
	for _, id := range ids {
		values := valuesOf(host(id), attributes)
		key := keyOf(values)
		i, known := at[key]
		if !known {
			i = len(out)
			at[key] = i
			out = append(out, Part{Values: values})
		}
		out[i].IDs = append(out[i].IDs, id)
	}
	return out
}

func valuesOf(h Host, attributes []string) []string {
	values := make([]string, len(attributes))
	if h.Instance == nil {
		return values
	}
	for i, a := range attributes {
		values[i], _ = h.Instance.Attribute(a)
	}
	return values
}

// keyOf joins values: an attribute's value has no zero byte.
func keyOf(values []string) string { return strings.Join(values, "\x00") }
