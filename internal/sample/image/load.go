package image

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"
)

// Name is the image's name in task definitions.
//
// It begins with `localhost`, so that no registry is ever asked for it. For a name such
// as ashore/sample a registry could return a stranger's image.
const Name = "localhost/ashore/sample:latest"

// NameFor returns the image's name for one installation. The installations on one
// engine may have different versions.
func NameFor(installation string) string {
	return "localhost/ashore/sample:i-" + installation[:min(12, len(installation))]
}

// Engine is the part of the engine's API that Load needs.
type Engine interface {
	ImageInspect(ctx context.Context, id string, opts ...client.ImageInspectOption) (client.ImageInspectResult, error)
	ImageLoad(ctx context.Context, r io.Reader, opts ...client.ImageLoadOption) (client.ImageLoadResult, error)
	ImageTag(ctx context.Context, opts client.ImageTagOptions) (client.ImageTagResult, error)
	ImageRemove(ctx context.Context, id string, opts client.ImageRemoveOptions) (client.ImageRemoveResult, error)
}

// Load makes the image from the binary. It loads the image as NameFor(installation),
// and as Name unless another installation's image has that name. If the engine already
// has the image, Load does nothing and loaded is false.
func Load(ctx context.Context, e Engine, binary, installation string) (loaded bool, err error) {
	own := NameFor(installation)
	a, err := plan(binary, installation, own)
	if err != nil {
		return false, fmt.Errorf("make the sample image: %w", err)
	}
	old, err := find(ctx, e, own)
	if err != nil {
		return false, err
	}
	if old.layer != a.layer {
		if err := load(ctx, e, a); err != nil {
			return false, fmt.Errorf("load the sample image: %w", err)
		}
		loaded = true
	}
	common, err := find(ctx, e, Name)
	if err != nil {
		return loaded, err
	}
	if common.id == "" || common.installation == installation && common.layer != a.layer {
		if _, err := e.ImageTag(ctx, client.ImageTagOptions{Source: own, Target: Name}); err != nil {
			return loaded, fmt.Errorf("tag the sample image: %w", err)
		}
	}
	if loaded && old.id != "" {
		// This is the image of an older binary. If a container still uses it, it stays
		// until --purge.
		_, err := e.ImageRemove(ctx, old.id, client.ImageRemoveOptions{PruneChildren: true})
		if err != nil && !errdefs.IsConflict(err) && !errdefs.IsNotFound(err) {
			return loaded, fmt.Errorf("remove the sample image of an older binary: %w", err)
		}
	}
	return loaded, nil
}

type found struct{ id, layer, installation string }

func find(ctx context.Context, e Engine, name string) (found, error) {
	r, err := e.ImageInspect(ctx, name)
	if errdefs.IsNotFound(err) {
		return found{}, nil
	}
	if err != nil {
		return found{}, fmt.Errorf("look for the image %s: %w", name, err)
	}
	f := found{id: r.ID}
	if r.Config != nil {
		f.layer, f.installation = r.Config.Labels[labelLayer], r.Config.Labels[LabelInstallation]
	}
	return f, nil
}

func load(ctx context.Context, e Engine, a *archive) error {
	r, w := io.Pipe()
	written := make(chan error, 1)
	go func() {
		err := a.write(w)
		w.CloseWithError(err)
		written <- err
	}()
	answer, err := e.ImageLoad(ctx, r, client.ImageLoadWithQuiet(true))
	if err == nil {
		err = readAnswer(answer)
		err = errors.Join(err, answer.Close())
	}
	// If the engine stops reading, the writer must not wait for ever. The engine's
	// answer says more than the writer's "closed pipe" then.
	r.Close()
	if werr := <-written; werr != nil && !errors.Is(werr, io.ErrClosedPipe) {
		err = errors.Join(err, werr)
	}
	return err
}

// readAnswer reads the engine's progress. An error in it comes with status 200.
func readAnswer(r io.Reader) error {
	d := json.NewDecoder(r)
	for {
		var m struct {
			Error string `json:"error"`
		}
		if err := d.Decode(&m); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("the engine's answer: %w", err)
		}
		if m.Error != "" {
			return errors.New(m.Error)
		}
	}
}
