package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// Format is the number of the stored format that this version reads and writes. It
// grows only with a change that an older version can't handle. A new record or member
// is not such a change.
const Format = 1

// DefaultSite is the account and region of an installation if its first start names no
// others.
var DefaultSite = fleet.Site{Account: "000000000000", Region: "us-east-1"}

// Installation is the record that the first start writes. It says which installation
// owns the state, and in which format the state is.
type Installation struct {
	Format    int       `json:"format"`
	ID        string    `json:"installation"` // 32 hex digits
	Account   string    `json:"account"`
	Region    string    `json:"region"`
	CreatedAt time.Time `json:"createdAt"`
	// Base is added to etcd's revisions, so that revisions also grow over a
	// restore into another etcd.
	Base int64 `json:"base,omitempty"`
	// MigratingFrom is the older format while its records are being migrated, else 0.
	MigratingFrom int `json:"migratingFrom,omitempty"`

	Extra jsontext.Value `json:",embed"`
}

// Site returns the installation's account and region.
func (i *Installation) Site() fleet.Site { return fleet.Site{Account: i.Account, Region: i.Region} }

// SiteError says that a store belongs to another account or region than the
// server was started with.
type SiteError struct{ Stored, Asked fleet.Site }

func (e *SiteError) Error() string {
	return fmt.Sprintf("this state belongs to account %s in %s, but the server was started for account %s in %s: an installation's account and region are set at its first start; start it without --account and --region, or on another data directory or prefix",
		e.Stored.Account, e.Stored.Region, e.Asked.Account, e.Asked.Region)
}

// FormatError says that a newer version wrote the store.
type FormatError struct{ Stored, Known int }

func (e *FormatError) Error() string {
	return fmt.Sprintf("this state is in format %d, and this version of Ashore knows formats up to %d: use the version that wrote it, or a newer one", e.Stored, e.Known)
}

// checkFormat returns a FormatError if a stored record of the installation is in a newer
// format. It accepts a record that can't be decoded: the code that needs it reports that.
func checkFormat(record []byte) error {
	in := new(Installation)
	if err := json.Unmarshal(record, in); err == nil && in.Format > Format {
		return &FormatError{Stored: in.Format, Known: Format}
	}
	return nil
}

// ErrReplaced ends a store whose installation record was changed: another version has
// taken over, or the state was restored or removed.
var ErrReplaced = errors.New("the installation's record in etcd has changed: another version has migrated the state, or it was restored or removed; start the server again")

// errNotOurs says that a prefix has records but no installation's record.
var errNotOurs = errors.New("there are records, but none that says whose they are: either a restore was interrupted (remove them and restore again), or they are not Ashore's (choose another prefix)")

// A migration migrates the records below root by one format. While it runs, all other
// servers are locked out. After an interruption it runs again from the start.
type migration func(ctx context.Context, client *clientv3.Client, root string) error

// migrations holds the migration from each older format to the next one.
var migrations = map[int]migration{}

func formatKey(prefix string) string { return prefix + "/format" }

func rootOf(prefix string, site fleet.Site) string {
	return fmt.Sprintf("%s/v1/%s/%s/", prefix, site.Account, site.Region)
}

// ReadInstallation returns the installation's record below the prefix and its revision,
// nil if there is none yet.
func ReadInstallation(ctx context.Context, client *clientv3.Client, prefix string) (*Installation, int64, error) {
	r, err := client.Get(ctx, formatKey(prefix))
	if err != nil {
		return nil, 0, fmt.Errorf("read the installation's record from etcd: %w", err)
	}
	if len(r.Kvs) == 0 {
		return nil, 0, nil
	}
	in := new(Installation)
	if err := json.Unmarshal(r.Kvs[0].Value, in); err != nil {
		return nil, 0, fmt.Errorf("stored record %s: %w", r.Kvs[0].Key, err)
	}
	return in, r.Kvs[0].ModRevision, nil
}

