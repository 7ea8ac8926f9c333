package iam

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ashore/ashore/internal/aws/arn"
)

// A condition compares the value of a key with the values of the policy. One of them
// must match. With a negated operator none of them may match.
type condition struct {
	operator
	ifExists bool
	key      string // in lower case
	values   []string
}

// operator compares one value of the policy with the request's value.
type operator struct {
	match   func(want, is string) bool
	valid   func(want string) bool
	negated bool // a request without the key also meets it
	null    bool // only checks whether the request has the key
}

// operators are the operators of conditions, by name. The set operators (ForAnyValue)
// are not supported.
var operators = map[string]operator{
	"StringEquals":    {match: equal, valid: hasNoVariable},
	"StringNotEquals": {match: equal, valid: hasNoVariable, negated: true},
	"StringLike":      {match: like, valid: hasNoVariable},
	"StringNotLike":   {match: like, valid: hasNoVariable, negated: true},
	"ArnEquals":       {match: arnLike, valid: arn.Is},
	"ArnLike":         {match: arnLike, valid: arn.Is},
	"ArnNotEquals":    {match: arnLike, valid: arn.Is, negated: true},
	"ArnNotLike":      {match: arnLike, valid: arn.Is, negated: true},
	"Bool":            {match: strings.EqualFold, valid: isBool},
	"Null":            {match: strings.EqualFold, valid: isBool, null: true},
}

func equal(want, is string) bool { return want == is }

func like(want, is string) bool { return matches(want, is, false) }

func arnLike(want, is string) bool {
	pattern, err := arn.Parse(want)
	a, err2 := arn.Parse(is)
	return err == nil && err2 == nil && matchARN(pattern, a)
}

// hasNoVariable says whether a text has no policy variable.
func hasNoVariable(s string) bool { return !strings.Contains(s, "${") }

func isBool(s string) bool { return strings.EqualFold(s, "true") || strings.EqualFold(s, "false") }

func readConditions(all map[string]map[string][]string) ([]condition, error) {
	var out []condition
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(all)) {
		base, ifExists := strings.CutSuffix(name, "IfExists")
		op, ok := operators[base]
		if !ok || op.null && ifExists {
			errs = append(errs, fmt.Errorf("the operator %q is not understood", name))
			continue
		}
		for _, key := range slices.Sorted(maps.Keys(all[name])) {
			values := all[name][key]
			if key == "" || len(values) == 0 || slices.ContainsFunc(values, func(v string) bool { return !op.valid(v) || !hasNoVariable(v) }) {
				errs = append(errs, fmt.Errorf("%s of %s: the values %q are not understood", name, key, values))
				continue
			}
			out = append(out, condition{op, ifExists, strings.ToLower(key), values})
		}
	}
	return out, errors.Join(errs...)
}

// isMet says whether a request meets the condition. values has at most one value: the
// request's value of the key.
func (c *condition) isMet(values []string) bool {
	switch {
	case c.null:
		return slices.ContainsFunc(c.values, func(v string) bool { return strings.EqualFold(v, "true") == (len(values) == 0) })
	case len(values) == 0:
		return c.ifExists || c.negated
	}
	for _, v := range c.values {
		if c.match(v, values[0]) {
			return !c.negated
		}
	}
	return c.negated
}
