package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ashore/ashore/internal/agent/runtime"
	"github.com/ashore/ashore/internal/wire/acs"
)

// volumes is the Resource for the volumes that the runtime stores for a task. A host path
// needs nothing. A shared volume outlives the task.
type volumes struct{ e *Engine }

func (volumes) Name() string { return "volumes" }

func (volumes) Needed(t *acs.Task) bool {
	return slices.ContainsFunc(t.Volumes, func(v acs.Volume) bool { return !isHostPath(&v) })
}

func isHostPath(v *acs.Volume) bool { return v.Host != nil && v.Host.SourcePath != "" }

func isShared(v *acs.Volume) bool { return v.Docker != nil && v.Docker.Scope == "shared" }

// Provide creates the volumes. If a volume exists, the runtime accepts its creation as
// well.
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
	volume := runtime.Volume{Name: mountSource(t, v), Driver: "local", Labels: map[string]string{
		LabelTask: t.Arn, LabelInstallation: r.e.cfg.InstallationID,
	}}
	if d := v.Docker; d != nil {
		if d.Driver != "" {
			volume.Driver = d.Driver
		}
		volume.Options = d.DriverOpts
		for k, val := range d.Labels {
			if _, ours := volume.Labels[k]; !ours {
				volume.Labels[k] = val
			}
		}
	}
	if isShared(v) {
		delete(volume.Labels, LabelTask) // it outlives the task
		exists := false
		err := r.call(func(ctx context.Context) (err error) {
			exists, err = r.e.cfg.Runtime.VolumeExists(ctx, v.Name)
			return err
		})
		if err != nil || exists {
			return err
		}
		if !v.Docker.Autoprovision {
			return errors.New("volume " + v.Name + " does not exist and autoprovision is off")
		}
	}
	return r.call(func(ctx context.Context) error { return r.e.cfg.Runtime.CreateVolume(ctx, volume) })
}

func (r volumes) call(fn func(context.Context) error) error {
	return r.e.callLimited(r.e.cfg.CreateTimeout, createClass, "created", fn)
}

// Restore creates missing volumes, unless all containers exist. A runtime never removes a
// volume that a container uses. If a volume were missing at a create, the runtime would
// create it with its default driver and without options.
func (r volumes) Restore(ctx context.Context, t *acs.Task, _ string, complete bool) (string, error) {
	if complete {
		return "", nil
	}
	return r.Provide(ctx, t)
}

// Apply adds the mounts of a container.
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

// Release removes the task's own volumes.
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

// mountSource returns what is mounted for a volume: a host path, or the name of the
// runtime's volume.
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
