package fleet

import (
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/go-json-experiment/json/jsontext"
)

// Host is the principal of one machine and the container instance that it is
// bound to, if it has registered.
type Host struct {
	Name      string    `json:"name"`
	Principal string    `json:"principal"` // ARN
	CreatedAt time.Time `json:"createdAt"`
	Cluster   string    `json:"cluster,omitempty"`  // of Instance
	Instance  string    `json:"instance,omitempty"` // id

	HostTerms

	Extra jsontext.Value `json:",embed"`
}

// HostTerms are what an administrator grants a host, beside the right to be one.
type HostTerms struct {
	// Assigned is the cluster that the host may register in. Hosts of old have none:
	// theirs is that of their instance, or of their first registration.
	Assigned string `json:"assigned,omitempty"`
	// Attributes are given to whatever instance the host registers as.
	Attributes []types.Attribute `json:"attributes,omitempty"`
	// MaxCPU and MaxMemory, in units and MiB, are the most that it registers; 0: all
	// that it has.
	MaxCPU    int `json:"maxCpu,omitzero"`
	MaxMemory int `json:"maxMemory,omitzero"`
}

// HomeCluster is the cluster that the host may register in, "" for any.
func (h *Host) HomeCluster() string {
	if h.Assigned != "" {
		return h.Assigned
	}
	return h.Cluster
}

// MayUse says whether a cluster is any of the host's business: the one that it may
// register in, and while it has not yet moved there the one that it is in.
func (h *Host) MayUse(cluster string) bool {
	home := h.HomeCluster()
	return home == "" || cluster == home || cluster == h.Cluster
}

// LimitCapacity is a capacity as far as the host may offer it.
func (t *HostTerms) LimitCapacity(c Capacity) Capacity {
	if t.MaxCPU > 0 {
		c.CPU = min(c.CPU, t.MaxCPU)
	}
	if t.MaxMemory > 0 {
		c.Memory = min(c.Memory, t.MaxMemory)
	}
	return c
}

// AddAttributes returns attributes with those that the administrator gives in the place of
// what bears their names.
func (t *HostTerms) AddAttributes(list []types.Attribute) []types.Attribute {
	out := slices.Clone(list)
	for _, a := range t.Attributes {
		out = SetAttribute(out, a)
	}
	return out
}

// RemoveAttributes returns attributes without those that the administrator gives.
func (t *HostTerms) RemoveAttributes(list []types.Attribute) []types.Attribute {
	return slices.DeleteFunc(slices.Clone(list), func(a types.Attribute) bool {
		return slices.ContainsFunc(t.Attributes, func(g types.Attribute) bool { return a.Name != nil && *a.Name == *g.Name })
	})
}

// SetAttribute sets an attribute in a list of the caller's own.
func SetAttribute(list []types.Attribute, a types.Attribute) []types.Attribute {
	at := slices.IndexFunc(list, func(o types.Attribute) bool { return o.Name != nil && *o.Name == *a.Name })
	if at < 0 {
		return append(list, a)
	}
	list[at] = a
	return list
}

// hostAttributes are the names and beginnings of names among Ashore's own attributes that
// a host may give itself: what it is, and what it can do.
var hostAttributes = []string{"ashore.machine-id", "ashore.network-mode."}

// IsAdminAttribute says whether an attribute is an administrator's to give: it decides
// what a host belongs to, not what it is.
func IsAdminAttribute(name string) bool {
	return strings.HasPrefix(name, "ashore.") && !slices.ContainsFunc(hostAttributes, func(own string) bool {
		return name == own || strings.HasSuffix(own, ".") && strings.HasPrefix(name, own)
	})
}
