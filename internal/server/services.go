package server

import (
	"log/slog"

	apiashore "github.com/ashore/ashore/internal/api/ashore"
	apiecs "github.com/ashore/ashore/internal/api/ecs"
	"github.com/ashore/ashore/internal/frontdoor"
	"github.com/ashore/ashore/internal/seal"
	"github.com/ashore/ashore/internal/store"
)

// services are what the front door serves: AWS's, and our own.
type services struct {
	ecs    *apiecs.Service
	ashore *apiashore.Service
}

func newServices(id string, st *store.Store, sealer *seal.Sealer, version string, log *slog.Logger) services {
	ecs := apiecs.New(apiecs.Config{Store: st, Server: id, Log: log})
	return services{ecs: ecs, ashore: apiashore.New(st, sealer, version, ecs)}
}

func (s services) declared() []frontdoor.Service {
	return []frontdoor.Service{s.ecs.Frontdoor(), s.ashore.Frontdoor()}
}
