package server

import (
	"github.com/ashore/ashore/internal/frontdoor"
	"github.com/ashore/ashore/internal/seal"
	"github.com/ashore/ashore/internal/store"
)

// services are the AWS services, and our own, that the front door serves.
func services(st *store.Store, sealer *seal.Sealer, cfg Config) []frontdoor.Service {
	return nil
}
