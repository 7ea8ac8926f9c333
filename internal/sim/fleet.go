package sim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ashore/ashore/internal/client"
	"github.com/ashore/ashore/internal/store"
	"golang.org/x/sync/errgroup"
)

// FleetConfig configures a Fleet.
type FleetConfig struct {
	Hosts        int
	Name         string // name of the hosts, before a number
	Servers      []string
	Installation store.Installation
	Cluster      string
	// Credentials creates a host's principal, or a new key for it.
	Credentials func(ctx context.Context, host string, terms client.HostTerms) (client.HostCredentials, error)

	CPUs   int
	Memory int64 // MiB
	// Zones is the number of availability zones of the hosts. 0: the hosts have none.
	Zones        int
	Faults       Faults // its seed is the fleet's seed
	Partition    Partition
	MetricsEvery time.Duration // 0: the agent's own
	Parallel     int           // registrations at the same time; 0: 64
	Log          *slog.Logger  // of the agents; nil: none
}

// Partition cuts hosts off periodically: after each Every, a fraction of the reachable
// hosts, each for half to one and a half of For.
type Partition struct {
	Fraction   float64
	Every, For time.Duration
}

// Fleet is many hosts in one process with one transport. Its methods may be called from
// any goroutine.
type Fleet struct {
	cfg       FleetConfig
	transport *http.Transport
	connected atomic.Int64
	joined    atomic.Int64

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu      sync.Mutex
	rng     *rand.Rand
	members []*member // appended as hosts start
}

// member is a host of a Fleet.
type member struct {
	host *Host
	gate *Gate
	once sync.Once
	up   chan struct{} // closed at the first connection
	away absence       // guarded by the fleet's mu
}

// absence says why a host is not reachable.
type absence int

const (
	reachable   absence = iota
	partitioned         // by Partition, for a while
	lost                // by Lose, until Return
)

// NewFleet creates a fleet. Start starts its hosts.
func NewFleet(cfg FleetConfig) *Fleet {
	if cfg.Name == "" {
		cfg.Name = "sim"
	}
	if cfg.Parallel == 0 {
		cfg.Parallel = 64
	}
	f := &Fleet{
		cfg: cfg, rng: rand.New(rand.NewPCG(cfg.Faults.Seed, 2)),
		// For calls; websockets leave the pool. Few hosts call at the same time.
		transport: &http.Transport{MaxIdleConns: 256, MaxIdleConnsPerHost: 256, IdleConnTimeout: 30 * time.Second},
	}
	f.ctx, f.cancel = context.WithCancel(context.Background())
	return f
}

// Start starts every host. It returns when each host has connected once.
func (f *Fleet) Start(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(f.cfg.Parallel)
	for i := range f.cfg.Hosts {
		g.Go(func() error { return f.startHost(ctx, i) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if p := f.cfg.Partition; p.Fraction > 0 && p.Every > 0 {
		f.wg.Go(f.runPartitions)
	}
	return nil
}

func (f *Fleet) startHost(ctx context.Context, i int) error {
	name := fmt.Sprintf("%s-%05d", f.cfg.Name, i)
	key, err := f.cfg.Credentials(ctx, name, client.HostTerms{Cluster: f.cfg.Cluster})
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	faults := f.cfg.Faults
	faults.Seed += uint64(i)
	m := &member{gate: NewGate(f.transport), up: make(chan struct{})}
	m.host = NewHost(HostConfig{
		Name: name, Servers: f.orderServers(i), Installation: f.cfg.Installation, Credentials: key, Cluster: f.cfg.Cluster,
		Machine: NewMachine(f.cfg.CPUs, f.cfg.Memory, faults), NoSocket: true, Transport: m.gate, MetricsEvery: f.cfg.MetricsEvery,
		Getenv: f.hostEnvironment(i), Log: f.cfg.Log,
		OnConnection: func(up bool) {
			if !up {
				f.connected.Add(-1)
				return
			}
			f.connected.Add(1)
			m.once.Do(func() { close(m.up) })
		},
	})
	f.mu.Lock()
	f.members = append(f.members, m)
	f.mu.Unlock()
	m.host.Start()
	select {
	case <-m.up:
		f.joined.Add(1)
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// orderServers returns the servers in a different order for each host.
func (f *Fleet) orderServers(i int) []string {
	out := make([]string, 0, len(f.cfg.Servers))
	for k := range f.cfg.Servers {
		out = append(out, f.cfg.Servers[(i+k)%len(f.cfg.Servers)])
	}
	return out
}

// cleanupWait is how long a simulated host has an ended task before the clean-up. No one
// inspects it.
const cleanupWait = "10s"

// hostPorts is set so that the hosts do not read the kernel's range.
const hostPorts = "32768-60999"

func (f *Fleet) hostEnvironment(i int) func(string) string {
	attributes := ""
	if f.cfg.Zones > 0 {
		attributes = fmt.Sprintf(`{"ecs.availability-zone":"zone-%d"}`, i%f.cfg.Zones+1)
	}
	return func(name string) string {
		switch name {
		case "ECS_INSTANCE_ATTRIBUTES":
			return attributes
		case "ECS_ENGINE_TASK_CLEANUP_WAIT_DURATION":
			return cleanupWait
		case "ECS_DYNAMIC_HOST_PORT_RANGE":
			return hostPorts
		}
		return ""
	}
}

// Lose cuts some reachable hosts off until Return, and returns their names. Their agents
// and containers go on.
func (f *Fleet) Lose(n int, silently bool) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var names []string
	for _, m := range f.pickLocked(n) {
		m.away = lost
		m.gate.Shut(silently)
		names = append(names, m.host.cfg.Name)
	}
	return names
}

// Return makes all lost hosts reachable again, and returns their number.
func (f *Fleet) Return() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, m := range f.members {
		if m.away == lost {
			m.away = reachable
			m.gate.Open()
			n++
		}
	}
	return n
}

// pickLocked picks n reachable hosts at random.
func (f *Fleet) pickLocked(n int) []*member {
	var out []*member
	for _, i := range f.rng.Perm(len(f.members)) {
		if len(out) == n {
			break
		}
		if m := f.members[i]; m.away == reachable {
			out = append(out, m)
		}
	}
	return out
}

// runPartitions cuts hosts off and reconnects them until the fleet ends.
func (f *Fleet) runPartitions() {
	tick := time.NewTicker(f.cfg.Partition.Every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-f.ctx.Done():
			return
		}
		f.mu.Lock()
		for _, m := range f.pickLocked(int(f.cfg.Partition.Fraction*float64(len(f.members)) + 0.5)) {
			m.away = partitioned
			silently := f.rng.IntN(2) == 0
			d := f.cfg.Partition.For/2 + time.Duration(f.rng.Float64()*float64(f.cfg.Partition.For))
			m.gate.Shut(silently)
			f.wg.Go(func() { f.reconnectAfter(m, d) })
		}
		f.mu.Unlock()
	}
}

func (f *Fleet) reconnectAfter(m *member, after time.Duration) {
	t := time.NewTimer(after)
	defer t.Stop()
	select {
	case <-t.C:
	case <-f.ctx.Done():
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	m.away = reachable
	m.gate.Open()
}

// Close stops all agents and machines and waits for them. Start must have returned.
func (f *Fleet) Close() error {
	f.cancel()
	f.wg.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	var g errgroup.Group
	g.SetLimit(f.cfg.Parallel)
	for _, m := range f.members {
		m.gate.Open() // silent connections break, so that no agent waits for them
		g.Go(m.host.Close)
	}
	err := g.Wait()
	f.transport.CloseIdleConnections()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
