package ashore

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/smithy-go"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/frontdoor"
	"github.com/ashore/ashore/internal/identity"
)

// HostTerms are an administrator's settings for a host. A setting that is not given
// stays as it is.
type HostTerms struct {
	// Cluster is the cluster in which the host may register. For a new host, the
	// default is the cluster default.
	Cluster *string `json:"cluster"`
	// Attributes are set on the host's container instance. They replace the attributes
	// that the administrator set before.
	Attributes map[string]string `json:"attributes"`
	// MaxCPU (in units) and MaxMemory (in MiB) are the most that the host registers. 0
	// means all that it has.
	MaxCPU    *int `json:"maxCpu"`
	MaxMemory *int `json:"maxMemory"`
}

// validateTerms returns an error if terms are not valid.
func (s *Service) validateTerms(ctx context.Context, t *HostTerms) error {
	if t.Cluster != nil {
		if !fleet.ValidName(*t.Cluster) {
			return invalid("cluster must have 1 to 255 letters, numbers, underscores, and hyphens.")
		}
		snap, err := s.store.Fresh(ctx)
		if err != nil {
			return err
		}
		// An agent creates the cluster default itself.
		if c := snap.Cluster(*t.Cluster); *t.Cluster != fleet.DefaultCluster && (c == nil || c.Status != fleet.ClusterActive) {
			return &types.ClusterNotFoundException{Message: aws.String("Cluster not found.")}
		}
	}
	if len(t.Attributes) > fleet.MaxAttributes {
		return invalid("attributes can have at most %d entries, not %d.", fleet.MaxAttributes, len(t.Attributes))
	}
	for name, v := range t.Attributes {
		switch {
		case !fleet.ValidAttributeName(name):
			return invalid("attributes: the name %q must have 1 to 128 letters, numbers, hyphens, underscores, slashes, back slashes, or periods.", name)
		case fleet.IsAgentAttribute(name):
			return invalid("attributes: the name %q begins with ecs. or com.amazonaws., which are reserved: the agent sets such attributes.", name)
		case v != "" && !fleet.ValidAttributeValue(v):
			return invalid("attributes: the value %q of %s must have 1 to 128 letters, numbers, hyphens, underscores, periods, at signs, slashes, back slashes, colons, or spaces, and must not start or end with a space.", v, name)
		}
	}
	for _, n := range []struct {
		field string
		v     *int
		most  int
	}{{"maxCpu", t.MaxCPU, fleet.MaxCPU}, {"maxMemory", t.MaxMemory, fleet.MaxMemory}} {
		if n.v != nil && (*n.v < 0 || *n.v > n.most) {
			return invalid("%s must be between 0 and %d, not %d.", n.field, n.most, *n.v)
		}
	}
	return nil
}

// applyTo writes the given terms into a host's record.
func (t *HostTerms) applyTo(h *fleet.Host) {
	if t.Cluster != nil {
		h.Assigned = *t.Cluster
	}
	if t.Attributes != nil {
		h.Attributes = nil
		for _, name := range slices.Sorted(maps.Keys(t.Attributes)) {
			a := types.Attribute{Name: aws.String(name)}
			if v := t.Attributes[name]; v != "" {
				a.Value = aws.String(v)
			}
			h.Attributes = append(h.Attributes, a)
		}
	}
	if t.MaxCPU != nil {
		h.MaxCPU = *t.MaxCPU
	}
	if t.MaxMemory != nil {
		h.MaxMemory = *t.MaxMemory
	}
}

// UpdateHostInput names a host by its name or by its access key.
type UpdateHostInput struct {
	Name        string    `json:"name"`
	AccessKeyID string    `json:"accessKeyId"`
	HostTerms   HostTerms `json:"terms"`
}

// UpdateHostOutput describes the host after the change.
type UpdateHostOutput struct {
	Name         string            `json:"name"`
	PrincipalARN string            `json:"principalArn"`
	Cluster      string            `json:"cluster"`           // the cluster in which it may register
	Instance     string            `json:"containerInstance"` // ARN
	Attributes   map[string]string `json:"attributes"`
	MaxCPU       int               `json:"maxCpu"`
	MaxMemory    int               `json:"maxMemory"`
	// PriorCluster is the cluster in which it could register before.
	PriorCluster string `json:"priorCluster"`
}

// UpdateHost changes a host's settings. Attributes and lower limits apply at once. The
// cluster and higher limits apply when the host's agent next registers.
func (s *Service) UpdateHost(ctx context.Context, in *UpdateHostInput) (*UpdateHostOutput, error) {
	if (in.Name == "") == (in.AccessKeyID == "") {
		return nil, invalid("either name or accessKeyId must be given.")
	}
	if err := s.validateTerms(ctx, &in.HostTerms); err != nil {
		return nil, err
	}
	out := &UpdateHostOutput{Name: in.Name, Attributes: map[string]string{}}
	var err error
	if in.Name == "" {
		if out.Name, err = identity.HostOfKey(ctx, s.store, in.AccessKeyID); err != nil {
			return nil, hostError(err)
		}
	}
	if snap := s.store.Snapshot(); snap.Host(out.Name) != nil {
		out.PriorCluster = snap.Host(out.Name).HomeCluster()
	}
	h, err := identity.ChangeHost(ctx, s.store, out.Name, in.HostTerms.applyTo)
	if err != nil {
		return nil, hostError(err)
	}
	out.PrincipalARN, out.Cluster, out.MaxCPU, out.MaxMemory = h.Principal, h.HomeCluster(), h.MaxCPU, h.MaxMemory
	if h.Instance != "" {
		out.Instance = s.store.Site().InstanceARN(h.Cluster, h.Instance)
	}
	for _, a := range h.Attributes {
		out.Attributes[*a.Name] = aws.ToString(a.Value)
	}
	return out, nil
}

// hostError returns the API's error for an error about a host.
func hostError(err error) error {
	if errors.Is(err, identity.ErrNoHost) {
		return &smithy.GenericAPIError{Code: "ResourceNotFoundException", Fault: smithy.FaultClient, Message: "There is no such host: `ashore host add` makes one."}
	}
	return err
}

// updateHostResources returns the resources that UpdateHost changes.
func (s *Service) updateHostResources(_ context.Context, _ frontdoor.Caller, in *UpdateHostInput) []string {
	if in.Name == "" {
		return nil
	}
	return []string{identity.HostARN(s.store.Site(), in.Name)}
}
