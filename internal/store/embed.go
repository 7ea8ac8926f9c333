package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/ashore/ashore/internal/pace"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3rpc"
	"go.etcd.io/etcd/server/v3/proxy/grpcproxy/adapter"
	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.uber.org/zap"
)

// DefaultQuota bounds the embedded etcd's file.
const DefaultQuota = 8 << 30

// EmbedOption changes how Embed runs etcd.
type EmbedOption func(*embedOptions)

type embedOptions struct {
	quota   int64
	reserve int64
	log     *slog.Logger
	prefix  string
}

// WithQuota bounds the size of etcd's file in bytes.
func WithQuota(bytes int64) EmbedOption { return func(o *embedOptions) { o.quota = bytes } }

// WithReserve sets how many bytes of the disk must stay free. The default is
// DefaultReserve.
func WithReserve(bytes int64) EmbedOption { return func(o *embedOptions) { o.reserve = bytes } }

// WithPrefix sets the prefix of the state's keys. The default is DefaultPrefix. If the
// state is in a newer format, Embed returns a FormatError and changes nothing.
func WithPrefix(prefix string) EmbedOption {
	return func(o *embedOptions) { o.prefix = cmp.Or(prefix, DefaultPrefix) }
}

// WithLog sets the log for etcd's warnings and errors.
func WithLog(log *slog.Logger) EmbedOption { return func(o *embedOptions) { o.log = log } }

// Embedded is an etcd of one member in this process. It listens only on unix sockets in
// a folder of its own, never on a port.
//
// A failure of etcd does not end the process. Stuck reports it, see etcdEnd.
type Embedded struct {
	etcd   *embed.Etcd
	Client *clientv3.Client
	socket *clientv3.Client // for calls that the in-process client can't make
	lock   *dirLock
	end    *etcdEnd
	disk   *disk
	files  *presence
}

// Embed starts etcd on a data directory and waits until it serves. Only one process at
// a time may use a directory. After an error of Embed, parts of etcd may still run and
// use the directory until the process ends.
func Embed(ctx context.Context, dir string, opts ...EmbedOption) (*Embedded, error) {
	o := embedOptions{quota: DefaultQuota, reserve: DefaultReserve, log: slog.New(slog.DiscardHandler), prefix: DefaultPrefix}
	for _, opt := range opts {
		opt(&o)
	}
	if err := checkFileLimit(); err != nil {
		return nil, err
	}
	run := filepath.Join(dir, "run")
	for _, d := range []string{dir, run, filepath.Join(dir, "etcd")} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, err
		}
	}
	if err := os.Chmod(run, 0o700); err != nil { // it may have existed before
		return nil, err
	}
	// Lock first: etcd would take another process's sockets away and then wait for its
	// files for ever.
	lock, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	e := &Embedded{lock: lock, disk: newDisk(dir, o.reserve, o.log)}
	e.end = newEtcdEnd(func() { removeSegments(dir) })
	if err := e.checkFiles(dir, o.prefix); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	if err := e.start(ctx, dir, lock.shortPath(run), o); err != nil {
		err = fmt.Errorf("start the embedded etcd in %s: %w", dir, err)
		if left := (runningError{}); errors.As(err, &left) {
			return nil, err // parts of etcd may still write
		}
		return nil, errors.Join(err, lock.Close())
	}
	e.files = &presence{member: memberDir(dir), log: o.log}
	e.disk.writeBallast()
	return e, nil
}

// checkFiles checks for files at which etcd would end or would never become ready, and
// for a state in a newer format. It removes a member whose first start did not finish.
// It returns an error if a new installation has not enough space.
func (e *Embedded) checkFiles(dir, prefix string) error {
	switch _, err := os.Stat(memberDir(dir)); {
	case err == nil:
		if e.disk.check(0) != nil {
			e.disk.removeBallast()
		}
		if !isUnbegun(memberDir(dir)) {
			return checkMember(dir, formatKey(prefix))
		}
		if err := os.RemoveAll(memberDir(dir)); err != nil {
			return err
		}
	case !errors.Is(err, os.ErrNotExist):
		return err
	}
	// A new etcd writes two segments of its log at once.
	if r, err := e.disk.readRoom(dir); err == nil && r.bytes < e.disk.reserve+2*wal.SegmentSizeBytes {
		return &newDiskError{dir, mountOf(dir), r.bytes, e.disk.reserve + 2*wal.SegmentSizeBytes}
	}
	return nil
}

