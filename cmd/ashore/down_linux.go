package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	dockerclient "github.com/moby/moby/client"

	"github.com/ashore/ashore/internal/client"
	"github.com/ashore/ashore/internal/dockerhost"
	"github.com/ashore/ashore/internal/local"
	"github.com/ashore/ashore/internal/sample/image"
)

// downCommand stops control plane and agent. Containers outlive both, unless
// they are told to go.
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
		if ok, err := confirmed(ctx, d.Yes); err != nil {
			return err
		} else if !ok {
			t.printf("nothing was removed\n")
			return nil
		}
		if err := stopProcesses(ctx, t, l); err != nil {
			return err
		}
		return p.carryOut(ctx, t)
	}
	if d.Tasks {
		if err := stopHostTasks(ctx, t, l); err != nil {
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

// stopProcesses ends the agent before the server, so that its last reports
// find somebody.
func stopProcesses(ctx context.Context, t *terminal, l local.Layout) error {
	any := false
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

// stopHostTasks stops the tasks of this host through the API, where control
// plane and agent run. Where they don't, removeContainers does what is left,
// and the agent reports it when it starts again.
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
	// A task may have two minutes to stop, and a few of them share the engine.
	ctx, cancel := context.WithTimeoutCause(ctx, 5*time.Minute, errors.New("tasks did not stop within 5 minutes"))
	defer cancel()
	return stopTasks(ctx, api, host.Cluster, arns)
}

// engineContainers finds the installation's containers, running or not.
func engineContainers(ctx context.Context, engine *dockerclient.Client, installation string) ([]container.Summary, error) {
	r, err := engine.ContainerList(ctx, dockerclient.ContainerListOptions{All: true,
		Filters: make(dockerclient.Filters).Add("label", image.LabelInstallation+"="+installation)})
	if err != nil {
		return nil, fmt.Errorf("list containers: %w", err)
	}
	return r.Items, nil
}

func removeContainers(ctx context.Context, t *terminal, l local.Layout) error {
	admin, err := local.ReadAdmin(l)
	if err != nil {
		return err
	}
	engine, _, _, err := dockerhost.Connect(ctx)
	if err != nil {
		return err
	}
	defer engine.Close()
	all, err := engineContainers(ctx, engine, admin.InstallationID)
	if err != nil {
		return err
	}
	return removeAll(ctx, t, engine, all)
}

func removeAll(ctx context.Context, t *terminal, engine *dockerclient.Client, all []container.Summary) error {
	for _, c := range all {
		if c.State == container.StateRunning {
			if _, err := engine.ContainerStop(ctx, c.ID, dockerclient.ContainerStopOptions{}); err != nil && !errdefs.IsNotFound(err) {
				return fmt.Errorf("stop the container %s: %w", containerName(c), err)
			}
		}
		_, err := engine.ContainerRemove(ctx, c.ID, dockerclient.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
		if err != nil && !errdefs.IsNotFound(err) {
			return fmt.Errorf("remove the container %s: %w", containerName(c), err)
		}
	}
	if len(all) > 0 {
		t.printf("removed %d containers\n", len(all))
	}
	return nil
}

func containerName(c container.Summary) string {
	if len(c.Names) > 0 {
		return c.Names[0][1:]
	}
	return c.ID
}
