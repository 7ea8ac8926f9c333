package query

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"
	"time"
)

// The operators in the form that String prints.
const (
	equal        = "=="
	notEqual     = "!="
	greater      = ">"
	greaterEqual = ">="
	less         = "<"
	lessEqual    = "<="
	exists       = "exists"
	notExists    = "!exists"
	in           = "in"
	notIn        = "!in"
	matches      = "=~"
	notMatches   = "!~"
)

var operatorNames = map[string]string{
	"equals": equal, "not_equals": notEqual, "greater_than": greater, "greater_than_equal": greaterEqual,
	"less_than": less, "less_than_equal": lessEqual, "not_exists": notExists, "not_in": notIn,
	"matches": matches, "not_matches": notMatches,
}

// positive maps a negative operator to the one whose complement it is.
var positive = map[string]string{notEqual: equal, notExists: exists, notIn: in, notMatches: matches}

// The subjects, with the operators that the developer guide lists for each. It
// lists none for attributes and groups; groups have no order.
var (
	words    = []string{equal, notEqual, in, notIn, matches, notMatches}
	ordered  = []string{equal, notEqual, greater, greaterEqual, less, lessEqual}
	subjects = map[string][]string{
		"agentConnected": words, "agentVersion": ordered, "ec2InstanceId": words, "registeredAt": ordered, "runningTasksCount": ordered,
		"task:group": append([]string{exists, notExists}, words...),
	}
	attributes    = append(append([]string{exists, notExists}, words...), greater, greaterEqual, less, lessEqual)
	attributeName = regexp.MustCompile(`^[A-Za-z0-9_./\\-]{1,128}$`)
)

type compiler struct{ source string }

func (c *compiler) fail(offset int, format string, args ...any) error {
	return &Error{position(c.source, offset), fmt.Sprintf(format, args...)}
}

func (c *compiler) or(o *orClause) (node, error) {
	var out []node
	for _, t := range o.Terms {
		n, err := c.and(t)
		if err != nil {
			return nil, err
		}
		out = append(out, n)
	}
	if len(out) == 1 {
		return out[0], nil
	}
	return anyOf(out), nil
}

func (c *compiler) and(a *andClause) (node, error) {
	var out []node
	for _, f := range a.Factors {
		n, err := c.factor(f)
		if err != nil {
			return nil, err
		}
		out = append(out, n)
	}
	if len(out) == 1 {
		return out[0], nil
	}
	return allOf(out), nil
}

func (c *compiler) factor(f *factor) (node, error) {
	switch {
	case f.Not != nil:
		n, err := c.factor(f.Not)
		if err != nil {
			return nil, err
		}
		return negation{n}, nil
	case f.Group != nil:
		return c.or(f.Group)
	}
	return c.condition(f.Cond)
}

func (c *compiler) condition(in *condition) (node, error) {
	n := &test{subject: in.Subject, op: in.Exists + in.Op + in.Match + in.In}
	if s, ok := operatorNames[n.op]; ok {
		n.op = s
	}
	allowed, known := subjects[in.Subject]
	if name, ok := strings.CutPrefix(in.Subject, "attribute:"); ok {
		if !attributeName.MatchString(name) {
			return nil, c.fail(in.Pos.Offset+len("attribute:"), "%q is not the name of an attribute; expected 1 to 128 letters, digits, and the signs _ . / \\ -", name)
		}
		n.attribute, allowed, known = name, attributes, true
	}
	if !known {
		return nil, c.fail(in.Pos.Offset, "%q is not a subject; expected attribute:NAME, task:group, agentConnected, agentVersion, ec2InstanceId, registeredAt or runningTasksCount", in.Subject)
	}
	if !contains(allowed, n.op) {
		return nil, c.fail(in.Pos.Offset, "%s does not take the operator %s; expected one of %s", in.Subject, n.op, strings.Join(allowed, " "))
	}
	for _, t := range in.List {
		n.values = append(n.values, t.unquoted())
	}
	switch {
	case in.Value != nil:
		n.values = []string{in.Value.unquoted()}
		return n, c.value(n, in.Value)
	case in.Pattern != nil:
		n.values = []string{in.Pattern.unquoted()}
		re, err := pattern(n.values[0])
		if err != nil {
			return nil, c.fail(in.Pattern.Pos.Offset, "%s", err)
		}
		n.pattern = re
	}
	if n.subject == "agentConnected" && n.pattern == nil {
		for _, t := range in.List {
			if v := t.unquoted(); v != "true" && v != "false" {
				return nil, c.fail(t.Pos.Offset, "found %q; expected true or false", v)
			}
		}
	}
	return n, nil
}

// value parses the value that a subject with a type of its own is compared with.
func (c *compiler) value(n *test, t *text) error {
	v := n.values[0]
	switch n.subject {
	case "agentConnected":
		if v != "true" && v != "false" {
			return c.fail(t.Pos.Offset, "found %q; expected true or false", v)
		}
	case "runningTasksCount":
		k, err := strconv.Atoi(v)
		if err != nil {
			return c.fail(t.Pos.Offset, "found %q; expected a number of tasks", v)
		}
		n.count = k
	case "agentVersion":
		if n.version = parseVersion(v); n.version == nil {
			return c.fail(t.Pos.Offset, "found %q; expected a version such as 1.22.0", v)
		}
	case "registeredAt":
		at, ok := parseTime(v)
		if !ok {
			return c.fail(t.Pos.Offset, "found %q; expected a time such as 2018-06-18T22:28:28+00:00, 2018-06-18T22:28:28Z, 2018-06-18T22:28:28 or 2018-06-18", v)
		}
		n.at = at
	}
	return nil
}

func parseTime(s string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC().Truncate(time.Second), true
		}
	}
	return time.Time{}, false
}

// parseVersion parses 1.2.3, also after a v and with a suffix such as -abc. It
// returns nil if s is no version.
func parseVersion(s string) []int {
	s = strings.TrimPrefix(s, "v")
	if i := strings.IndexAny(s, "-+"); i >= 0 {
		s = s[:i]
	}
	var out []int
	for _, p := range strings.Split(s, ".") {
		k, err := strconv.Atoi(p)
		if err != nil || k < 0 {
			return nil
		}
		out = append(out, k)
	}
	return out
}

const (
	maxPattern = 256  // characters; an attribute's value has at most 128
	maxProgram = 5000 // size of a pattern with its repetitions written out
)

func pattern(s string) (*regexp.Regexp, error) {
	if n := len([]rune(s)); n > maxPattern {
		return nil, fmt.Errorf("the pattern has %d characters; it can have at most %d", n, maxPattern)
	}
	tree, err := syntax.Parse(s, syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("%q is not a pattern: %w", s, err)
	}
	if size(tree) > maxProgram {
		return nil, fmt.Errorf("the pattern %q repeats too much", s)
	}
	re, err := regexp.Compile(`^(?s:` + tree.String() + `)$`)
	if err != nil {
		return nil, fmt.Errorf("%q is not a pattern: %w", s, err)
	}
	return re, nil
}

func size(r *syntax.Regexp) int {
	n := 1 + len(r.Rune)
	for _, sub := range r.Sub {
		n += size(sub)
	}
	if r.Op == syntax.OpRepeat {
		n *= max(r.Min, r.Max, 1)
	}
	return min(n, maxProgram+1)
}

func contains(list []string, s string) bool {
	for _, v := range list {
		if v == s {
			return true
		}
	}
	return false
}
