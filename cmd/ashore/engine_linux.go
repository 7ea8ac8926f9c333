package main

import (
	"context"

	"github.com/ashore/ashore/internal/dockerhost"
)

// engineCommand checks whether an engine answers. The set-up script waits for it.
type engineCommand struct{}

func (engineCommand) Example() string { return "ashore engine" }

func (engineCommand) Run(ctx context.Context, t *terminal) error {
	c, version, host, err := dockerhost.Connect(ctx)
	if err != nil {
		return err
	}
	t.printf("Docker Engine %s at %s\n", version, host)
	return c.Close()
}
