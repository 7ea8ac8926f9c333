package docker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/distribution/reference"
	"github.com/moby/moby/client"

	"github.com/ashore/ashore/internal/agent/runtime"
)

// Image finds an image on the host.
func (d *Docker) Image(ctx context.Context, ref string) (runtime.Image, error) {
	res, err := d.api.ImageInspect(ctx, ref)
	if err != nil {
		return runtime.Image{}, convertError(err)
	}
	img := runtime.Image{ID: res.ID, Digest: chooseDigest(ref, res.RepoDigests)}
	if res.Config != nil {
		img.Env = res.Config.Env
	}
	return img, nil
}

// chooseDigest returns the digest of the image in ref's own repository. If there is none,
// it returns any digest: the image then at least came from a registry.
func chooseDigest(ref string, known []string) string {
	want := ""
	if named, err := reference.ParseNormalizedNamed(ref); err == nil {
		want = named.Name()
	}
	found := ""
	for _, k := range known {
		repo, dg, ok := strings.Cut(k, "@")
		if !ok {
			continue
		}
		if named, err := reference.ParseNormalizedNamed(repo); err == nil && named.Name() == want {
			return dg
		}
		if found == "" {
			found = dg
		}
	}
	return found
}

// Pull pulls an image. The engine reports failures inside the stream.
func (d *Docker) Pull(ctx context.Context, ref string, progress func()) error {
	if _, err := reference.ParseNormalizedNamed(ref); err != nil {
		return &runtime.Error{Kind: runtime.ErrConfig, Err: err}
	}
	res, err := d.api.ImagePull(ctx, ref, client.ImagePullOptions{})
	if err != nil {
		return convertError(err)
	}
	for m, err := range res.JSONMessages(ctx) {
		switch {
		case err != nil && ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			return convertError(err)
		case m.Error != nil:
			return &runtime.Error{Err: m.Error}
		}
		progress()
	}
	return ctx.Err()
}

// Load loads an image archive.
func (d *Docker) Load(ctx context.Context, archive io.Reader) ([]string, error) {
	res, err := d.api.ImageLoad(ctx, archive, client.ImageLoadWithQuiet(true))
	if err != nil {
		return nil, convertError(err)
	}
	defer res.Close()
	data, err := io.ReadAll(res)
	if err != nil {
		return nil, convertError(err)
	}
	var refs []string
	for dec := json.NewDecoder(bytes.NewReader(data)); ; {
		var m struct {
			Stream, Error string
		}
		if err := dec.Decode(&m); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, convertError(fmt.Errorf("docker: load: %w", err))
		}
		if m.Error != "" {
			return nil, &runtime.Error{Err: errors.New(m.Error)}
		}
		if _, ref, ok := strings.Cut(m.Stream, "Loaded image: "); ok {
			refs = append(refs, strings.TrimSpace(ref))
		}
	}
	return refs, nil
}

// RemoveImage removes a reference. If it is the last, it removes the image too.
func (d *Docker) RemoveImage(ctx context.Context, ref string) error {
	_, err := d.api.ImageRemove(ctx, ref, client.ImageRemoveOptions{PruneChildren: true})
	if errdefs.IsNotFound(err) {
		return nil
	}
	return convertError(err)
}
