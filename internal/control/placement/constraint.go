package placement

import (
	"fmt"
	"slices"

	"github.com/ashore/ashore/internal/control/query"
)

// The reasons of placement constraints, in ECS's words.
const (
	MemberOf Reason = "MemberOf placement constraint unsatisfied."
	Distinct Reason = "DistinctInstance placement constraint unsatisfied."
)

// Constraints narrow the hosts that a task may be placed on.
type Constraints struct {
	MemberOf []*query.Expr
	// Distinct keeps tasks of one group on hosts of their own.
	Distinct bool
	// Group is the task's own.
	Group string
}

// unmet returns why the constraints keep a task off a host, or "".
func (c *Constraints) unmet(h Host) Reason {
	if c.failing(h) != nil {
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

// failing returns the first expression that a host does not meet, or nil.
func (c *Constraints) failing(h Host) *query.Expr {
	if len(c.MemberOf) == 0 {
		return nil
	}
	v := h.query()
	if i := slices.IndexFunc(c.MemberOf, func(e *query.Expr) bool { return !e.Matches(v) }); i >= 0 {
		return c.MemberOf[i]
	}
	return nil
}

func (c *Constraints) detail(h Host, reason Reason) string {
	if reason == Distinct {
		return fmt.Sprintf("The container instance has a task of the group %s already.", c.Group)
	}
	return fmt.Sprintf("The container instance does not meet the expression %q.", c.failing(h))
}

// query is what the host shows to an expression.
func (h Host) query() query.View {
	v := query.View{
		AgentConnected: h.Connected, AgentVersion: h.Agent, RegisteredAt: h.Instance.RegisteredAt,
		Attribute: h.Instance.Attribute, Groups: h.Groups,
	}
	if h.Usage != nil {
		v.RunningTasksCount = h.Usage.Running
	}
	v.EC2InstanceID = func() string { id, _ := h.Instance.Attribute("ecs.instance-id"); return id }
	return v
}

// Meets says whether a host meets an expression; h.Instance must be set.
func (h Host) Meets(e *query.Expr) bool { return e.Matches(h.query()) }
