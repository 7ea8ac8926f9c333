package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
)

// engine measures the lower limit: this program alone creates and starts the same
// container through the engine's API.
type engine struct {
	docker *client.Client
	image  string
	label  string
	next   atomic.Int64
}

// run creates and starts one container and returns its id.
func (e *engine) run(ctx context.Context) (string, error) {
	c, err := e.docker.ContainerCreate(ctx, client.ContainerCreateOptions{
		Name: fmt.Sprintf("%s-floor-%d", e.label, e.next.Add(1)),
		Config: &container.Config{
			Image: e.image, Cmd: []string{"sleep", "3600"},
			Labels: map[string]string{benchLabel: e.label},
		},
		HostConfig: &container.HostConfig{
			NetworkMode: "bridge",
			Resources:   container.Resources{CPUShares: taskCPU, Memory: taskMemory << 20},
		},
	})
	if err != nil {
		return "", err
	}
	_, err = e.docker.ContainerStart(ctx, c.ID, client.ContainerStartOptions{})
	return c.ID, err
}

// single measures the creation and the start of one container.
func (e *engine) single(ctx context.Context) (time.Duration, error) {
	began := time.Now()
	id, err := e.run(ctx)
	took := time.Since(began)
	if id != "" {
		if _, rmErr := e.docker.ContainerRemove(ctx, id, client.ContainerRemoveOptions{Force: true}); err == nil {
			err = rmErr
		}
	}
	return took, err
}

// burst measures the creation and the start of n containers, `parallel` at a time.
func (e *engine) burst(ctx context.Context, n, parallel int) (time.Duration, error) {
	began := time.Now()
	var wg sync.WaitGroup
	var mu sync.Mutex
	var ids []string
	var failed error
	work := make(chan struct{}, n)
	for range n {
		work <- struct{}{}
	}
	close(work)
	for range parallel {
		wg.Go(func() {
			for range work {
				id, err := e.run(ctx)
				mu.Lock()
				if id != "" {
					ids = append(ids, id)
				}
				if err != nil && failed == nil {
					failed = err
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	took := time.Since(began)
	for _, id := range ids {
		if _, err := e.docker.ContainerRemove(ctx, id, client.ContainerRemoveOptions{Force: true}); err != nil && failed == nil {
			failed = err
		}
	}
	return took, failed
}
