package ashore

import (
	"context"

	"github.com/ashore/ashore/internal/control/explain"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/frontdoor"
)

// Explainer explains the state of ECS's resources.
type Explainer interface {
	Explain(ctx context.Context, cluster *string, what string) (*explain.Explanation, error)
}

// ExplainInput names a task (id or ARN), a service (name or ARN) or a task
// definition (family, family:revision or ARN).
type ExplainInput struct {
	Cluster  *string `json:"cluster"`
	Resource string  `json:"resource"`
}

// Explain returns why a task or a service has its state, what keeps it from another
// state, and what would help. It writes nothing.
func (s *Service) Explain(ctx context.Context, in *ExplainInput) (*explain.Explanation, error) {
	return s.explain.Explain(ctx, in.Cluster, in.Resource)
}

// explainResources returns the resources that a caller of Explain must be allowed to
// see.
func (s *Service) explainResources(_ context.Context, _ frontdoor.Caller, in *ExplainInput) []string {
	if fleet.IsARN(in.Resource) {
		return []string{in.Resource}
	}
	site := s.store.Site()
	ref := ""
	if in.Cluster != nil {
		ref = *in.Cluster
	}
	name, ok := site.ClusterName(ref)
	if !ok {
		return []string{ref}
	}
	return []string{site.ClusterARN(name)}
}
