package fake

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"time"

	"github.com/distribution/reference"

	"github.com/ashore/ashore/internal/agent/runtime"
	"github.com/ashore/ashore/internal/pace"
)

// Image finds an image on the host.
func (f *Fake) Image(ctx context.Context, ref string) (runtime.Image, error) {
	return callHanging(ctx, f, "image", ref, func(ctx context.Context) (runtime.Image, error) { return f.image(ctx, ref) })
}

func (f *Fake) image(ctx context.Context, ref string) (runtime.Image, error) {
	if err := f.beginCall(ctx, "image", ref, 0); err != nil {
		return runtime.Image{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.cfg.Images == nil {
		return runtime.Image{ID: "sha256:" + ref}, nil
	}
	if img, ok := f.cfg.Images[ref]; ok {
		return img, nil
	}
	return runtime.Image{}, notFound("image", ref)
}

// pullStep is the time between two progress calls of a pull.
const pullStep = time.Minute

// Pull pulls an image from Registry.
func (f *Fake) Pull(ctx context.Context, ref string, progress func()) error {
	return runHanging(ctx, f, "pull", ref, func(ctx context.Context) error { return f.pull(ctx, ref, progress) })
}

func (f *Fake) pull(ctx context.Context, ref string, progress func()) error {
	if _, err := reference.ParseNormalizedNamed(ref); err != nil {
		return &runtime.Error{Kind: runtime.ErrConfig, Err: err}
	}
	f.mu.Lock()
	down, delay := f.cfg.RegistryDown, f.cfg.PullDelay
	f.mu.Unlock()
	if down {
		<-ctx.Done()
		return ctx.Err()
	}
	for ; delay > pullStep; delay -= pullStep {
		if err := pace.Sleep(ctx, pullStep); err != nil {
			return err
		}
		progress()
	}
	if err := f.beginCall(ctx, "pull", ref, delay); err != nil {
		return err
	}
	progress()
	f.mu.Lock()
	defer f.mu.Unlock()
	img, ok := f.cfg.Registry[ref]
	if !ok {
		return &runtime.Error{Err: fmt.Errorf("manifest for %s not found: manifest unknown", ref)}
	}
	if f.cfg.Images != nil {
		f.cfg.Images[ref] = img
	}
	return nil
}

// Load accepts any archive as one image, named by its content.
func (f *Fake) Load(ctx context.Context, archive io.Reader) ([]string, error) {
	return callHanging(ctx, f, "load", "", func(ctx context.Context) ([]string, error) { return f.load(ctx, archive) })
}

func (f *Fake) load(ctx context.Context, archive io.Reader) ([]string, error) {
	data, err := io.ReadAll(archive)
	if err != nil {
		return nil, err
	}
	ref := "loaded-" + hex.EncodeToString(data[:min(6, len(data))]) + ":latest"
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.cfg.Images != nil {
		f.cfg.Images[ref] = runtime.Image{ID: "sha256:" + ref}
	}
	return []string{ref}, ctx.Err()
}

// RemoveImage removes an image.
func (f *Fake) RemoveImage(ctx context.Context, ref string) error {
	return runHanging(ctx, f, "removeimage", ref, func(ctx context.Context) error {
		if err := f.beginCall(ctx, "removeimage", ref, 0); err != nil {
			return err
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.cfg.Images, ref)
		return nil
	})
}
