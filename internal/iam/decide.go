package iam

import "strings"

// A Request is an action on one resource.
type Request struct {
	// Action is "ecs:RunTask". "s3:*" means all actions of a service on all of its
	// resources. A statement allows it only if it names all, and denies it if it names
	// any.
	Action   string
	Resource string // an ARN, or "*" if the action has no resource with an ARN
	// Context returns the values of a condition key, whose name is in lower case. It
	// returns nil if the request does not have the key. It is only called if a
	// statement names the action and the resource. A nil Context has no keys.
	Context func(key string) []string
}

// A Decision says whether a request is allowed, and which statement decided. Policy and
// Sid are empty if no statement applies. The request is not allowed then.
type Decision struct {
	Allowed bool
	Policy  string
	Sid     string
}

// Explicit says whether a statement denies the request.
func (d Decision) Explicit() bool { return !d.Allowed && d.Policy != "" }

// Decide evaluates the policies that together apply to a request. A statement that
// denies wins over all that allow.
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

// applies says whether the statement applies to the request. If a part of the statement
// is not understood, applies assumes the case that denies.
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

// namesServiceAction says whether the statement names any action of a service.
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
		case len(values) > 1 && !c.null: // only set operators define the meaning of several values
			if s.allows {
				return false
			}
		case !c.isMet(values):
			return false
		}
	}
	return true
}
