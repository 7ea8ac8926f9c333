package identity

import (
	"cmp"
	"context"
	"errors"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
)

// ErrNoHost says that there is no host with a name or a key.
var ErrNoHost = errors.New("there is no such host")

// HostOf returns the host whose principal is p. It returns nil if p is not a host's
// principal.
func HostOf(s *store.Snapshot, site fleet.Site, p Principal) (*fleet.Host, error) {
	if p.ARN != HostARN(site, p.Name) {
		return nil, nil
	}
	if h := s.Host(p.Name); h != nil {
		return h, nil
	}
	return nil, cmp.Or(store.Readable(s, store.HostKey(p.Name)), errors.New("the principal "+p.ARN+" has no record"))
}

// HostOfKey returns the name of the host with an access key, or ErrNoHost.
func HostOfKey(ctx context.Context, st *store.Store, accessKeyID string) (string, error) {
	snap, err := st.Fresh(ctx)
	if err != nil {
		return "", err
	}
	k := snap.AccessKey(accessKeyID)
	if k == nil || k.Kind != fleet.PrincipalHost {
		return "", ErrNoHost
	}
	return hostName(k.Principal), nil
}

// ChangeHost changes a host's settings. It also changes the host's instance: it adds
// the attributes of the new settings, removes those that only the old settings had, and
// limits the capacity.
func ChangeHost(ctx context.Context, st *store.Store, name string, change func(*fleet.Host)) (*fleet.Host, error) {
	var next *fleet.Host
	err := st.Update(ctx, func(tx *store.Tx) error {
		k := store.HostKey(name)
		h := store.Get(tx, k)
		if h == nil {
			return ErrNoHost
		}
		changed := *h
		next = &changed
		change(next)
		if err := store.Put(tx, k, next); err != nil {
			return err
		}
		return changeInstance(tx, h, next)
	})
	return next, err
}

func changeInstance(tx *store.Tx, was, is *fleet.Host) error {
	if is.Instance == "" {
		return nil
	}
	k := store.InstanceKey(is.Cluster, is.Instance)
	old := store.Get(tx, k)
	if old == nil || old.Status == fleet.InstanceInactive {
		return nil
	}
	// A transaction that places tasks there must not decide by the old record.
	if err := tx.Claim(store.HostGuard(is.Cluster, is.Instance)); err != nil {
		return err
	}
	next := *old
	next.Attributes = is.AddAttributes(was.RemoveAttributes(old.Attributes))
	next.Registered = is.LimitCapacity(old.Registered)
	next.Version++
	return store.Put(tx, k, &next)
}
