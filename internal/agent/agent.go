// Package agent is Ashore's part on a host. It registers the machine with a control plane,
// runs the ordered tasks on a container engine, and reports their states.
//
//	           ┌───────────────── Agent.Run ─────────────────┐
//	control ◀──┤ session: API, ACS, TCS     control socket ──┼──▶ ashore host …
//	plane   ──▶│    │ orders     ▲ reports                   │
//	           │    ▼            │                           │
//	           │ engine: Step(state, event) → actions        │
//	           │    │ journal (bbolt)                        │
//	           └────┼────────────────────────────────────────┘
//	                ▼ runtime: Docker Engine
//
// The agent may be killed at any moment. Containers outlive it, and the next start adopts
// them.
package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ashore/ashore/internal/agent/cgroup"
	"github.com/ashore/ashore/internal/agent/engine"
	"github.com/ashore/ashore/internal/agent/journal"
	"github.com/ashore/ashore/internal/agent/runtime"
	"github.com/ashore/ashore/internal/agent/runtime/docker"
	"github.com/ashore/ashore/internal/agent/session"
	"github.com/ashore/ashore/internal/pace"
	"github.com/ashore/ashore/internal/version"
)

// Agent is the agent of one host.
type Agent struct{ Config Config }

// Run runs the agent until the context ends; then it returns nil, and containers go on. It
// returns an error at once if it can never work: the settings can't be read, or another
// agent has the journal open.
func (a Agent) Run(ctx context.Context) error {
	w, err := a.prepare(ctx)
	if err == nil && w.session != nil {
		err = w.run(ctx)
	}
	return errors.Join(err, w.close())
}

// components are the parts of an agent, as far as prepare got.
type components struct {
	cfg     *Config // with defaults set
	journal *journal.Journal
	docker  *docker.Docker // nil if the engine is the caller's
	engine  *engine.Engine
	session *session.Session // set last
}

func (w *components) run(ctx context.Context) error {
	if w.cfg.NoSocket {
		return w.session.Run(ctx)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return w.session.Run(ctx) })
	group.Go(func() error { return serveControl(ctx, *w.cfg, w.engine, w.session) })
	return group.Wait()
}

func (w *components) close() (err error) {
	if w.engine != nil {
		w.engine.Close()
	}
	if w.docker != nil {
		w.docker.Close()
	}
	if w.journal != nil {
		err = w.journal.Close()
	}
	return err
}

// prepare creates the components. On an error, or if the context ends, it returns those
// that it has; without a session, the agent does not run. Its large stack is freed when it
// returns.
func (a Agent) prepare(ctx context.Context) (*components, error) {
	cfg := a.Config
	w := &components{cfg: &cfg}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Getenv == nil {
		cfg.Getenv = os.Getenv
	}
	if cfg.Version == "" {
		cfg.Version = "dev"
	}
	if cfg.Credentials == nil {
		cfg.Credentials = FileCredentials(cfg.Dir)
	}
	if cfg.Settings == nil {
		s, err := ReadSettings(cfg.Dir)
		if err != nil {
			return w, err
		}
		cfg.Settings = &s
	}
	if cfg.Settings.InstallationID == "" || cfg.Settings.Server == "" {
		return w, fmt.Errorf("agent: %s lacks server or installationId", SettingsFile)
	}
	opts, err := readOptions(cfg.Getenv)
	if err != nil {
		return w, fmt.Errorf("agent: %w", err)
	}
	if !cfg.NoJournal {
		if w.journal, err = journal.Open(filepath.Join(cfg.Dir, JournalFile), cfg.Log); err != nil {
			return w, err
		}
	}
	rt := cfg.Runtime
	if rt == nil {
		if w.docker, err = docker.New(""); err != nil {
			return w, err
		}
		rt = w.docker
	}
	info, err := waitForRuntime(ctx, runtime.NewBounded(rt, cfg.Limits, nil), cfg.Log)
	if err != nil {
		return w, nil // the context ended while the engine was away
	}
	eng, sess, err := buildComponents(cfg, opts, info, describeHost(cfg, opts, info), rt, w.journal)
	if err != nil {
		return w, err
	}
	w.engine = eng
	if err := a.recoverState(ctx, cfg, w.journal, eng, sess); err != nil {
		if ctx.Err() != nil {
			return w, nil
		}
		return w, err
	}
	w.session = sess
	return w, nil
}

// waitForRuntime waits until the container engine answers.
func waitForRuntime(ctx context.Context, rt runtime.Runtime, log *slog.Logger) (runtime.Info, error) {
	for delay := 100 * time.Millisecond; ; delay = min(2*delay, 10*time.Second) {
		info, err := rt.Info(ctx)
		if err == nil || ctx.Err() != nil {
			return info, ctx.Err()
		}
		log.Warn("container engine does not answer, waiting for it", "err", err)
		if err := pace.Sleep(ctx, delay); err != nil {
			return info, err
		}
	}
}

