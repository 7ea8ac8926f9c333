package fleet

import (
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/go-json-experiment/json/jsontext"
)

// Host is the principal of one machine, together with its container instance after its
// registration.
type Host struct {
	Name      string    `json:"name"`
	Principal string    `json:"principal"` // ARN
	CreatedAt time.Time `json:"createdAt"`
	Cluster   string    `json:"cluster,omitempty"`  // of Instance
	Instance  string    `json:"instance,omitempty"` // id

	HostTerms

	Extra jsontext.Value `json:",embed"`
}

// HostTerms are an administrator's settings for a host.
type HostTerms struct {
	// Assigned is the cluster in which the host may register. Old hosts have none: they
	// have the cluster of their instance, or of their first registration.
	Assigned string `json:"assigned,omitempty"`
	// Attributes are added to each instance that the host registers.
	Attributes []types.Attribute `json:"attributes,omitempty"`
	// MaxCPU and MaxMemory, in units and MiB, are the most that the host registers. 0
	// means everything that it has.
	MaxCPU    int `json:"maxCpu,omitzero"`
	MaxMemory int `json:"maxMemory,omitzero"`
}

// HomeCluster returns the cluster in which the host may register, "" for any.
func (h *Host) HomeCluster() string {
	if h.Assigned != "" {
		return h.Assigned
	}
	return h.Cluster
}

// MayUse says whether the host may use a cluster: the one in which it may register, and
// the one in which it still is until it has moved.
func (h *Host) MayUse(cluster string) bool {
	home := h.HomeCluster()
	return home == "" || cluster == home || cluster == h.Cluster
}

// LimitCapacity returns the part of a capacity that the host may register.
func (t *HostTerms) LimitCapacity(c Capacity) Capacity {
	if t.MaxCPU > 0 {
		c.CPU = min(c.CPU, t.MaxCPU)
	}
	if t.MaxMemory > 0 {
		c.Memory = min(c.Memory, t.MaxMemory)
	}
	return c
}

// AddAttributes returns attributes together with the administrator's. The
// administrator's replace others with the same names.
func (t *HostTerms) AddAttributes(list []types.Attribute) []types.Attribute {
	out := slices.Clone(list)
	for _, a := range t.Attributes {
		out = SetAttribute(out, a)
	}
	return out
}

// RemoveAttributes returns attributes without those with names of the administrator's.
func (t *HostTerms) RemoveAttributes(list []types.Attribute) []types.Attribute {
	return slices.DeleteFunc(slices.Clone(list), func(a types.Attribute) bool {
		return slices.ContainsFunc(t.Attributes, func(g types.Attribute) bool { return a.Name != nil && *a.Name == *g.Name })
	})
}

// SetAttribute sets an attribute in a list that the caller owns.
func SetAttribute(list []types.Attribute, a types.Attribute) []types.Attribute {
	at := slices.IndexFunc(list, func(o types.Attribute) bool { return o.Name != nil && *o.Name == *a.Name })
	if at < 0 {
		return append(list, a)
	}
	list[at] = a
	return list
}

// hostAttributes are names, and beginnings of names, of Ashore's attributes that a host
// may set itself: what it is, and what it can do.
var hostAttributes = []string{"ashore.machine-id", "ashore.network-mode."}

// IsAdminAttribute says whether only an administrator may set an attribute, because it
// decides to what a host belongs.
func IsAdminAttribute(name string) bool {
	return strings.HasPrefix(name, "ashore.") && !slices.ContainsFunc(hostAttributes, func(own string) bool {
		return name == own || strings.HasSuffix(own, ".") && strings.HasPrefix(name, own)
	})
}
