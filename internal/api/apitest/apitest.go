// Package apitest runs the real API, front door and store included, for tests:
// the SDK's own client speaks to it over HTTP, as the administrator or as a
// host.
package apitest

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/api/ashore"
	ecsapi "github.com/ashore/ashore/internal/api/ecs"
	"github.com/ashore/ashore/internal/client"
	"github.com/ashore/ashore/internal/control/placer"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/frontdoor"
	"github.com/ashore/ashore/internal/identity"
	"github.com/ashore/ashore/internal/seal"
	"github.com/ashore/ashore/internal/store"
	"github.com/ashore/ashore/internal/store/storetest"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// Site is the account and region of every API here.
var Site = fleet.Site{Account: "000000000000", Region: "us-east-1"}

// API is a running API with a store of its own.
type API struct {
	T      testing.TB
	Store  *store.Store
	Sealer *seal.Sealer
	Client *ecs.Client // the administrator's
	URL    string
	Log    *slog.Logger
	etcd   *clientv3.Client
	http   *http.Client
}

// Option is a way in which an API of a test differs from a real one.
type Option int

// Still is an API that places nothing: RunTask and StartTask don't answer, and
// what waits goes on waiting. The test does by itself what it looks at.
const Still Option = iota

// Start runs an API on an etcd of its own until the test ends.
func Start(t testing.TB, options ...Option) *API {
	t.Helper()
	return StartOn(t, storetest.Etcd(t), options...)
}

// StartOn runs an API on an etcd until the test ends.
func StartOn(t testing.TB, etcd *clientv3.Client, options ...Option) *API {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	// Not alone: Another may open a second store.
	st := storetest.OpenOn(t, etcd, store.Config{Site: Site})
	sealer, err := seal.Open(filepath.Join(t.TempDir(), "seal.key"), false)
	if err != nil {
		t.Fatal(err)
	}
	admin, err := identity.EnsureAdmin(ctx, st, sealer)
	if err != nil {
		t.Fatal(err)
	}
	a := &API{T: t, Store: st, Sealer: sealer, etcd: etcd, Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
	a.serve(ctx, cancel, slices.Contains(options, Still))
	a.Client = a.As(admin)
	return a
}

// Another opens a second store on the same state, as a second server has it.
func (a *API) Another() *store.Store {
	a.T.Helper()
	st, err := store.Open(context.Background(), a.etcd, store.Config{Site: Site})
	if err != nil {
		a.T.Fatal(err)
	}
	a.T.Cleanup(func() {
		if err := st.Close(); err != nil {
			a.T.Error(err)
		}
	})
	return st
}

// Spoil makes a stored record unreadable and returns what mends it.
func (a *API) Spoil(key string) (mend func()) {
	a.T.Helper()
	return storetest.Spoil(a.T, a.etcd, a.Store, key)
}

// serve puts the API on a port until the test ends.
func (a *API) serve(ctx context.Context, cancel func(), still bool) {
	t := a.T
	p := placer.New(placer.Config{Store: a.Store, Log: a.Log})
	api := ecsapi.New(ecsapi.Config{Store: a.Store, Placer: p, Log: a.Log})
	auth := identity.NewAuthorizer(a.Store)
	own := ashore.New(ashore.Config{Store: a.Store, Sealer: a.Sealer, Version: "test", Explain: api, Auth: auth, Views: api.Views(), Tags: api.ResourceTags, Log: a.Log})
	door, err := frontdoor.New(frontdoor.Config{
		Account: Site.Account, Region: Site.Region, Keys: identity.NewKeys(a.Store, a.Sealer), Auth: auth,
		Services: []frontdoor.Service{api.Frontdoor(), own.Frontdoor()}, Log: a.Log,
	})
	if err != nil {
		t.Fatal(err)
	}
	ran := make(chan error, 1)
	go func() {
		if still {
			<-ctx.Done()
			ran <- nil
			return
		}
		ran <- p.Run(ctx)
	}()
	web := httptest.NewServer(door.Handler())
	t.Cleanup(func() {
		web.Close()
		cancel()
		if err := <-ran; err != nil {
			t.Error(err)
		}
	})
	a.URL, a.http = web.URL, web.Client()
}

// As returns a client that signs with c.
func (a *API) As(c identity.Credentials) *ecs.Client {
	return ecs.New(ecs.Options{
		Region: Site.Region, BaseEndpoint: aws.String(a.URL), RetryMaxAttempts: 1, HTTPClient: client.BufferedClient{Client: a.http},
		Credentials: credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey, ""),
	})
}

// Host makes a host's principal, with attributes that are an administrator's to
// give, and returns its client.
func (a *API) Host(name string, given ...types.Attribute) *ecs.Client {
	a.T.Helper()
	c, err := identity.CreateHost(context.Background(), a.Store, a.Sealer, name, func(h *fleet.Host) { h.Attributes = given })
	if err != nil {
		a.T.Fatal(err)
	}
	return a.As(c)
}

// Register registers a host of 2048 CPU units and 4096 MiB in a cluster and
// connects it. It returns its ARN and its own client. Attributes that are an
// administrator's to give it is given.
func (a *API) Register(name, cluster string, attributes ...types.Attribute) (string, *ecs.Client) {
	a.T.Helper()
	var given []types.Attribute
	for _, x := range attributes {
		if fleet.IsAdminAttribute(*x.Name) {
			given = append(given, x)
		}
	}
	client := a.Host(name, given...)
	out, err := client.RegisterContainerInstance(context.Background(), &ecs.RegisterContainerInstanceInput{
		Cluster: aws.String(cluster), Attributes: attributes, TotalResources: Resources(2048, 4096),
	})
	if err != nil {
		a.T.Fatal(err)
	}
	arn := *out.ContainerInstance.ContainerInstanceArn
	a.Connect(arn, true)
	return arn, client
}

// Resources are what an agent says that a host has.
func Resources(cpu, memory int32) []types.Resource {
	integer, set := aws.String("INTEGER"), aws.String("STRINGSET")
	return []types.Resource{
		{Name: aws.String("CPU"), Type: integer, IntegerValue: cpu}, {Name: aws.String("MEMORY"), Type: integer, IntegerValue: memory},
		{Name: aws.String("PORTS"), Type: set, StringSetValue: []string{"22", "2375"}}, {Name: aws.String("PORTS_UDP"), Type: set, StringSetValue: []string{}},
	}
}

// Connect writes or removes the record that an instance's session leaves.
func (a *API) Connect(arn string, connected bool) {
	a.T.Helper()
	parsed, err := fleet.ParseARN(arn)
	if err != nil {
		a.T.Fatal(err)
	}
	cluster := filepath.Dir(parsed.Rest)
	k := store.SessionKey(cluster, filepath.Base(parsed.Rest))
	err = a.Store.Update(context.Background(), func(tx *store.Tx) error {
		store.Get(tx, k)
		if !connected {
			return store.Delete(tx, k)
		}
		return store.Put(tx, k, &fleet.InstanceSession{
			Server: "test", Connection: "1", AgentVersion: "1.0.0", AgentHash: "abc", Docker: "20.10.24", ConnectedAt: time.Now().UTC(),
		})
	})
	if err != nil {
		a.T.Fatal(err)
	}
}
