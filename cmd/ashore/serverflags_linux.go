package main

import (
	"cmp"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/forward"
	"github.com/ashore/ashore/internal/hint"
	"github.com/ashore/ashore/internal/local"
	"github.com/ashore/ashore/internal/store"
)

// serverFlags are the flags of `ashore server`, which `ashore up` has, too.
type serverFlags struct {
	Listen           string        `placeholder:"ADDR" help:"Where to serve the API and the agents (default: 127.0.0.1:4700)."`
	Account          string        `placeholder:"ID" help:"The account, 12 digits; set at the first start (default: 000000000000)."`
	Region           string        `placeholder:"NAME" help:"The region; set at the first start (default: us-east-1)."`
	SealKey          string        `env:"ASHORE_SEAL_KEY" placeholder:"FILE" help:"The key that seals secrets at rest. Default: a file outside the data folder."`
	KeepStopped      time.Duration `default:"24h" placeholder:"TIME" help:"How long stopped tasks are kept (default: 24h)."`
	KeepStoppedTasks int           `default:"20000" placeholder:"N" help:"How many stopped tasks of a cluster are kept (default: 20000)."`
	DiskReserve      int64         `default:"128" placeholder:"MIB" help:"With less room than this on the data folder's disk changes are refused (default: 128)."`
	EtcdMaintain     bool          `help:"Compact and defragment an external etcd too."`
	ServedAs         []string      `placeholder:"NAME,…" help:"Names by which browsers may ask for the page, besides addresses and localhost: those of a proxy."`
	Forward          []string      `sep:"none" placeholder:"SERVICE=URL" help:"Pass calls for a service that isn't served here on to an endpoint, such as s3=https://HOST, signed by the server's AWS credentials: of its environment, or of ,profile=NAME; ,region=NAME where it is another. Administrators only. May be repeated."`
	etcdFlags        `kong:"embed"`
}

// check refuses values that would be stored for ever, and values that make no sense.
func (f serverFlags) check() error {
	if f.Account != "" {
		if err := fleet.CheckAccount(f.Account); err != nil {
			return hint.With(fmt.Errorf("--account: %w", err), "such as --account 123456789012, or leave it out")
		}
	}
	if f.Region != "" {
		if err := fleet.CheckRegion(f.Region); err != nil {
			return hint.With(fmt.Errorf("--region: %w", err), "such as --region us-east-1, or leave it out")
		}
	}
	for _, n := range f.ServedAs {
		if !hostNames.MatchString(n) {
			return hint.With(fmt.Errorf("--served-as: %q is not a host name", n), "name it without a scheme or a port, such as --served-as ecs.example.com")
		}
	}
	if _, err := f.forwards(); err != nil {
		return hint.With(fmt.Errorf("--forward: %w", err), "such as --forward %s", forward.Example)
	}
	switch {
	case f.KeepStopped <= 0:
		return fmt.Errorf("--keep-stopped must be more than 0, not %s", f.KeepStopped)
	case f.KeepStoppedTasks <= 0:
		return fmt.Errorf("--keep-stopped-tasks must be more than 0, not %d", f.KeepStoppedTasks)
	}
	return nil
}

var hostNames = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$`)

// forwards parses the endpoints to which calls are forwarded.
func (f serverFlags) forwards() ([]forward.Spec, error) {
	var all []forward.Spec
	for _, text := range f.Forward {
		spec, err := forward.Parse(text)
		if err != nil {
			return nil, err
		}
		all = append(all, spec)
	}
	return all, nil
}

func (f serverFlags) listen() string { return cmp.Or(f.Listen, "127.0.0.1:4700") }

// args returns the flags as `ashore up` passes them to `ashore server`, which runs in
// another folder.
func (f serverFlags) args() []string {
	args := []string{"--listen", f.listen(), "--keep-stopped", f.KeepStopped.String(), "--keep-stopped-tasks", strconv.Itoa(f.KeepStoppedTasks),
		"--disk-reserve", strconv.FormatInt(f.DiskReserve, 10)}
	if f.EtcdMaintain {
		args = append(args, "--etcd-maintain")
	}
	for _, p := range []struct{ flag, value string }{
		{"--account", f.Account}, {"--region", f.Region}, {"--seal-key", absolutePath(f.SealKey)},
		{"--etcd-prefix", f.EtcdPrefix}, {"--etcd-ca", absolutePath(f.EtcdCA)}, {"--etcd-cert", absolutePath(f.EtcdCert)},
		{"--etcd-key", absolutePath(f.EtcdKey)}, {"--etcd-user", f.EtcdUser},
	} {
		if p.value != "" {
			args = append(args, p.flag, p.value)
		}
	}
	for _, e := range f.EtcdEndpoints {
		args = append(args, "--etcd-endpoints", e)
	}
	for _, n := range f.ServedAs {
		args = append(args, "--served-as", n)
	}
	for _, to := range f.Forward {
		args = append(args, "--forward", to)
	}
	return args
}

// absolutePath returns a file's path that is valid in any folder, "" for "".
func absolutePath(path string) string {
	if path == "" {
		return ""
	}
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// etcdFlags say where the state lies, for every command that uses it.
type etcdFlags struct {
	EtcdEndpoints []string `placeholder:"URL,…" help:"Keep the state in this etcd cluster instead of an embedded one."`
	EtcdPrefix    string   `default:"/ashore" placeholder:"PREFIX" help:"Of every key in an external etcd (default: /ashore)."`
	EtcdCA        string   `name:"etcd-ca" placeholder:"FILE" help:"Certificates that the external etcd's is signed by."`
	EtcdCert      string   `name:"etcd-cert" placeholder:"FILE" help:"Our certificate for the external etcd."`
	EtcdKey       string   `name:"etcd-key" placeholder:"FILE" help:"The key of our certificate."`
	EtcdUser      string   `name:"etcd-user" placeholder:"NAME" help:"User for the external etcd; its password is read from ASHORE_ETCD_PASSWORD."`
}

// external returns the configuration of an external etcd, nil for an embedded one.
func (f etcdFlags) external(log *slog.Logger) *store.ConnectConfig {
	if len(f.EtcdEndpoints) == 0 {
		return nil
	}
	return &store.ConnectConfig{
		Endpoints: f.EtcdEndpoints, CAFile: f.EtcdCA, CertFile: f.EtcdCert, KeyFile: f.EtcdKey,
		User: f.EtcdUser, Password: os.Getenv("ASHORE_ETCD_PASSWORD"), Log: log,
	}
}

func (f etcdFlags) target(l local.Layout) store.Target {
	return store.Target{Dir: l.Server(), Connect: f.external(nil), Prefix: f.EtcdPrefix}
}
