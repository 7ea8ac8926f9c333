package ecs

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/ashore/ashore/internal/ecs/refuse"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/frontdoor"
	"github.com/ashore/ashore/internal/identity"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/smithy-go"
)

// RegisterContainerInstanceInput is the SDK's input with the clientToken, which
// agents send although the public model does not have it.
type RegisterContainerInstanceInput struct {
	Attributes                        []types.Attribute
	ClientToken                       *string
	Cluster                           *string
	ContainerInstanceArn              *string
	InstanceIdentityDocument          *string
	InstanceIdentityDocumentSignature *string
	PlatformDevices                   []types.PlatformDevice
	Tags                              []types.Tag
	TotalResources                    []types.Resource
	VersionInfo                       *types.VersionInfo
}

func (s *Service) registerOperations() operations {
	return operations{
		"RegisterContainerInstance": newOperation("ecs:RegisterContainerInstance", func(in *RegisterContainerInstanceInput) []string {
			out := []string{s.clusterResource(in.Cluster)}
			if aws.ToString(in.ContainerInstanceArn) != "" {
				out = append(out, s.memberResource("container-instance", in.Cluster, *in.ContainerInstanceArn))
			}
			return out
		}),
	}
}

// RegisterContainerInstance registers a host, or renews its record. A machine that
// registers as a new instance replaces its old one.
func (s *Service) RegisterContainerInstance(ctx context.Context, in *RegisterContainerInstanceInput) (*sdk.RegisterContainerInstanceOutput, error) {
	if err := checkRegistration(in); err != nil {
		return nil, err
	}
	capacity, err := parseCapacity(in.TotalResources, in.PlatformDevices)
	if err != nil {
		return nil, err
	}
	r := &registration{in: in, capacity: capacity, caller: frontdoor.CallerFrom(ctx).Principal}
	host, err := identity.HostOf(s.store.Snapshot(), s.site, r.caller)
	if err != nil {
		return nil, err
	}
	if r.host = host != nil; r.host && !s.registrations.Allow(r.caller.ARN, 1) {
		return nil, &smithy.GenericAPIError{Code: "ThrottlingException", Message: "Rate exceeded", Fault: smithy.FaultClient}
	}
	if err := s.endFormerInstance(ctx, r); err != nil {
		return nil, err
	}
	var made *fleet.Instance
	err = s.store.Update(ctx, func(tx *store.Tx) error {
		made, err = s.register(tx, r)
		return err
	})
	if err != nil {
		return nil, err
	}
	out := s.instanceOut(s.store.Snapshot(), made, instanceFields{tags: true})
	return &sdk.RegisterContainerInstanceOutput{ContainerInstance: &out}, nil
}

// registration is a checked request and the principal that makes it.
type registration struct {
	in       *RegisterContainerInstanceInput
	capacity fleet.Capacity
	caller   identity.Principal
	host     bool // the caller is the machine that registers; its host's record limits it
}

// registrationID returns the id of the instance that the request is for: the one that
// it names, else one derived from its token, so that a repetition finds it, else a
// new one.
func (s *Service) registrationID(r *registration, cluster string) (id string, named bool, err error) {
	if arn := aws.ToString(r.in.ContainerInstanceArn); arn != "" {
		id, ok := s.site.MemberID("container-instance", cluster, arn)
		if !ok || !fleet.IsID(id) {
			return "", false, refuse.Invalid("containerInstanceArn %q is not that of a container instance of cluster %s.", arn, cluster)
		}
		return id, true, nil
	}
	if token := aws.ToString(r.in.ClientToken); token != "" {
		return fleet.DerivedID("RegisterContainerInstance", r.caller.ARN, cluster, token), false, nil
	}
	return fleet.NewID(), false, nil
}

