package identity

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/seal"
	"github.com/ashore/ashore/internal/store"
)

// Credentials are an access key with its secret in clear text. They print and log
// without the secret.
type Credentials struct {
	AccessKeyID     string
	SecretAccessKey string
	PrincipalARN    string
}

func (c Credentials) String() string   { return "access key " + c.AccessKeyID }
func (c Credentials) GoString() string { return c.String() }

// ErrHostConnected says that a host gets no new credentials, because a machine is
// connected with the present ones.
var ErrHostConnected = errors.New("a host of this name is connected")

// AdminARN returns the administrator's ARN.
func AdminARN(s fleet.Site) string { return "arn:aws:iam::" + s.Account + ":user/administrator" }

// HostARN returns the ARN of a host's principal.
func HostARN(s fleet.Site, host string) string {
	return "arn:aws:iam::" + s.Account + ":user/host/" + host
}

// HasSealed says whether the store has a secret that the seal key sealed.
func HasSealed(s *store.Snapshot) bool {
	for range s.AccessKeys() {
		return true
	}
	return s.AllReadable(store.AccessKeys) != nil // an unreadable key is sealed, too
}

// EnsureAdmin returns the administrator's key. At the first start it creates the key.
// Servers that start at the same time create one key.
func EnsureAdmin(ctx context.Context, st *store.Store, sealer *seal.Sealer) (Credentials, error) {
	var found Credentials
	err := st.Update(ctx, func(tx *store.Tx) error {
		for k := range tx.Snapshot().AccessKeys() {
			if k.Kind != fleet.PrincipalAdmin {
				continue
			}
			secret, err := sealer.Unseal(k.SealedSecret, k.ID)
			found = Credentials{k.ID, string(secret), k.Principal}
			return err
		}
		tx.Unchanged(store.AccessKeys)
		var err error
		found, err = newKey(tx, sealer, fleet.PrincipalAdmin, AdminARN(st.Site()))
		return err
	})
	return found, err
}

// CreateHost creates a host's principal and its key. If the host exists, for example
// after its credentials file was lost, CreateHost creates a new key and deletes the old
// ones. It refuses while a machine is connected as the host. terms change the host's
// settings. A new host without an assigned cluster belongs to the cluster in which it
// first registers.
func CreateHost(ctx context.Context, st *store.Store, sealer *seal.Sealer, name string, terms ...func(*fleet.Host)) (Credentials, error) {
	var made Credentials
	err := st.Update(ctx, func(tx *store.Tx) error {
		key := store.HostKey(name)
		h := store.Get(tx, key)
		arn := HostARN(st.Site(), name)
		fresh := h == nil // then it has no key: keys come with the host, and a host is never removed
		if fresh {
			h = &fleet.Host{Name: name, Principal: arn, CreatedAt: now()}
		} else if h.Instance != "" && store.Get(tx, store.SessionKey(h.Cluster, h.Instance)) != nil {
			return fmt.Errorf("%w: %q is container instance %s", ErrHostConnected, name, h.Instance)
		}
		next := *h
		for _, change := range terms {
			change(&next)
		}
		// Write the record even if it is unchanged: of two concurrent calls one commits
		// first, and the other deletes its key.
		if err := store.Put(tx, key, &next); err != nil {
			return err
		}
		if !fresh {
			if err := deleteKeys(tx, arn); err != nil {
				return err
			}
		}
		var err error
		made, err = newKey(tx, sealer, fleet.PrincipalHost, arn)
		return err
	})
	return made, err
}

// deleteKeys deletes every key of a principal.
func deleteKeys(tx *store.Tx, arn string) error {
	for k := range tx.Snapshot().AccessKeys() {
		if k.Principal == arn {
			old := store.AccessKeyKey(k.ID)
			store.Get(tx, old)
			if err := store.Delete(tx, old); err != nil {
				return err
			}
		}
	}
	return nil
}

func newKey(tx *store.Tx, sealer *seal.Sealer, kind fleet.PrincipalKind, arn string) (Credentials, error) {
	c := Credentials{newKeyID(), newSecret(), arn}
	sealed, err := sealer.Seal([]byte(c.SecretAccessKey), c.AccessKeyID)
	if err != nil {
		return Credentials{}, err
	}
	return c, store.Create(tx, store.AccessKeyKey(c.AccessKeyID), &fleet.AccessKey{
		ID: c.AccessKeyID, SealedSecret: sealed, Kind: kind, Principal: arn, CreatedAt: now(),
	})
}

func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

// newKeyID returns an id in AWS's form: AKIA and 16 of A-Z and 2-7.
func newKeyID() string {
	return "AKIA" + rand.Text()[:16]
}

// newSecret returns a secret in AWS's form: 40 letters, digits, + and /.
func newSecret() string {
	var b [30]byte
	rand.Read(b[:]) // crypto/rand.Read never fails
	return base64.StdEncoding.EncodeToString(b[:])
}

// hostName returns the host's name in an ARN.
func hostName(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }
