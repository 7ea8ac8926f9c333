package query

import (
	"cmp"
	"iter"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// View lets an expression read a host. The expression reads only what it needs.
type View interface {
	// Agent returns the version of the connected agent, "" if it is not known.
	Agent() (version string, connected bool)
	EC2InstanceID() string // "" if it has none
	RegisteredAt() time.Time
	RunningTasks() int
	Attribute(name string) (value string, ok bool)
	Groups() iter.Seq[string] // of the tasks on the host; may be nil
}

// Expr is a parsed expression. It is immutable.
type Expr struct{ root node }

// Matches reports whether a host meets the expression.
func (e *Expr) Matches(v View) bool { return e.root.matches(v) }

// String returns the expression in one of the many forms in which it can be written.
// Parse reads it as the same expression.
func (e *Expr) String() string { return e.root.String() }

type node interface {
	matches(View) bool
	String() string
}

type (
	anyOf    []node
	allOf    []node
	negation struct{ of node }
)

func (a anyOf) matches(v View) bool {
	return slices.ContainsFunc(a, func(n node) bool { return n.matches(v) })
}

func (a allOf) matches(v View) bool {
	return !slices.ContainsFunc(a, func(n node) bool { return !n.matches(v) })
}

func (n negation) matches(v View) bool { return !n.of.matches(v) }

func (a anyOf) String() string { return join(a, " or ") }

func (a allOf) String() string { return join(a, " and ") }

func (n negation) String() string { return "not " + parenthesized(n.of) }

func join(nodes []node, with string) string {
	parts := make([]string, len(nodes))
	for i, n := range nodes {
		parts[i] = parenthesized(n)
	}
	return strings.Join(parts, with)
}

func parenthesized(n node) string {
	switch n.(type) {
	case anyOf, allOf:
		return "(" + n.String() + ")"
	}
	return n.String()
}

// test is one condition.
type test struct {
	subject   string
	attribute string // name of the attribute, if the subject is one
	op        string
	values    []string

	pattern *regexp.Regexp
	count   int
	version []int
	at      time.Time
}

func (t *test) matches(v View) bool {
	if p, ok := positive[t.op]; ok {
		return !t.evaluate(v, p)
	}
	return t.evaluate(v, t.op)
}

// evaluate evaluates a positive operator.
func (t *test) evaluate(v View, op string) bool {
	switch t.subject {
	case "agentConnected":
		_, connected := v.Agent()
		return t.evaluateText(strconv.FormatBool(connected), op)
	case "ec2InstanceId":
		id := v.EC2InstanceID()
		return id != "" && t.evaluateText(id, op)
	case "runningTasksCount":
		return compared(cmp.Compare(v.RunningTasks(), t.count), op)
	case "registeredAt":
		return compared(v.RegisteredAt().Truncate(time.Second).Compare(t.at), op)
	case "agentVersion":
		version, _ := v.Agent()
		has := parseVersion(version)
		return has != nil && compared(compareVersions(has, t.version), op)
	case "task:group":
		groups := v.Groups()
		if groups == nil {
			return false
		}
		for g := range groups {
			if t.evaluateText(g, op) {
				return true
			}
		}
		return false
	}
	s, ok := v.Attribute(t.attribute)
	return ok && t.evaluateText(s, op)
}

// evaluateText evaluates a positive operator on a value that exists.
func (t *test) evaluateText(s, op string) bool {
	switch op {
	case exists:
		return true
	case equal:
		return s == t.values[0]
	case in:
		return slices.Contains(t.values, s)
	case matches:
		return t.pattern.MatchString(s)
	}
	return compared(compareTexts(s, t.values[0]), op)
}

func compared(c int, op string) bool {
	switch op {
	case equal:
		return c == 0
	case greater:
		return c > 0
	case greaterEqual:
		return c >= 0
	case less:
		return c < 0
	}
	return c <= 0
}

// compareTexts compares two numbers as numbers, and everything else as text.
func compareTexts(a, b string) int {
	x, err1 := strconv.ParseFloat(a, 64)
	y, err2 := strconv.ParseFloat(b, 64)
	if err1 == nil && err2 == nil {
		return cmp.Compare(x, y)
	}
	return strings.Compare(a, b)
}

// compareVersions compares part by part; a missing part is 0.
func compareVersions(a, b []int) int {
	at := func(v []int, i int) int {
		if i < len(v) {
			return v[i]
		}
		return 0
	}
	for i := range max(len(a), len(b)) {
		if c := cmp.Compare(at(a, i), at(b, i)); c != 0 {
			return c
		}
	}
	return 0
}

var (
	wholeValue   = regexp.MustCompile(`^(?:` + bareValue + `)$`)
	wholePattern = regexp.MustCompile(`^(?:` + barePattern + `)$`)
)

func (t *test) String() string {
	s := t.subject + " " + t.op
	switch t.op {
	case exists, notExists:
		return s
	case in, notIn:
		out := make([]string, len(t.values))
		for i, v := range t.values {
			out[i] = quoted(v, wholeValue)
		}
		return s + " [" + strings.Join(out, ", ") + "]"
	case matches, notMatches:
		return s + " " + quoted(t.values[0], wholePattern)
	}
	return s + " " + quoted(t.values[0], wholeValue)
}

// quoted quotes a text that is not a word. No text contains both kinds of quotes:
// such a text could not have been written.
func quoted(s string, word *regexp.Regexp) string {
	switch {
	case word.MatchString(s):
		return s
	case strings.Contains(s, "'"):
		return `"` + s + `"`
	}
	return "'" + s + "'"
}
