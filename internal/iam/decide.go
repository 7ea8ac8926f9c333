package iam

import "strings"

// A Request is an action on one resource.
type Request struct {
	// Action is "ecs:RunTask". "s3:*" stands for all actions of a service, on all of
	// its resources: a statement allows it only by naming all, and denies it by naming
	// any.
	Action   string
	Resource string // an ARN, or "*" where it touches nothing that has one
	// Context gives the values of a condition key, whose name is in lower case; none
	// where the request does not have the key. It is asked only where a statement
	// names the action and the resource. Nil has no keys.
	Context func(key string) []string
}

// A Decision says whether a request is allowed, and which statement decided. Neither
// Policy nor Sid is set where none applies: then it is not allowed.
type Decision struct {
	Allowed bool
	Policy  string
	Sid     string
}

// Explicit says whether a statement denies the request.
func (d Decision) Explicit() bool { return !d.Allowed && d.Policy != "" }

// Decide evaluates policies, which apply to a request together: a statement that
// denies wins over each that allows.
func Decide(policies []*Policy, r Request) Decision {
	var d Decision
	for _, p := range policies {
		for i := range p.statements {
			s := &p.statements[i]
			if s.allows && d.Allowed || !s.applies(r) {
				continue
			}
			d = Decision{Allowed: s.allows, Policy: p.Name, Sid: s.sid}
			if !s.allows {
				return d
			}
		}
	}
	return d
}

// applies says whether the statement is about the request. Of a part that is not
// understood it takes for granted what denies.
func (s *statement) applies(r Request) bool {
	u := &s.unclear
	if s.allows && (u.effect || u.actions || u.resources || u.conditions) {
		return false
	}
	if service, all := strings.CutSuffix(r.Action, ":*"); all && !s.allows {
		return u.actions || s.namesServiceAction(service)
	}
	return (u.actions || s.hasAction(r.Action)) && (u.resources || s.hasResource(r.Resource)) && s.meetsConditions(r)
}

// namesServiceAction says whether the statement names an action of a service.
func (s *statement) namesServiceAction(service string) bool {
	for _, a := range s.actions {
		of, _, _ := strings.Cut(a, ":")
		if a == "*" || strings.EqualFold(of, service) {
			return true
		}
	}
	return false
}

func (s *statement) hasAction(action string) bool {
	all := strings.HasSuffix(action, ":*")
	for _, a := range s.actions {
		if all && (a == "*" || strings.EqualFold(a, action)) || !all && matches(a, action, true) {
			return true
		}
	}
	return false
}

func (s *statement) hasResource(resource string) bool {
	for _, r := range s.resources {
		if r.matches(resource) {
			return true
		}
	}
	return false
}

func (s *statement) meetsConditions(r Request) bool {
	for i := range s.conditions {
		c := &s.conditions[i]
		var values []string
		if r.Context != nil {
			values = r.Context(c.key)
		}
		switch {
		case len(values) > 1 && !c.null: // only a set operator says what that means
			if s.allows {
				return false
			}
		case !c.isMet(values):
			return false
		}
	}
	return true
}
