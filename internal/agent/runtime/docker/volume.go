package docker

import (
	"context"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"

	"github.com/ashore/ashore/internal/agent/runtime"
)

// CreateVolume creates a named volume. An existing one stays unchanged.
func (d *Docker) CreateVolume(ctx context.Context, v runtime.Volume) error {
	_, err := d.api.VolumeCreate(ctx, client.VolumeCreateOptions{Name: v.Name, Driver: v.Driver, DriverOpts: v.Options, Labels: v.Labels})
	return convertError(err)
}

// VolumeExists reports whether a volume exists.
func (d *Docker) VolumeExists(ctx context.Context, name string) (bool, error) {
	_, err := d.api.VolumeInspect(ctx, name, client.VolumeInspectOptions{})
	if errdefs.IsNotFound(err) {
		return false, nil
	}
	return err == nil, convertError(err)
}

// RemoveVolume removes a volume.
func (d *Docker) RemoveVolume(ctx context.Context, name string) error {
	_, err := d.api.VolumeRemove(ctx, name, client.VolumeRemoveOptions{})
	if errdefs.IsNotFound(err) {
		return nil
	}
	return convertError(err)
}