func (s *Service) register(tx *store.Tx, r *registration) (*fleet.Instance, error) {
	name, err := s.registrationCluster(tx, r)
	if err != nil {
		return nil, err
	}
	id, named, err := s.registrationID(r, name)
	if err != nil {
		return nil, err
	}
	k := store.InstanceKey(name, id)
	old := store.Get(tx, k)
	next := &fleet.Instance{
		Cluster: name, ID: id, Status: fleet.InstanceActive, RegisteredAt: s.now(), Registered: r.capacity,
		Resources: r.in.TotalResources, Attributes: slices.Clone(r.in.Attributes), Tags: r.in.Tags,
		ClientToken: aws.ToString(r.in.ClientToken), Version: 1,
		Machine: fleet.MachineOf(aws.ToString(r.in.InstanceIdentityDocument)), Versions: fleet.VersionInfoOf(r.in.VersionInfo),
	}
	if r.host {
		next.Principal = r.caller.ARN
		if err := s.applyHostTerms(tx, r, next, old); err != nil {
			return nil, err
		}
	}
	if old != nil {
		if err := s.carryOver(next, old, r, named); err != nil {
			return nil, err
		}
	}
	next.Machine = next.EC2InstanceID()
	// What is free on a host changes with its capacity and status. A transaction that
	// places tasks there must not decide by the old values.
	if err := tx.Claim(store.HostGuard(name, id)); err != nil {
		return nil, err
	}
	if r.host {
		if err := bindHost(tx, r.caller, next); err != nil {
			return nil, err
		}
	}
	return next, store.Put(tx, k, next)
}

// carryOver copies from the old record what a registration does not send again.
func (s *Service) carryOver(next, old *fleet.Instance, r *registration, named bool) error {
	if old.Principal != next.Principal && old.Principal != "" && r.host {
		return refuse.Invalid("The container instance %s belongs to another host.", s.site.InstanceARN(old.Cluster, old.ID))
	}
	if old.Status == fleet.InstanceInactive {
		return refuse.Client("Container instance %s is inactive. Register this host as a new one, without the old ARN.", old.ID)
	}
	next.Status, next.StatusReason, next.RegisteredAt = old.Status, old.StatusReason, old.RegisteredAt
	next.Version, next.Extra = old.Version+1, old.Extra
	if next.Principal == "" {
		next.Principal = old.Principal
	}
	if named {
		next.ClientToken = old.ClientToken
	}
	if next.Machine == "" {
		next.Machine = old.EC2InstanceID()
	}
	if next.Versions == (fleet.VersionInfo{}) {
		next.Versions = old.Versions
	}
	if next.Tags == nil {
		next.Tags = old.Tags
	}
	// Agents send custom attributes only when they register for the first time.
	for _, a := range old.Attributes {
		n := aws.ToString(a.Name)
		if _, again := next.Attribute(n); !again && !strings.HasPrefix(n, "ecs.") && !strings.HasPrefix(n, "com.amazonaws.ecs.") {
			next.Attributes = append(next.Attributes, a)
		}
	}
	return nil
}

// noClusterToJoin has a type that other operations' refusals do not have, because
// agents look for it.
func noClusterToJoin() error { return refuse.Client("Cluster not found.") }

// registrationCluster finds the cluster. It creates the default cluster if a host
// wants to join it and it does not exist.
func (s *Service) registrationCluster(tx *store.Tx, r *registration) (string, error) {
	c, err := s.clusterTx(tx, r.in.Cluster)
	if err == nil {
		return c.Name, nil
	}
	name, ok := s.site.ClusterName(aws.ToString(r.in.Cluster))
	if missing := (*types.ClusterNotFoundException)(nil); errors.As(err, &missing) && (!ok || name != fleet.DefaultCluster) {
		return "", noClusterToJoin()
	}
	if !ok || name != fleet.DefaultCluster {
		return "", err
	}
	return name, store.Put(tx, store.ClusterKey(name), &fleet.Cluster{
		Name: name, Status: fleet.ClusterActive, CreatedAt: s.now(), Settings: s.defaultClusterSettings(tx, r.caller.ARN),
	})
}

// bindHost makes the instance the host's own. The host's old instance must be
// INACTIVE already.
func bindHost(tx *store.Tx, p identity.Principal, i *fleet.Instance) error {
	k := store.HostKey(p.Name)
	h := store.Get(tx, k)
	if h == nil {
		return errors.New("the principal " + p.ARN + " has no record")
	}
	if h.Cluster == i.Cluster && h.Instance == i.ID && h.HomeCluster() != "" {
		return nil
	}
	if h.Instance != "" {
		old := store.Get(tx, store.InstanceKey(h.Cluster, h.Instance))
		if old != nil && old.Status != fleet.InstanceInactive {
			return errors.New("the principal " + p.ARN + " registered twice at once")
		}
	}
	next := *h
	if h.HomeCluster() == "" {
		next.Assigned = i.Cluster // the first cluster that it joined
	}
	next.Cluster, next.Instance = i.Cluster, i.ID
	return store.Put(tx, k, &next)
}