// removeSegments removes the incomplete segments of etcd's log that a full disk has
// left, and so frees their space.
func removeSegments(dir string) {
	left, _ := filepath.Glob(filepath.Join(memberDir(dir), "wal", "*.tmp"))
	for _, f := range left {
		_ = os.Remove(f) // etcd's own error names the cause
	}
}

// These limit how long etcd may take to start, and to end.
const (
	startLimit = 5 * time.Minute
	readyLimit = time.Minute
	endLimit   = 20 * time.Second
)

// runningError is an error after which parts of etcd may still run.
type runningError struct{ error }

func (e runningError) Unwrap() error { return e.error }

// start runs etcd with its sockets in the folder run.
func (e *Embedded) start(ctx context.Context, dir, run string, o embedOptions) error {
	client, peer := unixURL(filepath.Join(run, socketName)), unixURL(filepath.Join(run, "peer.sock"))
	ctx, cancel := context.WithTimeoutCause(ctx, startLimit, fmt.Errorf("it was not ready within %s", startLimit))
	defer cancel()
	var err error
	if e.etcd, err = e.open(ctx, etcdConfig(dir, client, peer, e.end, o)); err != nil {
		return err
	}
	if err := e.awaitReady(ctx); err != nil {
		return e.stopAfter(err)
	}
	if e.socket, err = clientv3.New(clientv3.Config{Endpoints: []string{client.String()}, Logger: zap.NewNop()}); err != nil {
		return e.stopAfter(err)
	}
	e.Client = v3client.New(e.etcd.Server)
	// The store sends transactions past the client, see txnrequest.go.
	kv := adapter.KvServerToKvClient(v3rpc.NewQuotaKVServer(e.etcd.Server))
	e.Client.KV = inProcess{clientv3.NewKVFromKVClient(kv, e.Client), kv}
	// The in-process Maintenance panics in Defragment: etcd 3.7.3 makes it without a
	// health notifier.
	e.Client.Maintenance = &socketMaintenance{clientv3.NewMaintenance(e.socket), client.String()}
	return nil
}

func etcdConfig(dir string, client, peer url.URL, end *etcdEnd, o embedOptions) *embed.Config {
	cfg := embed.NewConfig()
	cfg.Name = "ashore"
	cfg.Dir = filepath.Join(dir, "etcd")
	cfg.ListenClientUrls, cfg.AdvertiseClientUrls = []url.URL{client}, []url.URL{client}
	cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = []url.URL{peer}, []url.URL{peer}
	cfg.InitialCluster = cfg.Name + "=" + peer.String()
	cfg.QuotaBackendBytes = o.quota
	// etcd keeps each entry since the last snapshot in memory, and some entries before
	// it.
	cfg.SnapshotCount, cfg.SnapshotCatchUpEntries = 5000, 100
	cfg.MaxTxnOps = EmbeddedOps
	cfg.TickMs, cfg.ElectionMs = 50, 500
	cfg.EnableGRPCGateway = false
	cfg.ZapLoggerBuilder = embed.NewZapLoggerBuilder(end.logger(zapTo(o.log)))
	return cfg
}

// open starts etcd in a goroutine of its own, because a start of etcd can't be
// cancelled.
func (e *Embedded) open(ctx context.Context, cfg *embed.Config) (*embed.Etcd, error) {
	type opened struct {
		etcd *embed.Etcd
		err  error
	}
	result := make(chan opened, 1)
	go func() {
		var o opened
		defer func() {
			if p := recover(); p != nil {
				o = opened{err: &EtcdError{Message: fmt.Sprint(p)}}
			}
			result <- o
		}()
		o.etcd, o.err = embed.StartEtcd(cfg)
	}()
	select {
	case o := <-result:
		return o.etcd, o.err
	case <-e.end.done:
		return nil, runningError{e.end.failure()}
	case <-ctx.Done():
		return nil, runningError{context.Cause(ctx)}
	}
}

