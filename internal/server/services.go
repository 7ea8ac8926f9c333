package server

import (
	"log/slog"

	apiashore "github.com/ashore/ashore/internal/api/ashore"
	apiecs "github.com/ashore/ashore/internal/api/ecs"
	"github.com/ashore/ashore/internal/control/placer"
	"github.com/ashore/ashore/internal/frontdoor"
	"github.com/ashore/ashore/internal/identity"
	"github.com/ashore/ashore/internal/seal"
	"github.com/ashore/ashore/internal/store"
)

// services are the services behind the front door: AWS's and our own. They share the
// placer with the scheduler.
type services struct {
	placer *placer.Placer
	ecs    *apiecs.Service
	ashore *apiashore.Service
}

func newServices(id string, st *store.Store, sealer *seal.Sealer, version string, log *slog.Logger) services {
	p := placer.New(placer.Config{Store: st, Server: id, Log: log})
	ecs := apiecs.New(apiecs.Config{Store: st, Placer: p, Log: log})
	own := apiashore.New(apiashore.Config{
		Store: st, Sealer: sealer, Version: version, Explain: ecs, Auth: identity.NewAuthorizer(st), Views: ecs.Views(), Tags: ecs.ResourceTags, Log: log,
	})
	return services{placer: p, ecs: ecs, ashore: own}
}

func (s services) declared() []frontdoor.Service {
	return []frontdoor.Service{s.ecs.Frontdoor(), s.ashore.Frontdoor()}
}
