package main

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/ashore/ashore/internal/agent"
	"github.com/ashore/ashore/internal/agent/cgroup"
	"github.com/ashore/ashore/internal/agent/engine"
	"github.com/ashore/ashore/internal/agent/journal"
	"github.com/ashore/ashore/internal/agent/runtime/docker"
	"github.com/ashore/ashore/internal/local"
	"github.com/ashore/ashore/internal/pace"
)

// cgroupPatience is how long the last process of a container may take to leave its
// cgroup, after the engine has removed the container.
const cgroupPatience = 5 * time.Second

// removeCgroups removes the cgroups of tasks, as the agent would do later. Only root's
// agent makes them. A cgroup that can't be removed is named in a note and is no error.
func removeCgroups(ctx context.Context, t *terminal, tasks []string) {
	if len(tasks) == 0 || os.Geteuid() != 0 {
		return
	}
	groups, err := hostCgroups(ctx)
	if err != nil {
		t.note("note: the tasks' cgroups are kept: %v", err)
		return
	}
	if groups == nil {
		return
	}
	slices.Sort(tasks)
	for _, task := range slices.Compact(tasks) {
		if err := removeCgroup(ctx, groups, task); err != nil {
			t.note("note: a task's cgroup is kept: %v", err)
		}
	}
}

func removeCgroup(ctx context.Context, groups engine.Cgroups, task string) error {
	wait := pace.Backoff{Min: 10 * time.Millisecond, Max: time.Second}
	for end := time.Now().Add(cgroupPatience); ; {
		err := groups.Remove(task)
		if err == nil || time.Now().After(end) || pace.Sleep(ctx, wait.Next()) != nil {
			return err
		}
	}
}

// removeEmptyCgroups removes the folder of the tasks' cgroups if it is empty.
func removeEmptyCgroups(ctx context.Context, t *terminal) {
	if os.Geteuid() != 0 {
		return
	}
	groups, err := hostCgroups(ctx)
	if root, ok := groups.(cgroup.Root); ok {
		err = root.RemoveEmpty()
	}
	if err != nil {
		t.note("note: the folder of the tasks' cgroups is kept: %v", err)
	}
}

// hostCgroups returns the tasks' cgroups of this host, nil if the host has no cgroups.
func hostCgroups(ctx context.Context) (engine.Cgroups, error) {
	d, err := docker.New("")
	if err != nil {
		return nil, err
	}
	defer d.Close()
	ctx, cancel := context.WithTimeout(ctx, engineGrace)
	defer cancel()
	info, err := d.Info(ctx)
	if err != nil {
		return nil, err
	}
	return agent.Cgroups(info), nil
}

// journaledTasks returns the ids of the tasks in the agent's journal. A task has a
// cgroup even if its container could not be created. The agent must not run.
func journaledTasks(l local.Layout) (ids []string, err error) {
	path := filepath.Join(l.Agent(), agent.JournalFile)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	j, err := journal.Open(path, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	err = j.Each(journal.Tasks, func(arn string, _ []byte) error {
		ids = append(ids, engine.TaskOf(map[string]string{engine.LabelTask: arn}))
		return nil
	})
	return ids, errors.Join(err, j.Close())
}
