package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"golang.org/x/sync/errgroup"

	"github.com/ashore/ashore/internal/client"
	"github.com/ashore/ashore/internal/hint"
	"github.com/ashore/ashore/internal/local"
	"github.com/ashore/ashore/internal/shellenv"
	"github.com/ashore/ashore/internal/sim"
	"github.com/ashore/ashore/internal/store"
)

// simCommand runs a fleet of simulated hosts in one process until SIGTERM.
type simCommand struct {
	dataDir `kong:"embed"`
	Hosts   int           `default:"100" placeholder:"N" help:"How many hosts (default: 100)."`
	Cluster string        `default:"default" placeholder:"NAME" help:"The cluster that they join; made if it isn't there (default: default)."`
	Servers []string      `placeholder:"URL,…" help:"Servers of the installation. Default: the one of the data folder."`
	Name    string        `default:"sim" placeholder:"NAME" help:"What the hosts are called, before a number (default: sim)."`
	CPUs    int           `name:"cpus" default:"16" placeholder:"N" help:"Cores of each host (default: 16)."`
	Memory  int64         `default:"65536" placeholder:"MIB" help:"Memory of each host (default: 65536)."`
	Zones   int           `placeholder:"N" help:"Spread them over N availability zones, zone-1 and so on."`
	Seed    uint64        `placeholder:"N" help:"Of latencies, failures and partitions. Default: at random; it is printed."`
	Create  time.Duration `placeholder:"TIME" help:"Mean time to create a container."`
	Start   time.Duration `placeholder:"TIME" help:"Mean time to start one."`
	Stop    time.Duration `placeholder:"TIME" help:"Mean time to stop one."`
	Fail    failFlags     `embed:"" prefix:"fail-"`

	Lost         float64       `placeholder:"P" help:"Probability that an engine's answer is lost, such as 0.01."`
	Partition    string        `placeholder:"P@TIME" help:"Cut this fraction of the hosts off every so often, such as 0.02@30s."`
	PartitionFor time.Duration `default:"10s" placeholder:"TIME" help:"Mean time until they are let back (default: 10s)."`
	Metrics      time.Duration `default:"20s" placeholder:"TIME" help:"How often each host sends telemetry (default: 20s)."`

	Parallel int           `default:"64" placeholder:"N" help:"Registrations under way at once (default: 64)."`
	Control  string        `placeholder:"SOCKET" help:"Answer on this unix socket: GET /v1/stats, POST /v1/lose, POST /v1/return."`
	Every    time.Duration `default:"10s" placeholder:"TIME" help:"How often to print statistics (default: 10s)."`
	JSON     bool          `name:"json" help:"Print statistics as lines of JSON."`
	LogLevel slog.Level    `default:"error" placeholder:"LEVEL" help:"Of the hosts' agents: debug, info, warn or error (default: error)."`

	pprofFlags `kong:"embed"`
}

type failFlags struct {
	Create float64 `placeholder:"P" help:"Probability that creating a container fails, such as 0.01."`
	Start  float64 `placeholder:"P" help:"Probability that starting one fails."`
}

func (simCommand) Example() string {
	return "ashore sim --hosts 5000 --zones 3 --create 5ms --start 20ms --partition 0.02@30s"
}