// install reads the installation's record. If the prefix is empty it first writes the
// record. Empty members of site mean the stored values.
func install(ctx context.Context, client *clientv3.Client, prefix string, site fleet.Site, format int, steps map[int]migration) (*Installation, int64, error) {
	for {
		in, mod, err := ReadInstallation(ctx, client, prefix)
		if err != nil {
			return nil, 0, err
		}
		if in == nil {
			if err := create(ctx, client, prefix, site, format); err != nil {
				return nil, 0, err
			}
			continue // read what was written, by this server or by a faster one
		}
		if in.Format > format {
			return nil, 0, &FormatError{Stored: in.Format, Known: format}
		}
		asked := fleet.Site{Account: orDefault(site.Account, in.Account), Region: orDefault(site.Region, in.Region)}
		if asked != in.Site() {
			return nil, 0, &SiteError{Stored: in.Site(), Asked: asked}
		}
		if in.Format == format && in.MigratingFrom == 0 {
			return in, mod, nil
		}
		if err := migrate(ctx, client, prefix, in, mod, format, steps); err != nil {
			return nil, 0, err
		}
	}
}

func orDefault(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// create writes the installation's record if nothing lies below the prefix.
func create(ctx context.Context, client *clientv3.Client, prefix string, site fleet.Site, format int) error {
	in := &Installation{
		Format: format, ID: fleet.NewID(), CreatedAt: time.Now().UTC(),
		Account: orDefault(site.Account, DefaultSite.Account), Region: orDefault(site.Region, DefaultSite.Region),
	}
	if err := errors.Join(checkPrefix(prefix), fleet.CheckAccount(in.Account), fleet.CheckRegion(in.Region)); err != nil {
		return err
	}
	data, err := json.Marshal(in)
	if err != nil {
		return err
	}
	empty := clientv3.Compare(clientv3.CreateRevision(prefix+"/"), "=", 0).WithPrefix()
	r, err := client.Txn(ctx).If(empty).
		Then(clientv3.OpPut(formatKey(prefix), string(data))).
		Else(clientv3.OpGet(formatKey(prefix), clientv3.WithCountOnly())).Commit()
	if err != nil {
		return fmt.Errorf("write the installation's record to etcd: %w", err)
	}
	if !r.Succeeded && r.Responses[0].GetResponseRange().Count == 0 {
		return fmt.Errorf("etcd below %s: %w", prefix, errNotOurs)
	}
	return nil
}

// checkPrefix refuses a prefix that people easily mistake for another one. Only exactly
// the same text finds the records below it.
func checkPrefix(prefix string) error {
	if strings.HasSuffix(prefix, "/") || strings.TrimSpace(prefix) != prefix || strings.ContainsFunc(prefix, unicode.IsControl) {
		return fmt.Errorf("the prefix of a new installation must not end with a slash or have space around it, as %q does", prefix)
	}
	return nil
}

// migrate migrates the state by one format. It marks the installation's record first.
// That locks out servers of the older version, because each of their transactions
// compares the record's revision. If another server changes the record meanwhile, a
// comparison fails.
func migrate(ctx context.Context, client *clientv3.Client, prefix string, in *Installation, mod int64, format int, steps map[int]migration) error {
	next := *in
	if in.MigratingFrom == 0 {
		next.MigratingFrom, next.Format = in.Format, in.Format+1
		return replace(ctx, client, prefix, &next, mod)
	}
	step := steps[in.MigratingFrom]
	if step == nil {
		return fmt.Errorf("this state is in format %d, which this version of Ashore (format %d) can't bring forward: use a version between the two first", in.MigratingFrom, format)
	}
	if err := step(ctx, client, rootOf(prefix, in.Site())); err != nil {
		return fmt.Errorf("bring the state forward from format %d: %w", in.MigratingFrom, err)
	}
	next.MigratingFrom = 0
	return replace(ctx, client, prefix, &next, mod)
}

// replace rewrites the record unless another server has rewritten it since mod.
func replace(ctx context.Context, client *clientv3.Client, prefix string, in *Installation, mod int64) error {
	data, err := json.Marshal(in)
	if err != nil {
		return err
	}
	key := formatKey(prefix)
	_, err = client.Txn(ctx).If(clientv3.Compare(clientv3.ModRevision(key), "=", mod)).
		Then(clientv3.OpPut(key, string(data))).Commit()
	if err != nil {
		return fmt.Errorf("write the installation's record to etcd: %w", err)
	}
	return nil
}
