package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"go.etcd.io/etcd/client/pkg/v3/transport"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
)

// ConnectConfig says how to reach an external etcd.
type ConnectConfig struct {
	Endpoints []string // "http://", "https://" or "unix://" URLs, or host:port
	// CAFile is the authority of etcd's certificate; the system's authorities if empty.
	// CertFile and KeyFile are our own certificate, if etcd asks for one.
	CAFile, CertFile, KeyFile string
	User, Password            string
	Timeout                   time.Duration // for the first answer; 10 s unless set
	Log                       *slog.Logger
}

// Connect returns a client of an external etcd that has answered once.
func Connect(ctx context.Context, c ConnectConfig) (*clientv3.Client, error) {
	if len(c.Endpoints) == 0 {
		return nil, errors.New("no etcd endpoint is given")
	}
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Second
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	cfg := clientv3.Config{
		Endpoints: c.Endpoints, Username: c.User, Password: c.Password,
		DialTimeout: c.Timeout,
		// A broken connection shows within 12 s, even to a watch that has nothing to
		// receive. It shows within 2 s after something was sent. Under load, round
		// robin sends on every connection.
		DialKeepAliveTime: 10 * time.Second, DialKeepAliveTimeout: 2 * time.Second,
		PermitWithoutStream: true,
		Logger:              zapTo(c.Log),
		// The client finds a returned member at once. gRPC alone would wait up to two
		// minutes.
		DialOptions: []grpc.DialOption{grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 50 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 2 * time.Second},
			MinConnectTimeout: 3 * time.Second,
		})},
	}
	secure := c.CAFile != "" || c.CertFile != "" || c.KeyFile != ""
	for _, e := range c.Endpoints {
		secure = secure || strings.HasPrefix(e, "https://")
	}
	if secure {
		tls, err := transport.TLSInfo{CertFile: c.CertFile, KeyFile: c.KeyFile, TrustedCAFile: c.CAFile}.ClientConfig()
		if err != nil {
			return nil, fmt.Errorf("TLS for etcd: %w", err)
		}
		cfg.TLS = tls
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	where := strings.Join(c.Endpoints, ", ")
	client, err := clientv3.New(cfg) // with a user it logs in at once
	if err != nil {
		return nil, fmt.Errorf("connect to etcd at %s: %w", where, err)
	}
	// A user without permission for this key has still logged in.
	if _, err := client.Get(ctx, "ashore-connect", clientv3.WithKeysOnly()); err != nil && !errors.Is(err, rpctypes.ErrPermissionDenied) {
		return nil, errors.Join(fmt.Errorf("connect to etcd at %s: %w", where, err), ignoreCanceled(client.Close()))
	}
	return client, nil
}