// endFormerInstance ends the instance that the caller's host was before, if it now
// registers as another one: the machine runs, and does not know the old instance's
// tasks.
func (s *Service) endFormerInstance(ctx context.Context, r *registration) error {
	if !r.host {
		return nil
	}
	snap, err := s.store.Fresh(ctx)
	if err != nil {
		return err
	}
	h := snap.Host(r.caller.Name)
	if h == nil || h.Instance == "" {
		return nil
	}
	old := snap.Instance(h.Cluster, h.Instance)
	if old == nil || old.Status == fleet.InstanceInactive {
		return nil
	}
	if err := s.refuseSecondAgent(ctx, snap, h); err != nil {
		return err
	}
	name, ok := s.site.ClusterName(aws.ToString(r.in.Cluster))
	if !ok {
		return noClusterToJoin()
	}
	// A registration that will be refused must not end the old instance.
	if c := snap.Cluster(name); (c == nil || c.Status != fleet.ClusterActive) && name != fleet.DefaultCluster {
		return noClusterToJoin()
	}
	id, named, err := s.registrationID(r, name)
	if err != nil {
		return err
	}
	if name == h.Cluster && id == h.Instance {
		return nil
	}
	if err := s.checkHomeCluster(h, name, id); err != nil {
		return err
	}
	if err := checkAdminAttributes(r.in.Attributes, h, nil); err != nil {
		return err
	}
	if named {
		return refuse.Invalid("This host is the container instance %s, not %s.", s.site.InstanceARN(h.Cluster, h.Instance), *r.in.ContainerInstanceArn)
	}
	reason := "The host registered anew, as another container instance."
	s.log.Info("instance superseded", "cluster", h.Cluster, "instance", h.Instance, "by", r.caller.ARN)
	return s.endInstance(ctx, h.Cluster, h.Instance, reason)
}

// parseCapacity parses what an agent reports about its host's capacity.
func parseCapacity(resources []types.Resource, devices []types.PlatformDevice) (fleet.Capacity, error) {
	var c fleet.Capacity
	seen := map[string]bool{}
	for k, r := range resources {
		name := aws.ToString(r.Name)
		switch t := aws.ToString(r.Type); {
		case name == "":
			return c, refuse.Invalid("totalResources[%d].name can not be blank.", k)
		case seen[name]:
			return c, refuse.Invalid("totalResources: %s is given twice.", name)
		case t != "" && !slices.Contains([]string{"INTEGER", "DOUBLE", "LONG", "STRINGSET"}, t):
			return c, refuse.Invalid("totalResources[%d].type must be INTEGER, DOUBLE, LONG or STRINGSET, not %q.", k, t)
		}
		seen[name] = true
		switch aws.ToString(r.Name) {
		case "CPU":
			c.CPU = int(r.IntegerValue)
		case "MEMORY":
			c.Memory = int(r.IntegerValue)
		case "PORTS", "PORTS_UDP":
			proto := fleet.TCP
			if *r.Name == "PORTS_UDP" {
				proto = fleet.UDP
			}
			for _, v := range r.StringSetValue {
				n, err := strconv.ParseUint(v, 10, 16)
				if err != nil || n == 0 {
					return c, refuse.Invalid("totalResources: %s has %q, which is not a port.", *r.Name, v)
				}
				c.ReservedPorts = append(c.ReservedPorts, fleet.Port{Number: uint16(n), Protocol: proto})
			}
		}
	}
	if c.CPU < 0 || c.Memory < 0 {
		return c, refuse.Invalid("totalResources: CPU and MEMORY must not be negative.")
	}
	if c.CPU > fleet.MaxCPU || c.Memory > fleet.MaxMemory {
		return c, refuse.Invalid("totalResources: CPU must be at most %d units and MEMORY at most %d MiB, not %d and %d.", fleet.MaxCPU, fleet.MaxMemory, c.CPU, c.Memory)
	}
	for k, d := range devices {
		if d.Type != types.PlatformDeviceTypeGpu || aws.ToString(d.Id) == "" {
			continue
		}
		if slices.Contains(c.GPUs, *d.Id) {
			return c, refuse.Invalid("platformDevices[%d].id %s is given twice.", k, *d.Id)
		}
		c.GPUs = append(c.GPUs, *d.Id)
	}
	return c, nil
}
