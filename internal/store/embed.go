package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3rpc"
	"go.etcd.io/etcd/server/v3/proxy/grpcproxy/adapter"
	"go.uber.org/zap"
)

// DefaultQuota bounds the embedded etcd's file.
const DefaultQuota = 8 << 30

// EmbedOption changes how Embed runs etcd.
type EmbedOption func(*embedOptions)

type embedOptions struct {
	quota int64
	log   *slog.Logger
}

// WithQuota bounds the size of etcd's file in bytes.
func WithQuota(bytes int64) EmbedOption { return func(o *embedOptions) { o.quota = bytes } }

// WithLog takes etcd's warnings and errors.
func WithLog(log *slog.Logger) EmbedOption { return func(o *embedOptions) { o.log = log } }

// Embedded is an etcd of one member in this process. It listens on unix
// sockets in a folder of its own only, never on a port.
type Embedded struct {
	etcd   *embed.Etcd
	Client *clientv3.Client
	socket *clientv3.Client // for what the in-process client can't do
	lock   *dirLock
}

// Embed starts etcd on the given data directory and waits until it serves. One
// process at a time may hold a directory.
func Embed(ctx context.Context, dir string, opts ...EmbedOption) (*Embedded, error) {
	o := embedOptions{quota: DefaultQuota, log: slog.New(slog.DiscardHandler)}
	for _, opt := range opts {
		opt(&o)
	}
	run := filepath.Join(dir, "run")
	for _, d := range []string{dir, run, filepath.Join(dir, "etcd")} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, err
		}
	}
	if err := os.Chmod(run, 0o700); err != nil { // also where it was there before
		return nil, err
	}
	// Before anything else: etcd would take another process's sockets away and
	// then wait for its files for ever.
	lock, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	e, err := startEmbedded(ctx, dir, lock.reach(run), o)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start the embedded etcd in %s: %w", dir, err), lock.Close())
	}
	e.lock = lock
	return e, nil
}

// startEmbedded runs etcd with its sockets in the folder that run names.
func startEmbedded(ctx context.Context, dir, run string, o embedOptions) (*Embedded, error) {
	cfg := embed.NewConfig()
	cfg.Name = "ashore"
	cfg.Dir = filepath.Join(dir, "etcd")
	client, peer := unixURL(filepath.Join(run, socketName)), unixURL(filepath.Join(run, "peer.sock"))
	cfg.ListenClientUrls, cfg.AdvertiseClientUrls = []url.URL{client}, []url.URL{client}
	cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = []url.URL{peer}, []url.URL{peer}
	cfg.InitialCluster = cfg.Name + "=" + peer.String()
	cfg.QuotaBackendBytes = o.quota
	// Each entry since the last snapshot, and some before it, stays in memory.
	cfg.SnapshotCount, cfg.SnapshotCatchUpEntries = 5000, 100
	cfg.MaxTxnOps = EmbeddedOps
	cfg.TickMs, cfg.ElectionMs = 50, 500
	cfg.EnableGRPCGateway = false
	cfg.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zapTo(o.log))
	etcd, err := embed.StartEtcd(cfg)
	if err != nil {
		return nil, err
	}
	timeout := time.NewTimer(time.Minute)
	defer timeout.Stop()
	select {
	case <-etcd.Server.ReadyNotify():
	case err = <-etcd.Err():
	case <-etcd.Server.StopNotify():
		err = errors.New("it stopped by itself")
	case <-ctx.Done():
		err = ctx.Err()
	case <-timeout.C:
		err = errors.New("it was not ready within a minute")
	}
	if err != nil {
		etcd.Close()
		return nil, err
	}
	socket, err := clientv3.New(clientv3.Config{Endpoints: []string{client.String()}, Logger: zap.NewNop()})
	if err != nil {
		etcd.Close()
		return nil, err
	}
	e := &Embedded{etcd: etcd, Client: v3client.New(etcd.Server), socket: socket}
	// For transactions the store goes past the client, see txnrequest.
	kv := adapter.KvServerToKvClient(v3rpc.NewQuotaKVServer(etcd.Server))
	e.Client.KV = inProcess{clientv3.NewKVFromKVClient(kv, e.Client), kv}
	// The in-process Maintenance panics in Defragment (etcd 3.7.3: it is made
	// without a health notifier).
	e.Client.Maintenance = &socketMaintenance{clientv3.NewMaintenance(socket), client.String()}
	return e, nil
}

// Err delivers what ends etcd against our will.
func (e *Embedded) Err() <-chan error { return e.etcd.Err() }

// Close stops etcd and waits for it.
func (e *Embedded) Close() error {
	err := errors.Join(ended(e.Client.Close()), ended(e.socket.Close()))
	e.etcd.Close()
	return errors.Join(err, e.lock.Close())
}

// ended leaves out the error by which a client says that it was closed.
func ended(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// socketMaintenance asks the one member, whatever endpoint is named.
type socketMaintenance struct {
	clientv3.Maintenance
	endpoint string
}

func (m *socketMaintenance) Status(ctx context.Context, _ string) (*clientv3.StatusResponse, error) {
	return m.Maintenance.Status(ctx, m.endpoint)
}

func (m *socketMaintenance) Defragment(ctx context.Context, _ string) (*clientv3.DefragmentResponse, error) {
	return m.Maintenance.Defragment(ctx, m.endpoint)
}

// socketName is the file in the run folder on which the embedded etcd serves.
const socketName = "etcd.sock"

func unixURL(path string) url.URL { return url.URL{Scheme: "unix", Path: path} }
