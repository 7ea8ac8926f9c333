package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	dockerclient "github.com/moby/moby/client"

	"github.com/ashore/ashore/internal/agent"
	"github.com/ashore/ashore/internal/agent/journal"
	"github.com/ashore/ashore/internal/agent/session"
	"github.com/ashore/ashore/internal/client"
	"github.com/ashore/ashore/internal/dockerhost"
	"github.com/ashore/ashore/internal/hint"
	"github.com/ashore/ashore/internal/local"
	"github.com/ashore/ashore/internal/pace"
	"github.com/ashore/ashore/internal/sample/image"
	"github.com/ashore/ashore/internal/shellenv"
)

// upCommand starts control plane and agent as two processes, so that each can end
// without the other. Then it runs the sample task.
type upCommand struct {
	dataDir     `kong:"embed"`
	serverFlags `kong:"embed"`
	Detach      bool   `short:"d" help:"Return when everything runs, instead of staying until Ctrl-C."`
	Cluster     string `placeholder:"NAME" help:"The cluster that this host registers in at its first start (default: default)."`
	Sample      bool   `default:"true" negatable:"" help:"Run a sample task that answers HTTP."`
}

func (upCommand) Example() string { return "ashore up --detach" }

// These limit how long a start may take. The store may have much to read, and the
// engine may be slow.
const (
	serverLimit = 2 * time.Minute
	agentLimit  = time.Minute
	taskLimit   = time.Minute
	stopGrace   = 15 * time.Second
	lockLimit   = 30 * time.Second
)

func (u *upCommand) Run(ctx context.Context, t *terminal) (err error) {
	begun := time.Now()
	if err := u.check(); err != nil {
		return err
	}
	l, err := u.layout()
	if err != nil {
		return err
	}
	if err := l.Make(); err != nil {
		return hint.With(err, "use a folder that you may write, by --data-dir")
	}
	lock, err := takeUpLock(ctx, l)
	if err != nil {
		return err
	}
	r := &upRun{upCommand: u, terminal: t, layout: l, begun: begun}
	err = r.start(ctx)
	switch {
	case err == nil:
	case r.up && ctx.Err() == nil:
		r.note("control plane and agent run; `%s down%s` stops them", commandName(r.self), r.dirFlag())
	default:
		// Stop what was started, in particular after Ctrl-C.
		err = errors.Join(err, r.undo())
	}
	err = errors.Join(err, lock.Release())
	if err != nil || u.Detach || len(r.started) == 0 {
		return err
	}
	t.printf("\nCtrl-C stops control plane and agent; the containers stay.\n")
	err = r.watchUntilDone(ctx)
	return errors.Join(err, r.undo())
}

// takeUpLock takes the lock that only one of `ashore up`, `ashore down` and the watcher
// may have. The watcher has it only for a short time, so takeUpLock waits for the
// watcher.
func takeUpLock(ctx context.Context, l local.Layout) (*local.Claim, error) {
	wait := time.Now().Add(lockLimit)
	for {
		lock, err := local.TakeClaim(ctx, l.UpLock())
		if err == nil {
			// Write this process's id for error messages of others. The lock holds even
			// if that can't be written.
			if err := lock.WriteProcess(local.Process{}); err != nil && !local.IsUnwritable(err) {
				return nil, errors.Join(err, lock.Release())
			}
			return lock, nil
		}
		if !errors.Is(err, local.ErrRunning) {
			return nil, err
		}
		p, _, _ := local.Running(l.UpLock())
		if watcher, watches, _ := local.Running(l.PID("watch")); !watches || p.PID != 0 && p.PID != watcher.PID || time.Now().After(wait) {
			return nil, hint.With(fmt.Errorf("another `ashore up` or `ashore down` is at work on %s (process %d)", l.Data, p.PID), "wait for it, and try again")
		}
		if err := pace.Sleep(ctx, pace.About(20*time.Millisecond)); err != nil {
			return nil, err
		}
	}
}

// upRun is one run of `ashore up`.
type upRun struct {
	*upCommand
	*terminal
	layout   local.Layout
	begun    time.Time
	self     string   // path of our own binary
	started  []string // the processes that this run has started, in order
	samples  []string // ARNs of the tasks that this run has started
	up       bool     // control plane and agent run
	agentEnv []string

	admin  local.Admin
	host   agent.State
	engine *dockerclient.Client
}

