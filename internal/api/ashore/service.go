// Package ashore is Ashore's own API, which ECS does not have. It answers what an
// installation is, creates credentials of hosts, streams events, sends a part of the
// state with each change of it, explains why resources have their state, and decides
// about tasks that a restored backup lacks.
package ashore

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/ashore/ashore/internal/aws/model"
	"github.com/ashore/ashore/internal/control/rows"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/frontdoor"
	"github.com/ashore/ashore/internal/identity"
	"github.com/ashore/ashore/internal/seal"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/smithy-go"
)

// SigningName and TargetPrefix are the names of this API in requests.
const (
	SigningName  = "ashore"
	TargetPrefix = "Ashore_20261121"
)

// Config configures a Service. All fields but Log must be set for the operations that
// use them.
type Config struct {
	Store   *store.Store
	Sealer  *seal.Sealer
	Version string // of the program
	Explain Explainer
	Auth    Decider      // decides who may see which row
	Views   []*rows.View // the rows that can be watched
	Tags    TagsFunc     // the tags that decide about these rows
	Log     *slog.Logger // default: slog.Default()
}

// Service is the API.
type Service struct {
	store    *store.Store
	sealer   *seal.Sealer
	version  string
	streams  atomic.Int32 // running streams of events
	explain  Explainer
	auth     Decider
	tags     TagsFunc
	watchers *rows.Watchers
}

// New returns a Service over cfg.Store.
func New(cfg Config) *Service {
	return &Service{
		store: cfg.Store, sealer: cfg.Sealer, version: cfg.Version, explain: cfg.Explain, auth: cfg.Auth, tags: cfg.Tags,
		watchers: rows.New(rows.Config{Store: cfg.Store, Views: cfg.Views, Version: cfg.Version, RightsKinds: identity.RightsKinds, Log: cfg.Log}),
	}
}

// Frontdoor returns the service's declaration for the front door.
func (s *Service) Frontdoor() frontdoor.Service {
	operations := map[string]frontdoor.Operation{
		"GetInstallation": frontdoor.Op[GetInstallationInput]("ashore:GetInstallation", nil),
		"DescribeRestore": frontdoor.Op[DescribeRestoreInput]("ashore:DescribeRestore", nil),
		"EndRestore":      frontdoor.Op[EndRestoreInput]("ashore:EndRestore", nil),
		"Explain":         frontdoor.Op("ashore:Explain", s.explainResources),
		"CreateHostCredentials": frontdoor.Op("ashore:CreateHostCredentials", func(_ context.Context, _ frontdoor.Caller, in *CreateHostCredentialsInput) []string {
			return []string{identity.HostARN(s.store.Site(), in.Name)}
		}),
		"UpdateHost": frontdoor.Op("ashore:UpdateHost", s.updateHostResources),
		"StreamEvents": frontdoor.Op("ashore:StreamEvents", func(_ context.Context, _ frontdoor.Caller, in *StreamEventsInput) []string {
			return s.eventResources(in)
		}),
		"Watch": watchOperation(),
	}
	api := &model.Service{Name: "ashore", SigningName: SigningName, Shape: TargetPrefix}
	for _, name := range slices.Sorted(maps.Keys(operations)) {
		api.Operations = append(api.Operations, model.Operation{Name: name})
	}
	return frontdoor.Service{Model: api, Impl: s, Operations: operations}
}

type GetInstallationInput struct{}

type GetInstallationOutput struct {
	InstallationID string `json:"installationId"`
	Account        string `json:"account"`
	Region         string `json:"region"`
	Version        string `json:"version"`
}

// GetInstallation returns the installation's identity and the program's version.
func (s *Service) GetInstallation(context.Context, *GetInstallationInput) (*GetInstallationOutput, error) {
	i := s.store.Installation()
	return &GetInstallationOutput{i.ID, i.Account, i.Region, s.version}, nil
}

type CreateHostCredentialsInput struct {
	Name  string    `json:"name"`
	Terms HostTerms `json:"terms"`
}

type CreateHostCredentialsOutput struct {
	AccessKeyID     string `json:"accessKeyId"`
	SecretAccessKey string `json:"secretAccessKey"`
	PrincipalARN    string `json:"principalArn"`
}

// String and GoString keep the secret out of logs.
func (o CreateHostCredentialsOutput) String() string   { return "credentials of " + o.PrincipalARN }
func (o CreateHostCredentialsOutput) GoString() string { return o.String() }

// CreateHostCredentials creates a host's principal, or a new key for an existing one
// whose machine is not connected. The new key replaces the older ones.
func (s *Service) CreateHostCredentials(ctx context.Context, in *CreateHostCredentialsInput) (*CreateHostCredentialsOutput, error) {
	if !fleet.ValidName(in.Name) {
		return nil, &smithy.GenericAPIError{
			Code: "InvalidParameterException", Fault: smithy.FaultClient,
			Message: "name must have 1 to 255 letters, numbers, underscores, and hyphens.",
		}
	}
	if err := s.validateTerms(ctx, &in.Terms); err != nil {
		return nil, err
	}
	c, err := identity.CreateHost(ctx, s.store, s.sealer, in.Name, func(h *fleet.Host) {
		if in.Terms.applyTo(h); h.HomeCluster() == "" {
			h.Assigned = fleet.DefaultCluster
		}
	})
	if errors.Is(err, identity.ErrHostConnected) {
		return nil, &smithy.GenericAPIError{
			Code: "ConflictException", Fault: smithy.FaultClient,
			Message: "The host " + in.Name + " is connected with the credentials that it has. Stop its agent first, or give another name.",
		}
	}
	if err != nil {
		return nil, err
	}
	return &CreateHostCredentialsOutput{c.AccessKeyID, c.SecretAccessKey, c.PrincipalARN}, nil
}
