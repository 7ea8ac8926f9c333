package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	dockerclient "github.com/moby/moby/client"
	"golang.org/x/sys/unix"

	"github.com/ashore/ashore/internal/awsprofile"
	"github.com/ashore/ashore/internal/dockerhost"
	"github.com/ashore/ashore/internal/hint"
	"github.com/ashore/ashore/internal/local"
	"github.com/ashore/ashore/internal/sample/image"
)

// purge holds everything that an installation made, found by its id.
type purge struct {
	layout       local.Layout
	installation string // empty if the server never started
	engine       *dockerclient.Client
	containers   []container.Summary
	images       []image.Image
	volumes      []string
	files        []string // our files below or beside the data folder
	profileFiles awsprofile.Files
	profiles     []string
}

// planPurge finds everything before anything is removed. If the engine does not answer,
// it returns an error while the data that names the containers still exists.
func planPurge(ctx context.Context, l local.Layout, sealKey string) (*purge, error) {
	p := &purge{layout: l}
	admin, err := local.ReadAdmin(l)
	switch _, statErr := os.Stat(l.Admin()); {
	case err == nil:
		p.installation = admin.InstallationID
	case !errors.Is(statErr, fs.ErrNotExist):
		return nil, err
	}
	// Only what we put there: if the wrong folder was named, its other files stay.
	for _, path := range []string{l.Admin(), l.Server(), l.Agent(), filepath.Dir(l.Log("server")), filepath.Dir(l.UpLock())} {
		if _, err := os.Lstat(path); err == nil {
			p.files = append(p.files, path)
		}
	}
	if p.installation == "" {
		return p, nil
	}
	if sealKey == "" {
		sealKey = l.SealKey(p.installation)
	}
	if _, err := os.Lstat(sealKey); err == nil {
		p.files = append(p.files, sealKey)
	}
	if p.engine, _, _, err = dockerhost.Connect(ctx); err != nil {
		return nil, err
	}
	if p.containers, err = engineContainers(ctx, p.engine, p.installation); err != nil {
		return nil, err
	}
	if p.images, err = image.List(ctx, p.engine, p.installation); err != nil {
		return nil, err
	}
	v, err := p.engine.VolumeList(ctx, dockerclient.VolumeListOptions{
		Filters: make(dockerclient.Filters).Add("label", image.LabelInstallation+"="+p.installation)})
	if err != nil {
		return nil, fmt.Errorf("list volumes: %w", err)
	}
	for _, item := range v.Items {
		p.volumes = append(p.volumes, item.Name)
	}
	if p.profileFiles, err = profileFiles(); err != nil {
		return nil, err
	}
	p.profiles, err = awsprofile.Find(p.profileFiles, p.installation)
	return p, err
}

func (p *purge) close() {
	if p.engine != nil {
		p.engine.Close()
	}
}

func (p *purge) list(t *terminal) {
	t.printf("to be removed:\n")
	for _, c := range p.containers {
		t.printf("  container  %s (%s)\n", containerName(c), c.State)
	}
	for _, i := range p.images {
		t.printf("  image      %s\n", strings.Join(i.Names, " "))
	}
	for _, v := range p.volumes {
		t.printf("  volume     %s\n", v)
	}
	for _, f := range p.files {
		t.printf("  files      %s\n", f)
	}
	for _, name := range p.profiles {
		t.printf("  profile    %s in %s and %s\n", strings.TrimPrefix(name, "profile "), p.profileFiles.Config, p.profileFiles.Credentials)
	}
}

// execute removes what planPurge found, and the containers that were made since. It
// removes the data last: the data has the id by which a second run finds the rest after
// an interruption.
func (p *purge) execute(ctx context.Context, t *terminal) error {
	if p.installation != "" {
		all, err := engineContainers(ctx, p.engine, p.installation)
		if err != nil {
			return err
		}
		if err := removeAll(ctx, t, p.engine, all); err != nil {
			return err
		}
		tasks, err := journaledTasks(p.layout)
		if err != nil {
			t.note("note: the agent's journal can't be read, some tasks' cgroups may be left: %v", err)
		}
		removeCgroups(ctx, t, append(tasks, tasksOf(all)...))
		removeEmptyCgroups(ctx, t)
		kept, err := image.Remove(ctx, p.engine, p.installation)
		if err != nil {
			return err
		}
		for _, i := range kept {
			t.note("note: the image %s is kept, a container that is not this installation's runs it", cmp.Or(strings.Join(i.Names, " "), i.ID))
		}
		for _, v := range p.volumes {
			_, err := p.engine.VolumeRemove(ctx, v, dockerclient.VolumeRemoveOptions{})
			if err != nil && !errdefs.IsNotFound(err) {
				return fmt.Errorf("remove the volume %s: %w", v, err)
			}
		}
		if _, err := awsprofile.Remove(p.profileFiles, p.installation); err != nil {
			return err
		}
	}
	for i := len(p.files) - 1; i >= 0; i-- {
		if err := removeFiles(t, p.files[i]); err != nil {
			return hint.With(err, "remove it by hand, then run this again")
		}
	}
	// Remove the folder itself if nothing else is in it.
	switch err := os.Remove(p.layout.Data); {
	case errors.Is(err, unix.EBUSY):
		t.note("note: the folder %s is kept, it is a mount point", p.layout.Data)
	case errors.Is(err, unix.ENOTEMPTY):
		t.note("note: %s is kept, it is not empty", p.layout.Data)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		t.note("note: %s is kept: %v", p.layout.Data, err)
	}
	t.printf("all removed\n")
	return nil
}

// removeFiles removes a file, or a folder with its content. A folder that is a mount
// point stays.
func removeFiles(t *terminal, path string) error {
	err := os.RemoveAll(path)
	if !errors.Is(err, unix.EBUSY) {
		return err
	}
	if left, e := os.ReadDir(path); e != nil || len(left) > 0 {
		return err // a mount point lies below the folder
	}
	t.note("note: the folder %s is kept, it is a mount point", path)
	return nil
}

// confirm asks the user if there is a terminal to ask on.
func confirm(ctx context.Context, yes bool) (bool, error) {
	if _, err := unix.IoctlGetTermios(int(os.Stdin.Fd()), unix.TCGETS); yes || err != nil {
		return true, nil
	}
	fmt.Fprint(os.Stderr, "remove all this? [y/N] ")
	answer := make(chan string, 1)
	go func() { // ends with the answer, or with the process
		line, _ := bufio.NewReader(os.Stdin).ReadString('\n')
		answer <- line
	}()
	select {
	case a := <-answer:
		return strings.EqualFold(strings.TrimSpace(a), "y"), nil
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
}
