package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/ashore/ashore/internal/hint"
	"github.com/ashore/ashore/internal/local"
	"github.com/ashore/ashore/internal/store"
)

// backupCommand saves the state of a running or a stopped server.
type backupCommand struct {
	dataDir   `kong:"embed"`
	etcdFlags `kong:"embed"`
	File      string `arg:"" help:"The file to write; it must not exist."`
}

func (backupCommand) Example() string { return "ashore backup /safe/place/ashore.backup" }

func (b *backupCommand) Run(ctx context.Context, t *terminal) error {
	l, err := b.layout()
	if err != nil {
		return err
	}
	info, err := store.BackupFile(ctx, b.target(l), b.File)
	if err != nil {
		return advise(err)
	}
	t.printf("%s holds %d records of installation %s (account %s, region %s)\n", b.File, info.Records,
		info.Installation.ID, info.Installation.Account, info.Installation.Region)
	t.note("note: secrets in it are sealed, and the key is not in it: keep a copy of %s too, elsewhere", l.SealKey(info.Installation.ID))
	return nil
}

// restoreCommand restores a backup into an empty installation.
type restoreCommand struct {
	dataDir   `kong:"embed"`
	etcdFlags `kong:"embed"`
	File      string `arg:"" help:"What ashore backup wrote."`
}

func (restoreCommand) Example() string {
	return "ashore restore /safe/place/ashore.backup --data-dir ./new"
}

func (r *restoreCommand) Run(ctx context.Context, t *terminal) (err error) {
	l, err := r.layout()
	if err != nil {
		return err
	}
	if err := l.Make(); err != nil {
		return err
	}
	claim, err := local.TakeClaim(ctx, l.PID("server"))
	if errors.Is(err, local.ErrRunning) {
		return hint.With(fmt.Errorf("a server runs on %s", l.Data), "restore into another folder, by --data-dir")
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, claim.Release()) }()
	info, err := store.RestoreFile(ctx, r.target(l), r.File)
	if err != nil {
		return advise(err)
	}
	t.printf("restored %d records of installation %s as of %s; `ashore up` starts it\n", info.Records, info.Installation.ID, info.CreatedAt.Local().Format(time.DateTime))
	t.note("note: tasks that hosts have started since then are not in it. They run on, as unknown ones: `ashore unknown` lists them once the hosts are connected, and stops or keeps them")
	if _, err := os.Stat(l.SealKey(info.Installation.ID)); err != nil {
		t.note("note: its seal key is not in %s: put it there first, or name it by --seal-key", l.SealKey(info.Installation.ID))
	}
	return nil
}
