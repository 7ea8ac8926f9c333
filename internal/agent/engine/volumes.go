package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ashore/ashore/internal/agent/runtime"
	"github.com/ashore/ashore/internal/wire/acs"
)

// volumes are the volumes that the container engine keeps for a task. A path of
// the host needs nothing, and a shared volume outlives the task.
type volumes struct{ e *Engine }

func (volumes) Name() string { return "volumes" }

func (volumes) Needed(t *acs.Task) bool {
	return slices.ContainsFunc(t.Volumes, func(v acs.Volume) bool { return !isHostPath(&v) })
}

func isHostPath(v *acs.Volume) bool { return v.Host != nil && v.Host.SourcePath != "" }

func isShared(v *acs.Volume) bool { return v.Docker != nil && v.Docker.Scope == "shared" }

// Provide makes them; the engine takes a second creation for the first one.
func (r volumes) Provide(_ context.Context, t *acs.Task) (string, error) {
	for i := range t.Volumes {
		if v := &t.Volumes[i]; !isHostPath(v) {
			if err := r.create(t, v); err != nil {
				return "", err
			}
		}
	}
	return "", nil
}

func (r volumes) create(t *acs.Task, v *acs.Volume) error {
	made := runtime.Volume{Name: mountSource(t, v), Driver: "local", Labels: map[string]string{
		LabelTask: t.Arn, LabelInstallation: r.e.cfg.InstallationID,
	}}
	if d := v.Docker; d != nil {
		if d.Driver != "" {
			made.Driver = d.Driver
		}
		made.Options = d.DriverOpts
		for k, val := range d.Labels {
			if _, ours := made.Labels[k]; !ours {
				made.Labels[k] = val
			}
		}
	}
	if isShared(v) {
		delete(made.Labels, LabelTask) // it outlives the task
		there := false
		err := r.call(func(ctx context.Context) (err error) {
			there, err = r.e.cfg.Runtime.VolumeExists(ctx, v.Name)
			return err
		})
		if err != nil || there {
			return err
		}
		if !v.Docker.Autoprovision {
			return errors.New("volume " + v.Name + " does not exist and autoprovision is off")
		}
	}
	return r.call(func(ctx context.Context) error { return r.e.cfg.Runtime.CreateVolume(ctx, made) })
}

func (r volumes) call(fn func(context.Context) error) error {
	return r.e.callLimited(r.e.cfg.CreateTimeout, createClass, "created", fn)
}

// Restore: an engine keeps a volume as long as a container uses it. For a
// container that is still to be created it is made sure of: the engine would make
// a missing one itself, with its own driver and without options.
func (r volumes) Restore(ctx context.Context, t *acs.Task, _ string, complete bool) (string, error) {
	if complete {
		return "", nil
	}
	return r.Provide(ctx, t)
}

// Apply mounts what a container names.
func (volumes) Apply(t *acs.Task, c *acs.Container, _ string, s *runtime.Spec) *Failure {
	for _, m := range c.MountPoints {
		v := findVolume(t, m.SourceVolume)
		if v == nil {
			return failf(HostConfig, "Invalid volume referenced: %s", m.SourceVolume)
		}
		s.Mounts = append(s.Mounts, runtime.Mount{Source: mountSource(t, v), Target: m.ContainerPath, ReadOnly: m.ReadOnly})
	}
	return nil
}

// Release removes those that are the task's own.
func (r volumes) Release(ctx context.Context, t *acs.Task) error {
	for i := range t.Volumes {
		v := &t.Volumes[i]
		if isHostPath(v) || isShared(v) {
			continue
		}
		if err := r.e.cfg.Runtime.RemoveVolume(ctx, mountSource(t, v)); err != nil {
			return fmt.Errorf("volume %s: %w", v.Name, err)
		}
	}
	return nil
}

func findVolume(t *acs.Task, name string) *acs.Volume {
	for i := range t.Volumes {
		if t.Volumes[i].Name == name {
			return &t.Volumes[i]
		}
	}
	return nil
}

// mountSource is what is mounted for a volume: a path of the host or the engine's
// volume.
func mountSource(t *acs.Task, v *acs.Volume) string {
	switch {
	case isHostPath(v):
		return v.Host.SourcePath
	case isShared(v):
		return v.Name
	default:
		return volumeName(t, v.Name)
	}
}

func volumeName(t *acs.Task, volume string) string {
	return fmt.Sprintf("ecs-%s-%s-%s-%s", t.Family, t.Version, volume, hashSuffix(t, "volume/"+volume))
}
