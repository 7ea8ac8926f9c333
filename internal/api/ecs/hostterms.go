package ecs

import (
	"errors"

	"github.com/ashore/ashore/internal/ecs/refuse"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/shellenv"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// How often a host may register. The burst lets in an agent that restarts again
// and again.
const (
	registrationsPerSecond = 1
	registrationsBurst     = 60
)

// applyHostTerms limits a host's registration to what an administrator grants the
// host.
func (s *Service) applyHostTerms(tx *store.Tx, r *registration, next, old *fleet.Instance) error {
	h := store.Get(tx, store.HostKey(r.caller.Name))
	if h == nil {
		return errors.New("the principal " + r.caller.ARN + " has no record")
	}
	if err := s.checkHomeCluster(h, next.Cluster, next.ID); err != nil {
		return err
	}
	if err := checkAdminAttributes(r.in.Attributes, h, old); err != nil {
		return err
	}
	next.Registered = h.LimitCapacity(next.Registered)
	next.Attributes = h.AddAttributes(next.Attributes)
	return nil
}

// checkHomeCluster refuses a host a cluster that is not its own. But a host that is
// to move and has not yet may renew the instance that it already is.
func (s *Service) checkHomeCluster(h *fleet.Host, cluster, id string) error {
	if home := h.HomeCluster(); home == "" || home == cluster || h.Cluster == cluster && h.Instance == id {
		return nil
	}
	return &types.AccessDeniedException{Message: refuse.Text("User: %s is not authorized to perform: ecs:RegisterContainerInstance on resource: %s because the host %s belongs to the cluster %s. An administrator moves it by `ashore host assign %s --cluster %s`.",
		h.Principal, s.site.ClusterARN(cluster), h.Name, h.HomeCluster(), h.Name, cluster)}
}

// checkAdminAttributes refuses attributes that only an administrator may set, unless
// the administrator has set them for this host or its old record has them.
func checkAdminAttributes(list []types.Attribute, h *fleet.Host, old *fleet.Instance) error {
	given := h.AddAttributes(nil)
	if old != nil {
		given = append(given, old.Attributes...)
	}
	for k, a := range list {
		if n := aws.ToString(a.Name); fleet.IsAdminAttribute(n) && !hasAttribute(given, a) {
			return refuse.Invalid("attributes[%d].name %s is an administrator's to give: `ashore host assign %s --attribute %s`, or PutAttributes.",
				k, n, h.Name, shellenv.Word(n+"="+aws.ToString(a.Value)))
		}
	}
	return nil
}

func hasAttribute(list []types.Attribute, a types.Attribute) bool {
	for _, o := range list {
		if aws.ToString(o.Name) == aws.ToString(a.Name) && aws.ToString(o.Value) == aws.ToString(a.Value) {
			return true
		}
	}
	return false
}
