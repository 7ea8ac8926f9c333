package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/ashore/ashore/internal/client"
	"github.com/ashore/ashore/internal/hint"
)

// unknownCommand lists, stops or keeps the tasks that hosts have run since a restored
// backup.
type unknownCommand struct {
	dataDir `kong:"embed"`
	Stop    bool `help:"Stop these tasks, and from now on whatever else is not known."`
	Keep    bool `help:"Keep these tasks as they are, and from now on stop whatever else is not known."`
}

func (unknownCommand) Example() string { return "ashore unknown --stop" }

func (u *unknownCommand) Run(ctx context.Context, t *terminal) error {
	if u.Stop && u.Keep {
		return hint.With(errors.New("--stop and --keep can't both be"), "give one of them")
	}
	admin, err := u.admin()
	if err != nil {
		return err
	}
	api := client.New(admin)
	defer api.Close()
	r, err := api.DescribeRestore(ctx)
	if err != nil {
		return err
	}
	u.list(t, r)
	if !u.Stop && !u.Keep {
		return nil
	}
	stopped, err := api.EndRestore(ctx, u.Stop)
	if err != nil {
		return err
	}
	switch {
	case u.Stop:
		t.printf("stopping %d unknown tasks; what is not known is stopped from now on\n", stopped)
	case r.Restored:
		t.printf("they are tasks like all others; what else is not known is stopped from now on\n")
	}
	return nil
}

func (u *unknownCommand) list(t *terminal, r *client.Restore) {
	at := func(x client.Epoch) string { return x.Time().Format(time.DateTime) }
	switch {
	case r.Restored:
		t.printf("the state was restored on %s from a backup of %s\n", at(r.RestoredAt), at(r.BackupAt))
	case r.Unknown == 0:
		t.printf("no task is unknown\n")
		return
	}
	t.printf("unknown tasks: %d\n", r.Unknown)
	for _, x := range r.Tasks {
		status := x.LastStatus
		if x.Stopping {
			status += ", stopping"
		}
		t.printf("  %s  %s  %s, on %s, found %s\n", x.TaskARN, x.TaskDefinition, status, lastPart(x.ContainerInstanceARN), at(x.Since))
	}
	if r.Unknown > len(r.Tasks) {
		t.printf("  and %d more\n", r.Unknown-len(r.Tasks))
	}
	if !r.Restored {
		return
	}
	if r.Away > 0 {
		t.printf("hosts that are not connected: %d; what they run shows when they come\n", r.Away)
	}
	if r.Held > 0 {
		t.printf("tasks of the backup that may have run since, and are not started until this is decided: %d\n", r.Held)
	}
	if !u.Stop && !u.Keep {
		t.printf("they run on until you decide: `ashore unknown --stop` or `ashore unknown --keep`, `aws ecs stop-task` for single ones\n")
	}
}

func lastPart(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }
