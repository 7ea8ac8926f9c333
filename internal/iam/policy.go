// Package iam decides by policies in IAM's language: data in, decision out.
//
// It understands as much of the language as its policies use so far: effects,
// actions and resources with wildcards, and conditions by the operators of
// condition.go. Nothing is allowed by what it does not understand, and what such a
// statement denies is denied.
package iam

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// An Effect is what a statement does with what it applies to.
type Effect string

const (
	Allow Effect = "Allow"
	Deny  Effect = "Deny"
)

// A Statement applies to a request if it names its action and its resource, and all
// of its conditions are met.
type Statement struct {
	Sid    string
	Effect Effect
	// Action has "*", or names of actions with their service: "ecs:Describe*". They
	// ignore case.
	Action []string
	// Resource has "*", which is whatever a request names, or ARNs with wildcards.
	Resource []string
	// Condition has conditions by their operator and their key, such as
	// "StringEquals", "ecs:CreateAction". Names of keys ignore case.
	Condition map[string]map[string][]string
}

// A Policy is a list of statements, ready to be evaluated. It doesn't change.
type Policy struct {
	Name       string // for decisions
	statements []statement
}

// statement is a Statement that has been read.
type statement struct {
	sid        string
	allows     bool // else it denies
	actions    []string
	resources  []resourcePattern
	conditions []condition
	// unclear are the parts that are not understood.
	unclear struct{ effect, actions, resources, conditions bool }
}

// New reads statements. Its error says what in them is not understood; the policy is
// good nevertheless, and denies where it can't tell.
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

// validAction: "*", or a service without wildcards, a colon, and a name.
func validAction(a string) bool {
	service, name, ok := strings.Cut(a, ":")
	return a == "*" || ok && service != "" && name != "" && !strings.ContainsAny(service, "*?$") && !strings.ContainsAny(name, "$:")
}
