package placement

import (
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/ashore/ashore/internal/control/query"
)

// The reasons of placement constraints, in ECS's words.
const (
	MemberOf Reason = "MemberOf placement constraint unsatisfied."
	Distinct Reason = "DistinctInstance placement constraint unsatisfied."
)

// Constraints narrow down the hosts that a task may be placed on.
type Constraints struct {
	MemberOf []*query.Expr
	// Distinct: tasks of one group must be on different hosts.
	Distinct bool
	// Group is the task's own group.
	Group string
}

// unmetReason returns why the constraints keep a task off a host, or "".
func (c *Constraints) unmetReason(h Host) Reason {
	if c.failedExpression(h) != nil {
		return MemberOf
	}
	if c.Distinct && h.Groups != nil {
		for g := range h.Groups {
			if g == c.Group {
				return Distinct
			}
		}
	}
	return ""
}

// failedExpression returns the first expression that a host does not meet, or nil.
func (c *Constraints) failedExpression(h Host) *query.Expr {
	if len(c.MemberOf) == 0 {
		return nil
	}
	v := expressionView{&h}
	if i := slices.IndexFunc(c.MemberOf, func(e *query.Expr) bool { return !e.Matches(v) }); i >= 0 {
		return c.MemberOf[i]
	}
	return nil
}

// Suits reports whether a host may take tasks of the request by its record alone: it
// ignores what is free there, and whether the agent is connected.
func (r *Request) Suits(h Host) bool {
	return h.Instance != nil && offersAll(h.Instance, r.Needs) && r.failedExpression(h) == nil
}

func (c *Constraints) detail(h Host, reason Reason) string {
	if reason == Distinct {
		return fmt.Sprintf("The container instance has a task of the group %s already.", c.Group)
	}
	return fmt.Sprintf("The container instance does not meet the expression %q.", c.failedExpression(h))
}

// expressionView lets an expression read a host; its Instance must be set.
type expressionView struct{ h *Host }

func (s expressionView) Agent() (string, bool)                { return s.h.Agent, s.h.Connected }
func (s expressionView) RegisteredAt() time.Time              { return s.h.Instance.RegisteredAt }
func (s expressionView) Attribute(name string) (string, bool) { return s.h.Instance.Attribute(name) }
func (s expressionView) EC2InstanceID() string                { return s.h.Instance.EC2InstanceID() }
func (s expressionView) Groups() iter.Seq[string]             { return s.h.Groups }

func (s expressionView) RunningTasks() int {
	if s.h.Usage == nil {
		return 0
	}
	return s.h.Usage.Running
}