// describeHost returns what the host offers to tasks.
func describeHost(cfg Config, o options, info runtime.Info) session.Host {
	h := session.Host{
		CPU: int64(info.CPUs) * 1024, Memory: info.Memory>>20 - o.reservedMiB,
		ReservedTCP: o.reservedTCP, ReservedUDP: o.reservedUDP, Architecture: architectureName(info.Architecture),
		LogDrivers: chooseLogDrivers(o, info.LogDrivers), VolumeDrivers: info.VolumeDrivers,
		MachineID: cfg.MachineID, Custom: o.attributes, Tags: o.tags,
	}
	if cfg.CPU > 0 {
		h.CPU = cfg.CPU
	}
	if cfg.Memory > 0 {
		h.Memory = cfg.Memory
	}
	if h.MachineID == "" {
		h.MachineID = machineID(cfg.Dir, cfg.Settings.InstallationID)
	}
	if _, minor, ok := strings.Cut(info.APIVersion, "."); ok {
		h.APIMinor, _ = strconv.Atoi(minor)
	}
	if p, ok := localServerPort(cfg.Settings.Server); ok && !slices.Contains(h.ReservedTCP, p) {
		h.ReservedTCP = append(slices.Clone(h.ReservedTCP), p)
	}
	return h
}

// buildComponents creates the engine and the session.
func buildComponents(cfg Config, o options, info runtime.Info, host session.Host, rt runtime.Runtime, j *journal.Journal) (*engine.Engine, *session.Session, error) {
	var sess *session.Session
	ec := engine.Config{
		Runtime: rt, Journal: j, Log: cfg.Log.With("part", "engine"),
		InstallationID: cfg.Settings.InstallationID, Region: cfg.Settings.Region,
		Total:    engine.Resources{CPU: host.CPU, Memory: host.Memory},
		Reserved: engine.Resources{TCP: host.ReservedTCP, UDP: host.ReservedUDP},
		PortLow:  o.low, PortHigh: o.high, PullBehavior: o.pull, StopTimeout: o.stop, CleanupWait: o.clean, Parallel: cfg.Parallel,
		OnReport: func(arn string) { sess.NotifyReport(arn) }, OnHealth: func(arn string) { sess.NotifyHealth(arn) },
		OnEngine: func() { sess.NotifyHostHealth() }, EngineAway: cfg.EngineAway, Limits: cfg.Limits,
	}
	if info.Engine == "docker" {
		ec.ProbePort = engine.ProbePort
		ec.Boot = readBootID()
		if o.taskLimits && os.Geteuid() == 0 {
			ec.Cgroups = usableCgroups(info)
			host.TaskLimits = ec.Cgroups != nil
		}
	}
	eng := engine.New(ec)
	sess, err := session.New(session.Config{
		Server: cfg.Settings.Server, Others: cfg.Settings.Others, Region: cfg.Settings.Region, Cluster: clusterOrDefault(cfg.Settings.Cluster),
		Credentials: cfg.Credentials, Version: version.Semantic(cfg.Version), EngineName: info.Version, Host: host,
		Engine: eng, Journal: j, Log: cfg.Log.With("part", "session"), MetricsEvery: cfg.MetricsEvery,
		Transport: cfg.Transport, OnConnection: cfg.OnConnection, Boot: readBootID(),
	})
	if err != nil {
		eng.Close()
	}
	return eng, sess, err
}

// readBootID returns an id of this boot of the machine, or "" if it is unknown.
func readBootID() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// usableCgroups returns the cgroups for tasks' own limits, or nil if the engine's
// containers or this process can't use them.
func usableCgroups(info runtime.Info) engine.Cgroups {
	switch c := Cgroups(info).(type) {
	case cgroup.Root:
		if c.IsUsable() {
			return c
		}
	case cgroup.Slices:
		if c.IsUsable() {
			return c
		}
	}
	return nil
}

// Cgroups returns where tasks' own limits are on a host with this engine. It does not
// check that this process may create them. It returns nil if the engine's containers can't
// use them.
func Cgroups(info runtime.Info) engine.Cgroups {
	switch info.CgroupParents {
	case runtime.CgroupPath:
		return cgroup.Root{Mount: "/sys/fs/cgroup", Name: "ecs", Version: info.CgroupVersion}
	case runtime.CgroupSlice:
		return cgroup.Slices{Version: info.CgroupVersion}
	}
	return nil
}

func clusterOrDefault(c string) string {
	if c == "" {
		return "default"
	}
	return c
}

// recoverState recovers the state that an earlier run left, before any new order can
// arrive.
func (a Agent) recoverState(ctx context.Context, cfg Config, j *journal.Journal, eng *engine.Engine, sess *session.Session) error {
	if err := eng.Load(); err != nil {
		return err
	}
	id := sess.Identity()
	if id.InstanceArn == "" && j != nil {
		arn, cluster, err := eng.FindInstance(ctx)
		if err != nil {
			return err
		}
		if arn != "" {
			cfg.Log.Warn("journal was lost; instance found again by its containers' labels", "instance", arn)
			id = session.Identity{InstanceArn: arn, Cluster: cluster}
		}
	}
	if id.InstanceArn != "" {
		if err := sess.RestoreIdentity(id); err != nil {
			return err
		}
	}
	return eng.Run(ctx)
}
