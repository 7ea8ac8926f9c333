package identity

import (
	"context"
	"sync"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/seal"
	"github.com/ashore/ashore/internal/store"
)

// Keys finds access keys in the store. It keeps unsealed secrets in memory, because to
// unseal one takes longer than the rest of a look-up.
type Keys struct {
	store  *store.Store
	sealer *seal.Sealer
	opened sync.Map // id → opened
}

// openedKey is the unsealed secret of one stored record. Records in snapshots never
// change, so the pointer tells whether the record is still the same.
type openedKey struct {
	record *fleet.AccessKey
	secret string
}

// NewKeys returns Keys that reads st and unseals secrets with sealer.
func NewKeys(st *store.Store, sealer *seal.Sealer) *Keys { return &Keys{store: st, sealer: sealer} }

// Key returns an access key's secret and owner, or ErrUnknownKey. token is the
// request's session token, empty if there is none. Ashore issues no session tokens yet,
// so a key with a token is unknown.
func (k *Keys) Key(ctx context.Context, id, token string) (string, Principal, error) {
	if token != "" {
		return "", Principal{}, ErrUnknownKey
	}
	snap := k.store.Snapshot()
	rec := snap.AccessKey(id)
	if rec == nil {
		// Another server may have just created it.
		var err error
		if snap, err = k.store.Fresh(ctx); err != nil {
			return "", Principal{}, err
		}
		if rec = snap.AccessKey(id); rec == nil {
			k.opened.Delete(id)
			return "", Principal{}, ErrUnknownKey
		}
	}
	p := principal(snap, k.store.Site(), rec)
	if o, ok := k.opened.Load(id); ok && o.(openedKey).record == rec {
		return o.(openedKey).secret, p, nil
	}
	secret, err := k.sealer.Unseal(rec.SealedSecret, rec.ID)
	if err != nil {
		return "", Principal{}, err
	}
	k.opened.Store(id, openedKey{rec, string(secret)})
	return string(secret), p, nil
}

func principal(s *store.Snapshot, site fleet.Site, k *fleet.AccessKey) Principal {
	p := Principal{Name: hostName(k.Principal), ARN: k.Principal}
	switch k.Kind {
	case fleet.PrincipalAdmin:
		p.Kind = Admin
	case fleet.PrincipalHost:
		p.Kind = Host
		if h := s.Host(p.Name); h != nil && h.Instance != "" {
			p.InstanceARN = site.InstanceARN(h.Cluster, h.Instance)
		}
	}
	return p
}
