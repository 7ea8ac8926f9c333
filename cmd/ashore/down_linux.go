package main

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/ashore/ashore/internal/client"
	"github.com/ashore/ashore/internal/local"
)

// downCommand stops control plane and agent. Containers run on unless a flag says
// otherwise.
type downCommand struct {
	dataDir `kong:"embed"`
	Tasks   bool   `help:"Stop this host's tasks too, and remove their containers."`
	Purge   bool   `help:"List, then remove all that the installation made: containers, images, data, seal key, profile."`
	Yes     bool   `short:"y" help:"Don't ask before --purge removes."`
	SealKey string `env:"ASHORE_SEAL_KEY" placeholder:"FILE" help:"The file of the seal key, where up was given one."`
}

func (downCommand) Example() string { return "ashore down --tasks" }

func (d *downCommand) Run(ctx context.Context, t *terminal) error {
	l, err := d.layout()
	if err != nil {
		return err
	}
	if _, err := os.Stat(l.Data); errors.Is(err, os.ErrNotExist) {
		t.printf("nothing runs: there is no installation in %s\n", l.Data)
		return nil
	}
	// Stop the watcher first, because it may start a stopped process again.
	if _, err := local.Stop(ctx, l.PID("watch"), stopGrace); err != nil {
		return err
	}
	lock, err := takeUpLock(ctx, l)
	if err != nil {
		return err
	}
	err = d.down(ctx, t, l)
	return errors.Join(err, lock.Release())
}

func (d *downCommand) down(ctx context.Context, t *terminal, l local.Layout) error {
	if d.Purge {
		p, err := planPurge(ctx, l, d.SealKey)
		if err != nil {
			return err
		}
		defer p.close()
		p.list(t)
		if ok, err := confirm(ctx, d.Yes); err != nil {
			return err
		} else if !ok {
			t.printf("nothing was removed\n")
			return nil
		}
		if err := stopProcesses(ctx, t, l); err != nil {
			return err
		}
		return p.execute(ctx, t)
	}
	if d.Tasks {
		err := stopHostTasks(ctx, t, l)
		var unable *types.ServerException
		if errors.As(err, &unable) {
			// removeContainers stops them, and the agent reports it later.
			t.note("note: the control plane does not stop its tasks: %s", unable.ErrorMessage())
			err = nil
		}
		if err != nil {
			return err
		}
	}
	if err := stopProcesses(ctx, t, l); err != nil {
		return err
	}
	if d.Tasks {
		return removeContainers(ctx, t, l)
	}
	return nil
}

// stopProcesses stops the agent before the server, so that the server receives the
// agent's last reports. Before both it stops a watcher that was started meanwhile.
func stopProcesses(ctx context.Context, t *terminal, l local.Layout) error {
	any := false
	if _, err := local.Stop(ctx, l.PID("watch"), stopGrace); err != nil {
		return err
	}
	for _, name := range []string{"agent", "server"} {
		stopped, err := local.Stop(ctx, l.PID(name), stopGrace)
		if err != nil {
			return err
		}
		if stopped {
			any = true
			t.printf("stopped the %s\n", name)
		}
	}
	if !any {
		t.printf("neither control plane nor agent runs\n")
	}
	return nil
}

// stopHostTasks stops the tasks of this host through the API, if control plane and
// agent run. If they don't, removeContainers removes the containers, and the agent
// reports that at its next start.
func stopHostTasks(ctx context.Context, t *terminal, l local.Layout) error {
	_, server, err := local.Running(l.PID("server"))
	if err != nil {
		return err
	}
	_, running, err := local.Running(l.PID("agent"))
	if err != nil || !server || !running {
		return err
	}
	host, err := agentState(ctx, l)
	if err != nil || host.InstanceArn == "" {
		return err
	}
	admin, err := local.ReadAdmin(l)
	if err != nil {
		return err
	}
	api := client.New(admin)
	defer api.Close()
	var arns []string
	pages := ecs.NewListTasksPaginator(api.ECS, &ecs.ListTasksInput{Cluster: &host.Cluster,
		ContainerInstance: &host.InstanceArn, DesiredStatus: types.DesiredStatusRunning})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		arns = append(arns, page.TaskArns...)
	}
	if len(arns) == 0 {
		return nil
	}
	t.printf("stopping %d tasks\n", len(arns))
	// A task may need two minutes to stop, and many tasks share the engine.
	ctx, cancel := context.WithTimeoutCause(ctx, 5*time.Minute, errors.New("tasks did not stop within 5 minutes"))
	defer cancel()
	return stopTasks(ctx, api, host.Cluster, arns, func(stopped int) { t.printf("  %d of %d have stopped\n", stopped, len(arns)) })
}
