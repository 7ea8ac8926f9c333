package ecs

import (
	"crypto/sha256"
	"fmt"
	"strconv"

	"github.com/ashore/ashore/internal/aws/shape"
	"github.com/ashore/ashore/internal/ecs/lookup"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// clusterFields are the parts of a cluster that a caller asks for by include.
type clusterFields struct{ settings, configurations, statistics, attachments, tags bool }

// changedFields are what ECS shows of a cluster that a call has created or changed.
var changedFields = clusterFields{settings: true, configurations: true, tags: true}

func (s *Service) clusterOut(snap *store.Snapshot, c *fleet.Cluster, f clusterFields) types.Cluster {
	n := snap.Counts(c.Name)
	out := types.Cluster{
		ClusterArn: aws.String(s.site.ClusterARN(c.Name)), ClusterName: aws.String(c.Name), Status: aws.String(string(c.Status)),
		RegisteredContainerInstancesCount: int32(n.Instances), PendingTasksCount: int32(n.Pending), RunningTasksCount: int32(n.Running),
		ActiveServicesCount:             int32(countActiveServices(snap, c.Name)),
		CapacityProviders:               shape.NotNil(c.CapacityProviders),
		DefaultCapacityProviderStrategy: shape.NotNil(c.DefaultCapacityProviderStrategy),
		ServiceConnectDefaults:          c.ServiceConnectDefaults,
		Settings:                        []types.ClusterSetting{}, Statistics: []types.KeyValuePair{}, Tags: []types.Tag{},
	}
	if f.settings {
		out.Settings = shape.NotNil(c.Settings)
	}
	if f.configurations {
		out.Configuration = c.Configuration
	}
	if f.tags {
		out.Tags = shape.NotNil(c.Tags)
	}
	if f.statistics {
		out.Statistics = clusterStatistics(n, countServices(snap, c.Name))
	}
	if f.attachments {
		out.Attachments = s.clusterAttachments(snap, c)
		if len(c.CapacityProviders) > 0 {
			out.AttachmentsStatus = aws.String("UPDATE_COMPLETE")
		}
	}
	return out
}

// launchTypes are the launch types that statistics count, with their part of ECS's
// names for the counts.
var launchTypes = []struct {
	kind types.LaunchType
	name string
}{
	{types.LaunchTypeEc2, "EC2"},
	{types.LaunchTypeFargate, "Fargate"},
	{types.LaunchTypeExternal, "External"},
	{types.LaunchTypeManagedInstances, "ManagedInstances"},
}

// clusterStatistics returns the number of tasks by launch type, under ECS's names.
func clusterStatistics(n store.ClusterCounts, services map[types.LaunchType]serviceCount) []types.KeyValuePair {
	out := make([]types.KeyValuePair, 0, 4*len(launchTypes))
	add := func(name string, n int) {
		out = append(out, types.KeyValuePair{Name: aws.String(name), Value: aws.String(strconv.Itoa(n))})
	}
	for _, l := range launchTypes {
		by := n.Of(l.kind)
		add("running"+l.name+"TasksCount", by.Running)
		add("pending"+l.name+"TasksCount", by.Pending)
	}
	for _, l := range launchTypes {
		add("active"+l.name+"ServiceCount", services[l.kind].active)
		add("draining"+l.name+"ServiceCount", services[l.kind].draining)
	}
	return out
}

func countActiveServices(snap *store.Snapshot, cluster string) int {
	n := 0
	for svc := range snap.Services(cluster, "") {
		if svc.Status == fleet.ServiceActive {
			n++
		}
	}
	return n
}

type serviceCount struct{ active, draining int }

// countServices counts services by launch type. A service with a capacity provider
// strategy counts for the launch type of its first provider.
func countServices(snap *store.Snapshot, cluster string) map[types.LaunchType]serviceCount {
	out := map[types.LaunchType]serviceCount{}
	for svc := range snap.Services(cluster, "") {
		r := primaryRevision(snap, svc)
		if r == nil {
			continue
		}
		kind := r.LaunchType
		if len(r.CapacityProviders) > 0 {
			kind = lookup.ProviderLaunchType(snap, *r.CapacityProviders[0].CapacityProvider)
		}
		n := out[kind]
		switch svc.Status {
		case fleet.ServiceActive:
			n.active++
		case fleet.ServiceDraining:
			n.draining++
		}
		out[kind] = n
	}
	return out
}

// clusterAttachments returns what ECS attaches to a cluster for its capacity
// providers: a scaling policy if scaling is managed, and a termination hook if
// draining is managed. Here there is nothing behind them but the request itself, so
// they name the provider and no policy.
func (s *Service) clusterAttachments(snap *store.Snapshot, c *fleet.Cluster) []types.Attachment {
	out := []types.Attachment{}
	add := func(kind, provider string) {
		out = append(out, types.Attachment{
			Id: aws.String(attachmentID(s.site.ClusterARN(c.Name), kind, provider)), Type: aws.String(kind), Status: aws.String("CREATED"),
			Details: []types.KeyValuePair{{Name: aws.String("capacityProviderName"), Value: aws.String(provider)}},
		})
	}
	for _, name := range c.CapacityProviders {
		p := snap.CapacityProvider(name)
		if p == nil || p.Group == nil {
			continue
		}
		if p.QueuesTasks() {
			add("as_policy", name)
		}
		if p.Group.ManagedDraining == types.ManagedDrainingEnabled {
			add("managed_draining", name)
		}
	}
	return out
}

// attachmentID returns an id in the form of a UUID. It is the same for an attachment
// as long as the attachment exists.
func attachmentID(cluster, kind, provider string) string {
	sum := sha256.Sum256([]byte(cluster + "\x00" + kind + "\x00" + provider))
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}