func (s *simCommand) Run(ctx context.Context, t *terminal) (err error) {
	cfg, err := s.config(t)
	if err != nil {
		return err
	}
	l, err := s.layout()
	if err != nil {
		return err
	}
	admin, err := local.ReadAdmin(l)
	if err != nil {
		return err
	}
	if cfg.Servers = s.Servers; len(cfg.Servers) == 0 {
		cfg.Servers = []string{admin.Endpoint}
	}
	admin.Endpoint = cfg.Servers[0]
	c := client.New(admin)
	defer c.Close()
	if _, err := c.ECS.CreateCluster(ctx, &ecs.CreateClusterInput{ClusterName: aws.String(s.Cluster)}); err != nil {
		return hint.With(fmt.Errorf("make the cluster %s: %w", s.Cluster, err), "start the control plane by `ashore server --data-dir %s`", shellenv.Word(l.Data))
	}
	cfg.Installation = store.Installation{ID: admin.InstallationID, Account: admin.Account, Region: admin.Region}
	cfg.Credentials = c.CreateHostCredentials
	stopProfiles, err := s.serve()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopProfiles()) }()

	raiseGCPercent()
	f := sim.NewFleet(cfg)
	t.note("%d hosts of the cluster %s at %s, seed %d", s.Hosts, s.Cluster, strings.Join(cfg.Servers, " "), s.Seed)
	g, ctx := errgroup.WithContext(ctx)
	if s.Control != "" {
		g.Go(func() error { return f.ServeControl(ctx, s.Control) })
	}
	g.Go(func() error { return s.print(ctx, t, f) })
	g.Go(func() error {
		began := time.Now()
		if err := f.Start(ctx); err != nil {
			return err
		}
		t.note("all connected after %s", time.Since(began).Round(time.Millisecond))
		<-ctx.Done()
		return nil
	})
	err = g.Wait()
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	last, statsErr := f.Stats()
	err = errors.Join(err, statsErr, f.Close())
	if statsErr == nil {
		s.show(t, last)
	}
	return err
}

func (s *simCommand) config(t *terminal) (sim.FleetConfig, error) {
	if s.Seed == 0 {
		s.Seed = rand.Uint64()
	}
	if s.Hosts < 1 || s.Hosts > 99_999 {
		return sim.FleetConfig{}, fmt.Errorf("--hosts must be between 1 and 99999, not %d", s.Hosts)
	}
	cfg := sim.FleetConfig{
		Hosts: s.Hosts, Name: s.Name, Cluster: s.Cluster, CPUs: s.CPUs, Memory: s.Memory, Zones: s.Zones,
		Faults: sim.Faults{Seed: s.Seed, Create: s.Create, Start: s.Start, Stop: s.Stop,
			FailCreate: s.Fail.Create, FailStart: s.Fail.Start, Lost: s.Lost},
		MetricsEvery: s.Metrics, Parallel: s.Parallel,
		Log: slog.New(slog.NewTextHandler(t.err, &slog.HandlerOptions{Level: s.LogLevel})),
	}
	if s.Partition == "" {
		return cfg, nil
	}
	share, every, ok := strings.Cut(s.Partition, "@")
	var err1, err2 error
	cfg.Partition.For = s.PartitionFor
	cfg.Partition.Fraction, err1 = strconv.ParseFloat(share, 64)
	cfg.Partition.Every, err2 = time.ParseDuration(every)
	if !ok || err1 != nil || err2 != nil || cfg.Partition.Fraction < 0 || cfg.Partition.Fraction > 1 || cfg.Partition.Every <= 0 {
		return cfg, hint.With(fmt.Errorf("--partition %q is not a fraction and a time", s.Partition), "write it as --partition 0.02@30s")
	}
	return cfg, nil
}

// print prints the statistics at intervals.
func (s *simCommand) print(ctx context.Context, t *terminal, f *sim.Fleet) error {
	tick := time.NewTicker(s.Every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		n, err := f.Stats()
		if err != nil {
			return err
		}
		s.show(t, n)
	}
}

func (s *simCommand) show(t *terminal, n sim.Stats) {
	if s.JSON {
		line, err := json.Marshal(n)
		if err != nil {
			panic(err) // numbers always marshal
		}
		t.printf("%s\n", line)
		return
	}
	t.printf("%s  %d of %d hosts connected, %d lost, %d cut off; %d containers started, %d of them again, %d running; CPU %.1f s, %d MB, %d goroutines\n",
		time.Now().Format(time.TimeOnly), n.Connected, n.Hosts, n.Lost, n.Partitioned, n.Started, n.Repeated, n.Running,
		n.CPUSeconds, n.Anonymous/1e6, n.Goroutines)
}
