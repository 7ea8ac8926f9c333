package image

import (
	"context"
	"fmt"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"
)

// Store is the part of the engine's API that List and Remove need.
type Store interface {
	ImageList(ctx context.Context, opts client.ImageListOptions) (client.ImageListResult, error)
	ImageRemove(ctx context.Context, id string, opts client.ImageRemoveOptions) (client.ImageRemoveResult, error)
}

// Image is an image of the installation.
type Image struct {
	ID    string
	Names []string
	Bytes int64
}

// List finds the installation's images by their label.
func List(ctx context.Context, s Store, installation string) ([]Image, error) {
	r, err := s.ImageList(ctx, client.ImageListOptions{All: true,
		Filters: make(client.Filters).Add("label", LabelInstallation+"="+installation)})
	if err != nil {
		return nil, fmt.Errorf("list images: %w", err)
	}
	var out []Image
	for _, i := range r.Items {
		out = append(out, Image{ID: i.ID, Names: i.RepoTags, Bytes: i.Size})
	}
	return out, nil
}

// Remove removes the installation's images with all their names. It keeps images that a
// container of someone else runs, and returns them as kept.
func Remove(ctx context.Context, s Store, installation string) (kept []Image, err error) {
	images, err := List(ctx, s, installation)
	if err != nil {
		return nil, err
	}
	for _, i := range images {
		// An image with two names can only be removed with Force.
		_, err := s.ImageRemove(ctx, i.ID, client.ImageRemoveOptions{Force: true, PruneChildren: true})
		switch {
		case errdefs.IsConflict(err):
			kept = append(kept, i)
		case err != nil && !errdefs.IsNotFound(err):
			return kept, fmt.Errorf("remove the image %s: %w", i.ID, err)
		}
	}
	return kept, nil
}
