package fake

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/ashore/ashore/internal/agent/runtime"
)

// CreateVolume creates a volume.
func (f *Fake) CreateVolume(ctx context.Context, v runtime.Volume) error {
	return runHanging(ctx, f, "volume", v.Name, func(ctx context.Context) error { return f.createVolume(ctx, v) })
}

func (f *Fake) createVolume(ctx context.Context, v runtime.Volume) error {
	if err := f.beginCall(ctx, "volume", v.Name, 0); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if v.Driver != "" && v.Driver != "local" {
		return &runtime.Error{Err: fmt.Errorf("Error response from daemon: create %s: error looking up volume plugin %s: plugin %q not found", v.Name, v.Driver, v.Driver)} //nolint:staticcheck // an engine's words
	}
	f.volumes[v.Name] = v
	return nil
}

// VolumeExists reports whether a volume exists.
func (f *Fake) VolumeExists(ctx context.Context, name string) (bool, error) {
	return callHanging(ctx, f, "volumeexists", name, func(ctx context.Context) (bool, error) {
		if err := f.beginCall(ctx, "volumeexists", name, 0); err != nil {
			return false, err
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		_, ok := f.volumes[name]
		return ok, nil
	})
}

// RemoveVolume removes a volume.
func (f *Fake) RemoveVolume(ctx context.Context, name string) error {
	return runHanging(ctx, f, "removevolume", name, func(ctx context.Context) error {
		if err := f.beginCall(ctx, "removevolume", name, 0); err != nil {
			return err
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.volumes, name)
		return nil
	})
}

// Volumes returns the existing volumes, in any order.
func (f *Fake) Volumes() []runtime.Volume {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Collect(maps.Values(f.volumes))
}
