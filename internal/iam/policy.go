// Package iam decides by policies in IAM's language. It is pure: data in, decision out.
//
// It understands the part of the language that its policies use so far: effects,
// actions and resources with wildcards, and conditions with the operators of
// condition.go. A statement with a part that it does not understand allows nothing. If
// such a statement denies, it denies.
package iam

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// An Effect is Allow or Deny.
type Effect string

const (
	Allow Effect = "Allow"
	Deny  Effect = "Deny"
)

// A Statement applies to a request if it names the request's action and resource, and
// if the request meets all of its conditions.
type Statement struct {
	Sid    string
	Effect Effect
	// Action has "*", or names of actions with their service: "ecs:Describe*". Case is
	// ignored.
	Action []string
	// Resource has "*", which matches every resource, or ARNs with wildcards.
	Resource []string
	// Condition has conditions by operator and key, such as "StringEquals",
	// "ecs:CreateAction". The case of key names is ignored.
	Condition map[string]map[string][]string
}

// A Policy is a list of parsed statements. It doesn't change.
type Policy struct {
	Name       string // for decisions
	statements []statement
}

// statement is a parsed Statement.
type statement struct {
	sid        string
	allows     bool // otherwise it denies
	actions    []string
	resources  []resourcePattern
	conditions []condition
	// unclear says which parts are not understood.
	unclear struct{ effect, actions, resources, conditions bool }
}

// New parses statements. Its error names the parts that it does not understand. The
// policy is valid even then, and denies where it can't decide.
func New(name string, statements ...Statement) (*Policy, error) {
	p := &Policy{Name: name}
	var errs []error
	for i, s := range statements {
		read, err := s.read()
		if err != nil {
			errs = append(errs, fmt.Errorf("policy %s: statement %d %s: %w", name, i+1, s.Sid, err))
		}
		p.statements = append(p.statements, read)
	}
	return p, errors.Join(errs...)
}

func (s *Statement) read() (statement, error) {
	out := statement{sid: s.Sid, allows: s.Effect == Allow, actions: s.Action}
	var errs []error
	if s.Effect != Allow && s.Effect != Deny {
		out.unclear.effect = true
		errs = append(errs, fmt.Errorf("the effect %q is neither Allow nor Deny", s.Effect))
	}
	if len(s.Action) == 0 || slices.ContainsFunc(s.Action, func(a string) bool { return !validAction(a) }) {
		out.unclear.actions = true
		errs = append(errs, fmt.Errorf("the actions %q are not understood", s.Action))
	}
	for _, r := range s.Resource {
		p, err := readResource(r)
		if err != nil {
			errs = append(errs, err)
		}
		out.unclear.resources = out.unclear.resources || err != nil
		out.resources = append(out.resources, p)
	}
	if len(s.Resource) == 0 {
		out.unclear.resources = true
		errs = append(errs, errors.New("there is no resource"))
	}
	var err error
	if out.conditions, err = readConditions(s.Condition); err != nil {
		out.unclear.conditions = true
		errs = append(errs, err)
	}
	return out, errors.Join(errs...)
}

// validAction says whether an action is "*", or a service without wildcards, a colon,
// and a name.
func validAction(a string) bool {
	service, name, ok := strings.Cut(a, ":")
	return a == "*" || ok && service != "" && name != "" && !strings.ContainsAny(service, "*?$") && !strings.ContainsAny(name, "$:")
}
