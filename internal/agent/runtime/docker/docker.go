// Package docker runs containers on Docker Engine 20.10 or newer. It uses the newest API
// version that both sides know.
package docker

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/moby/moby/client"

	"github.com/ashore/ashore/internal/agent/runtime"
)

// Docker is a client of one engine. Constant after New.
type Docker struct {
	api  *client.Client
	host string
}

var _ runtime.Runtime = (*Docker)(nil)

// Host returns the engine's address that New("") uses. It is DOCKER_HOST if set. Else, for
// a user other than root, it is the socket of their rootless engine if that exists. Else
// it is the system's engine.
func Host() string {
	if h := os.Getenv("DOCKER_HOST"); h != "" {
		return h
	}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" && os.Geteuid() != 0 {
		sock := filepath.Join(dir, "docker.sock")
		if _, err := os.Stat(sock); err == nil {
			return "unix://" + sock
		}
	}
	return client.DefaultDockerHost
}

// idleConnections is how many connections to the engine stay open for bursts.
const idleConnections = 64

// New creates a client of the engine at host, or at Host() if host is empty. It does not
// connect yet.
func New(host string) (*Docker, error) {
	if host == "" {
		host = Host()
	}
	opts := []client.Opt{
		client.WithHTTPClient(&http.Client{
			Transport: &http.Transport{
				MaxIdleConns: idleConnections, MaxIdleConnsPerHost: idleConnections, IdleConnTimeout: 2 * time.Minute,
				// Without this the transport would get TLS settings for HTTP/2, and the
				// client would then use TLS.
				TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{},
			},
			CheckRedirect: client.CheckRedirect,
		}),
		client.WithTLSClientConfigFromEnv(),
		client.WithHost(host),
	}
	api, err := client.New(opts...)
	if err != nil {
		return nil, fmt.Errorf("docker: %s: %w", host, err)
	}
	return &Docker{api: api, host: host}, nil
}

// Address returns the engine's address.
func (d *Docker) Address() string { return d.host }

// Close closes the connections.
func (d *Docker) Close() error { return d.api.Close() }

// Ping checks that the engine answers.
func (d *Docker) Ping(ctx context.Context) error {
	_, err := d.api.Ping(ctx, client.PingOptions{})
	return convertError(err)
}

// Info returns a description of the engine and its host.
func (d *Docker) Info(ctx context.Context) (runtime.Info, error) {
	res, err := d.api.Info(ctx, client.InfoOptions{})
	if err != nil {
		return runtime.Info{}, convertError(err)
	}
	in := res.Info
	out := runtime.Info{
		Engine: "docker", Version: in.ServerVersion, APIVersion: d.api.ClientVersion(),
		CPUs: in.NCPU, Memory: in.MemTotal, Architecture: in.Architecture,
		LogDrivers: in.Plugins.Log, VolumeDrivers: in.Plugins.Volume,
	}
	out.CgroupVersion, _ = strconv.Atoi(in.CgroupVersion)
	if out.CgroupVersion == 0 {
		out.CgroupVersion = 1 // engines before 20.10 omit it and support only v1
	}
	out.Rootless = slices.ContainsFunc(in.SecurityOptions, func(s string) bool { return strings.Contains(s, "name=rootless") })
	switch {
	case out.Rootless: // its cgroups are below its user's
	case in.CgroupDriver == "cgroupfs":
		out.CgroupParents = runtime.CgroupPath
	case in.CgroupDriver == "systemd":
		out.CgroupParents = runtime.CgroupSlice
	}
	return out, nil
}