// awaitReady waits until etcd serves.
func (e *Embedded) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, readyLimit, fmt.Errorf("it was not ready %s after its start", readyLimit))
	defer cancel()
	select {
	case <-e.etcd.Server.ReadyNotify():
		return nil
	case err := <-e.etcd.Err():
		return err
	case <-e.etcd.Server.StopNotify():
		return errors.New("it stopped by itself")
	case <-e.end.done:
		return e.end.failure()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// stopAfter stops an etcd whose start has failed. It returns the reason of the failure.
func (e *Embedded) stopAfter(why error) error {
	if e.end.failure() != nil {
		return runningError{why}
	}
	if err := e.stop(); err != nil {
		return runningError{errors.Join(why, err)}
	}
	return why
}

// stop ends etcd and waits for it.
func (e *Embedded) stop() error {
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		e.etcd.Close()
	}()
	limit := time.NewTimer(endLimit)
	defer limit.Stop()
	select {
	case <-closed:
		return nil
	case <-e.end.done:
		return fmt.Errorf("end the embedded etcd: %w", e.end.failure())
	case <-limit.C:
		return fmt.Errorf("the embedded etcd did not end within %s", endLimit)
	}
}

// Err delivers the error when etcd ends by itself.
func (e *Embedded) Err() <-chan error { return e.etcd.Err() }

// Stuck is closed when etcd has failed, or will fail at a later write. etcd must then
// be started in a new process. Until then the known state can be read, and Room refuses
// writes.
func (e *Embedded) Stuck() <-chan struct{} { return e.end.stuck }

// Room returns an error if nothing may be written at the moment, or not that many
// bytes.
func (e *Embedded) Room(bytes int64) error {
	select {
	case <-e.end.stuck:
	default:
		if err := e.files.check(); err != nil {
			return err
		}
		return e.disk.check(bytes)
	}
	switch err := e.end.failure(); {
	case err == nil:
		return e.disk.writeFailure(errNoSegment)
	case isDisk(err):
		return e.disk.writeFailure(err)
	default:
		return unable(fmt.Sprintf("The state can't be written: %v. The server ends.", err))
	}
}

// untilFailure returns a context that ends when etcd has failed. etcd may never answer
// the requests that it had then.
func (e *Embedded) untilFailure(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-e.end.done:
			cancel(e.Room(0))
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(nil); <-ended }
}

var errNoSegment = errors.New("there was no room for etcd's log; it is started anew once there is")

// AwaitDisk waits until a new process may be able to start a stuck etcd: until its disk
// can be written again. If the disk is not the cause, it returns etcd's error at once.
func (e *Embedded) AwaitDisk(ctx context.Context) error {
	if err := e.end.failure(); err != nil && !isDisk(err) && e.disk.check(0) == nil {
		return err
	}
	wait := pace.Backoff{Min: 250 * time.Millisecond, Max: 2 * time.Second}
	for e.disk.probe() != nil {
		if err := pace.Sleep(ctx, pace.About(wait.Next())); err != nil {
			return err
		}
	}
	return nil
}

// Close stops etcd and waits for it. A failed etcd, and its directory, stay in use
// until the process ends.
func (e *Embedded) Close() error {
	err := errors.Join(ignoreCanceled(e.Client.Close()), ignoreCanceled(e.socket.Close()))
	if e.end.failure() != nil {
		return err
	}
	if stopped := e.stop(); stopped != nil {
		return errors.Join(err, stopped)
	}
	return errors.Join(err, e.lock.Close())
}

// ignoreCanceled returns nil for the error with which a client reports that it was
// closed.
func ignoreCanceled(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// socketMaintenance sends requests to the one member, whatever endpoint the caller
// names.
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

// socketName is the socket's file name in the run folder.
const socketName = "etcd.sock"

func unixURL(path string) url.URL { return url.URL{Scheme: "unix", Path: path} }
