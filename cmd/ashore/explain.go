package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/ashore/ashore/internal/client"
	"github.com/ashore/ashore/internal/hint"
)

type explainCommand struct {
	dataDir `kong:"embed"`
	Cluster string `placeholder:"NAME" help:"The cluster it is in. Default: default, or the one that an ARN names."`
	What    string `arg:"" name:"task-or-service" help:"A task's id, a service's name, a task definition (family:revision), or the ARN of one of them."`
}

func (explainCommand) Help() string {
	return "Says why a task is PENDING or has stopped, what keeps a service from its desired count, or whether there is room for a task of a definition: the resource that is missing, who holds it, and what would help."
}

func (explainCommand) Example() string {
	return "ashore explain web"
}

func (e *explainCommand) Run(ctx context.Context, t *terminal) error {
	a, err := e.admin()
	if err != nil {
		return err
	}
	c := client.New(a)
	defer c.Close()
	out, err := c.Explain(ctx, e.Cluster, e.What)
	if refused := (*client.Error)(nil); errors.As(err, &refused) {
		return hint.With(errors.New(refused.Message), "see what there is by `aws ecs list-tasks`, `aws ecs list-services` and `aws ecs list-task-definitions`; --cluster names another cluster than default")
	}
	if err != nil {
		return hint.With(fmt.Errorf("explain %s: %w", e.What, err), "is the control plane running? start it by `ashore up --detach`")
	}
	for _, line := range out.Lines() {
		t.printf("%s\n", line)
	}
	return nil
}
