package store

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"
	"go.uber.org/zap"
)

// Embedded is an etcd of one member in this process. It listens on unix
// sockets in a folder of its own only, never on a port.
type Embedded struct {
	etcd   *embed.Etcd
	Client *clientv3.Client
}

// Embed starts etcd on the given data directory and waits until it serves.
func Embed(ctx context.Context, dir string) (*Embedded, error) {
	run := filepath.Join(dir, "run")
	for _, d := range []string{dir, run, filepath.Join(dir, "etcd")} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, err
		}
	}
	cfg := embed.NewConfig()
	cfg.Name = "ashore"
	cfg.Dir = filepath.Join(dir, "etcd")
	client, peer := unixURL(filepath.Join(run, "etcd.sock")), unixURL(filepath.Join(run, "peer.sock"))
	cfg.ListenClientUrls, cfg.AdvertiseClientUrls = []url.URL{client}, []url.URL{client}
	cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = []url.URL{peer}, []url.URL{peer}
	cfg.InitialCluster = cfg.Name + "=" + peer.String()
	cfg.QuotaBackendBytes = 8 << 30
	cfg.SnapshotCount = 5000 // each entry between snapshots stays in memory
	cfg.TickMs, cfg.ElectionMs = 50, 500
	cfg.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
	e, err := embed.StartEtcd(cfg)
	if err != nil {
		return nil, fmt.Errorf("start the embedded etcd in %s: %w", dir, err)
	}
	select {
	case <-e.Server.ReadyNotify():
	case err := <-e.Err():
		e.Close()
		return nil, fmt.Errorf("start the embedded etcd in %s: %w", dir, err)
	case <-ctx.Done():
		e.Close()
		return nil, ctx.Err()
	case <-time.After(time.Minute):
		e.Close()
		return nil, fmt.Errorf("the embedded etcd in %s did not become ready within a minute", dir)
	}
	return &Embedded{etcd: e, Client: v3client.New(e.Server)}, nil
}

// Err delivers what ends etcd against our will.
func (e *Embedded) Err() <-chan error { return e.etcd.Err() }

// Close stops etcd and waits for it.
func (e *Embedded) Close() error {
	err := e.Client.Close()
	e.etcd.Close()
	if errors.Is(err, context.Canceled) { // what an in-process client always says
		return nil
	}
	return err
}

func unixURL(path string) url.URL { return url.URL{Scheme: "unix", Path: path} }