func (r *upRun) start(ctx context.Context) error {
	var err error
	if r.self, err = os.Executable(); err != nil {
		return err
	}
	engine, version, host, err := dockerhost.Connect(ctx)
	if err != nil {
		return err
	}
	defer engine.Close()
	r.engine = engine
	r.printf("engine         Docker Engine %s at %s\n", version, host)

	if err := r.checkJournal(); err != nil {
		return err
	}
	server, note, err := r.startProcess(ctx, serverStart(r.layout, r.self, r.serverFlags))
	if err != nil {
		return err
	}
	if r.admin, err = local.ReadAdmin(r.layout); err != nil {
		return err
	}
	r.printf("control plane  %s, process %d, %s\n", server.Endpoint, server.PID, note)
	if err := r.checkServer(); err != nil {
		return err
	}

	api := client.New(r.admin)
	defer api.Close()
	if err := r.writeAgentFiles(ctx, api); err != nil {
		return err
	}
	// The engine loads the image while the agent registers.
	loaded := make(chan error, 1)
	loadCtx, stopLoading := context.WithCancel(ctx)
	defer stopLoading()
	go func() { loaded <- r.loadImage(loadCtx) }()

	r.agentEnv = []string{"DOCKER_HOST=" + host}
	start := agentStart(r.layout, r.self, r.agentEnv)
	start.Unready = server.Unable != "" // the agent's connection would be a change, too
	process, note, err := r.startProcess(ctx, start)
	if err != nil {
		stopLoading()
		<-loaded
		return err
	}
	if start.Unready {
		return errors.Join(<-loaded, r.finishUnable(ctx, server, process))
	}
	if r.host, err = agentState(ctx, r.layout); err != nil {
		stopLoading()
		<-loaded
		return err
	}
	r.printf("agent          cluster %s, process %d, %s\n", r.host.Cluster, process.PID, note)
	if r.host.Cluster != r.Cluster && r.Cluster != "" {
		r.note("note: this host is registered in %s; `%s host move%s --cluster %s` moves it", r.host.Cluster, commandName(r.self), r.dirFlag(), shellenv.Word(r.Cluster))
	}
	if err := <-loaded; err != nil {
		return err
	}
	if err := r.startWatcher(ctx); err != nil {
		return err
	}
	r.up = true
	if r.Sample {
		if err := r.runSample(ctx, api); err != nil {
			return err
		}
	}
	r.printNext()
	return nil
}

// checkJournal refuses an agent's journal that a newer version wrote, before anything
// is started: the agent would refuse it after the server has begun to write.
func (r *upRun) checkJournal() error {
	if _, running, err := local.Running(r.layout.PID("agent")); err != nil || running {
		return err
	}
	return journal.CheckFormat(filepath.Join(r.layout.Agent(), agent.JournalFile))
}

// finishUnable ends a start whose control plane accepts no changes. The control plane
// answers reads, and the agent connects later.
func (r *upRun) finishUnable(ctx context.Context, server, agent local.Process) error {
	r.printf("agent          process %d, not connected yet\n", agent.PID)
	if err := r.startWatcher(ctx); err != nil {
		return err
	}
	r.up = true
	r.note("warning: %s", server.Unable)
	return nil
}

// startWatcher starts a process that watches over server and agent, if this process
// does not stay.
func (r *upRun) startWatcher(ctx context.Context) error {
	if !r.Detach {
		return nil
	}
	if _, watches, err := local.Running(r.layout.PID("watch")); err != nil || watches {
		return err
	}
	p, err := local.Spawn(ctx, r.layout, local.Start{
		Process: "watch", Binary: r.self, Limit: watchLimit, Env: r.agentEnv,
		Args: append([]string{"supervise", "--data-dir", r.layout.Data}, r.serverFlags.args()...),
	})
	if err != nil {
		return err
	}
	r.started = append(r.started, "watch")
	r.printf("watch          process %d starts either again, should it end\n", p.PID)
	return nil
}

// startProcess starts a process unless it runs. note says which was the case.
func (r *upRun) startProcess(ctx context.Context, s local.Start) (p local.Process, note string, err error) {
	p, running, err := local.Running(r.layout.PID(s.Process))
	if err != nil {
		return p, "", err
	}
	if running && (p.Ready || s.Unready) {
		return p, "already runs", nil
	}
	if running {
		// Another command has started it, and it is not ready. Wait for it.
		p, err := local.AwaitReady(ctx, r.layout.PID(s.Process), s.Limit)
		return p, "already runs", err
	}
	begun := time.Now()
	if p, err = local.Spawn(ctx, r.layout, s); err != nil {
		return p, "", err
	}
	r.started = append(r.started, s.Process)
	return p, "ready in " + seconds(time.Since(begun)), nil
}

// checkServer compares this run's flags with the running control plane, which an
// earlier run may have started with other flags.
func (r *upRun) checkServer() error {
	is, want := r.admin, cmp.Or(r.Account, r.admin.Account)
	if region := cmp.Or(r.Region, is.Region); want != is.Account || region != is.Region {
		return hint.With(fmt.Errorf("the installation in %s is account %s in %s, and can't become account %s in %s: an installation's account and region are set at its first start",
			r.layout.Data, is.Account, is.Region, want, region),
			"leave out --account and --region, or make another installation by --data-dir and --listen")
	}
	if r.Listen != "" && is.Endpoint != "http://"+r.Listen {
		r.note("note: it listens where it was told at its start, not on %s; `%s down%s` and up again moves it", r.Listen, commandName(r.self), r.dirFlag())
	}
	return nil
}

