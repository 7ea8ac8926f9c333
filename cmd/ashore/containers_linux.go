package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	dockerclient "github.com/moby/moby/client"

	"github.com/ashore/ashore/internal/agent/engine"
	"github.com/ashore/ashore/internal/dockerhost"
	"github.com/ashore/ashore/internal/local"
	"github.com/ashore/ashore/internal/sample/image"
)

// engineContainers lists the installation's containers, running or not.
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
	if err := removeAll(ctx, t, engine, all); err != nil {
		return err
	}
	removeCgroups(ctx, t, tasksOf(all))
	return nil
}

const (
	// parallelStops bounds how many containers are being stopped at once. A stop waits
	// for the container's program, not for the engine. parallelRemovals bounds the
	// removals, which are the engine's work.
	parallelStops    = 32
	parallelRemovals = 8
	progressEvery    = 2 * time.Second
	// engineGrace is how long a stop may take beyond the container's own timeout, and
	// how long a removal may take.
	engineGrace = time.Minute
)

// removal stops and removes containers. Its fields are constant, except for removed.
type removal struct {
	engine        *dockerclient.Client
	stops, places chan struct{} // slots for stops and removals
	removed       atomic.Int64  // number of containers removed so far
}

// removeAll stops and removes containers. A container is stopped within its own
// timeout, after the containers of its task that depend on it. removeAll goes on after
// an error and returns all errors.
func removeAll(ctx context.Context, t *terminal, engine *dockerclient.Client, all []container.Summary) error {
	if len(all) == 0 {
		return nil
	}
	d := &removal{engine: engine, stops: make(chan struct{}, parallelStops), places: make(chan struct{}, parallelRemovals)}
	ticker := time.NewTicker(progressEvery)
	defer ticker.Stop()
	stopProgress := d.report(t, len(all), ticker.C)
	var wg sync.WaitGroup
	groups := byTask(all)
	errs := make([]error, len(groups))
	for i, group := range groups {
		wg.Go(func() { errs[i] = d.remove(ctx, group) })
	}
	wg.Wait()
	stopProgress()
	t.printf("removed %d containers\n", d.removed.Load())
	return errors.Join(errs...)
}

// report prints the progress at each tick, until its result is called.
func (d *removal) report(t *terminal, all int, ticks <-chan time.Time) (stop func()) {
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-ticks:
				t.printf("  %d of %d containers are removed, %d are being stopped\n", d.removed.Load(), all, len(d.stops))
			case <-done:
				return
			}
		}
	})
	return func() {
		close(done)
		wg.Wait()
	}
}

// byTask groups containers by task. A container without a task is a group of its own.
func byTask(all []container.Summary) [][]container.Summary {
	var groups [][]container.Summary
	index := map[string]int{}
	for _, c := range all {
		task := engine.TaskOf(c.Labels)
		i, known := index[task]
		if !known || task == "" {
			i = len(groups)
			index[task] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], c)
	}
	return groups
}

// tasksOf returns the ids of the containers' tasks.
func tasksOf(all []container.Summary) []string {
	var ids []string
	for _, group := range byTask(all) {
		if id := engine.TaskOf(group[0].Labels); id != "" {
			ids = append(ids, id)
		}
	}
	return ids
}

// remove stops and removes a task's containers, dependents first.
func (d *removal) remove(ctx context.Context, left []container.Summary) error {
	for len(left) > 0 {
		now, later := dependents(left)
		var wg sync.WaitGroup
		errs := make([]error, len(now))
		for i, c := range now {
			wg.Go(func() { errs[i] = d.removeOne(ctx, c) })
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			return err
		}
		left = later
	}
	return nil
}

// dependents divides the containers of a task into those on which no other one depends,
// and the rest. In a circle of dependencies it returns all of them as now. No task that
// has run has such a circle.
func dependents(all []container.Summary) (now, later []container.Summary) {
	needed := map[string]bool{}
	for _, c := range all {
		for _, name := range engine.DependsOn(c.Labels) {
			needed[name] = true
		}
	}
	for _, c := range all {
		if needed[c.Labels[engine.LabelContainer]] {
			later = append(later, c)
		} else {
			now = append(now, c)
		}
	}
	if len(now) == 0 {
		return all, nil
	}
	return now, later
}

func (d *removal) removeOne(ctx context.Context, c container.Summary) error {
	if c.State == container.StateRunning {
		if err := d.stop(ctx, c); err != nil && !errdefs.IsNotFound(err) {
			return fmt.Errorf("stop the container %s: %w", containerName(c), err)
		}
	}
	if err := acquire(ctx, d.places); err != nil {
		return err
	}
	defer func() { <-d.places }()
	ctx, cancel := context.WithTimeout(ctx, engineGrace)
	defer cancel()
	_, err := d.engine.ContainerRemove(ctx, c.ID, dockerclient.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
	if err != nil && !errdefs.IsNotFound(err) {
		return fmt.Errorf("remove the container %s: %w", containerName(c), err)
	}
	d.removed.Add(1)
	return nil
}

// stop stops a container. The container's timeout comes from its settings at the
// engine, or else from its labels.
func (d *removal) stop(ctx context.Context, c container.Summary) error {
	if err := acquire(ctx, d.stops); err != nil {
		return err
	}
	defer func() { <-d.stops }()
	timeout, err := d.stopTimeout(ctx, c)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout+engineGrace)
	defer cancel()
	seconds := int(math.Ceil(timeout.Seconds()))
	_, err = d.engine.ContainerStop(ctx, c.ID, dockerclient.ContainerStopOptions{Timeout: &seconds})
	return err
}

func (d *removal) stopTimeout(ctx context.Context, c container.Summary) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, engineGrace)
	defer cancel()
	is, err := d.engine.ContainerInspect(ctx, c.ID, dockerclient.ContainerInspectOptions{})
	if err != nil {
		return 0, err
	}
	if cfg := is.Container.Config; cfg != nil && cfg.StopTimeout != nil && *cfg.StopTimeout >= 0 {
		return time.Duration(*cfg.StopTimeout) * time.Second, nil
	}
	return engine.StopTimeout(c.Labels), nil
}

// acquire takes a slot and waits for one if none is free.
func acquire(ctx context.Context, slots chan struct{}) error {
	select {
	case slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func containerName(c container.Summary) string {
	if len(c.Names) > 0 {
		return c.Names[0][1:]
	}
	return c.ID
}