func (r *upRun) loadImage(ctx context.Context) error {
	_, err := image.Load(ctx, r.engine, r.self, r.admin.InstallationID)
	return err
}

// writeAgentFiles writes the agent's configuration: its credentials, which are created
// once, and the server's endpoint.
func (r *upRun) writeAgentFiles(ctx context.Context, api *client.Client) error {
	// After its registration the agent owns its cluster: `ashore host move` changes it.
	settings, err := agent.ReadSettings(r.layout.Agent())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		settings = agent.Settings{Cluster: "default"}
		if r.Cluster != "" {
			settings.Cluster = r.Cluster
		}
		if _, err := api.ECS.CreateCluster(ctx, &ecs.CreateClusterInput{ClusterName: &settings.Cluster}); err != nil {
			return err
		}
	case err != nil:
		return err
	case settings.InstallationID != r.admin.InstallationID:
		return hint.With(fmt.Errorf("the agent in %s belongs to another installation, %s", r.layout.Agent(), settings.InstallationID),
			"move that folder away, or bring that installation's server folder back")
	}
	_, err = os.Stat(r.layout.AgentCredentials())
	if errors.Is(err, fs.ErrNotExist) {
		name, err := os.Hostname()
		if err != nil {
			return err
		}
		k, err := api.CreateHostCredentials(ctx, hostName(name), client.HostTerms{Cluster: settings.Cluster})
		if err != nil {
			return err
		}
		if err := writeJSON(r.layout.AgentCredentials(), session.Credentials{AccessKeyID: k.AccessKeyID, SecretAccessKey: k.SecretAccessKey}); err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	settings.Server, settings.InstallationID = r.admin.Endpoint, r.admin.InstallationID
	settings.Region, settings.Account = r.admin.Region, r.admin.Account
	return settings.Write(r.layout.Agent())
}

// hostName converts a name to a valid name of a principal.
func hostName(name string) string {
	name = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(name))
	if name == "" {
		return "host"
	}
	return name[:min(len(name), 255)]
}

func writeJSON(path string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return local.WriteSecret(path, append(b, '\n'))
}

// undo stops what this run has started, tasks first. It has a timeout of its own,
// because the command's context may have ended.
func (r *upRun) undo() error {
	if len(r.started) == 0 && len(r.samples) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var errs []error
	if len(r.samples) > 0 && r.admin.Endpoint != "" {
		api := client.New(r.admin)
		defer api.Close()
		errs = append(errs, stopTasks(ctx, api, r.host.Cluster, r.samples, func(int) {}))
	}
	for i := len(r.started) - 1; i >= 0; i-- {
		stopped, err := local.Stop(ctx, r.layout.PID(r.started[i]), stopGrace)
		errs = append(errs, err)
		if stopped {
			r.note("stopped the %s again", r.started[i])
		}
	}
	r.started, r.samples = nil, nil
	return errors.Join(errs...)
}

// watchUntilDone watches over server and agent until ctx ends. If a watcher already
// does so, it only waits.
func (r *upRun) watchUntilDone(ctx context.Context) error {
	r.samples = nil // containers stay
	if _, watches, err := local.Running(r.layout.PID("watch")); err != nil || watches {
		<-ctx.Done()
		return err
	}
	return watch(ctx, local.Watch{
		Layout: r.layout, Log: slog.New(slog.NewTextHandler(r.err, nil)),
		Starts: []local.Start{serverStart(r.layout, r.self, r.serverFlags), agentStart(r.layout, r.self, r.agentEnv)},
	})
}

func (r *upRun) printNext() {
	cmd, flag := commandName(r.self), r.dirFlag()
	r.printf("\nnext:\n")
	r.printf("  eval \"$(%s env%s)\"\n", cmd, flag)
	cluster := ""
	if r.host.Cluster != "default" {
		cluster = " --cluster " + shellenv.Word(r.host.Cluster)
	}
	r.printf("  aws ecs list-tasks%s\n", cluster)
	r.printf("  aws ecs describe-container-instances%s --container-instances %s\n", cluster, shellenv.Word(lastPart(r.host.InstanceArn)))
	r.printf("  %s down%s\n", cmd, flag)
}

// dirFlag returns the flag that other commands need for this installation, "" if they
// need none.
func (r *upRun) dirFlag() string {
	if r.DataDir == "" || os.Getenv("ASHORE_DATA_DIR") == r.DataDir {
		return ""
	}
	return " --data-dir " + shellenv.Word(r.DataDir)
}

// commandName returns a shell word that runs this program: its name if PATH finds it,
// else its shortest path.
func commandName(self string) string {
	if found, err := exec.LookPath("ashore"); err == nil {
		if real, err := filepath.EvalSymlinks(found); err == nil && real == self {
			return "ashore"
		}
	}
	if wd, err := os.Getwd(); err == nil {
		if rel, err := filepath.Rel(wd, self); err == nil && !strings.HasPrefix(rel, "..") {
			return shellenv.Word("./" + rel)
		}
	}
	return shellenv.Word(self)
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }
