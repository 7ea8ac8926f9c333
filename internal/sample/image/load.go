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

// Name is the image as people write it in a task definition.
//
// It carries `localhost`, so that no registry is ever asked for it: under a
// name such as ashore/sample a stranger's image could answer.
const Name = "localhost/ashore/sample:latest"

// NameFor is the name that only this installation uses: the installations on
// one engine can be of different versions.
func NameFor(installation string) string {
	return "localhost/ashore/sample:i-" + installation[:min(12, len(installation))]
}

// Engine is what loading needs of the engine's API.
type Engine interface {
	ImageInspect(ctx context.Context, id string, opts ...client.ImageInspectOption) (client.ImageInspectResult, error)
	ImageLoad(ctx context.Context, r io.Reader, opts ...client.ImageLoadOption) (client.ImageLoadResult, error)
	ImageTag(ctx context.Context, opts client.ImageTagOptions) (client.ImageTagResult, error)
	ImageRemove(ctx context.Context, id string, opts client.ImageRemoveOptions) (client.ImageRemoveResult, error)
}

// Load makes the image of the binary and loads it under NameFor(installation),
// and under Name unless another installation's image has it. An engine that has
// the same image already is left as it is; loaded says which.
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
		// The image of the binary before. One that a container still uses
		// stays, and goes with --purge.
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
	// An engine that stopped reading must not leave the writer waiting; its own
	// answer says more than the writer's "closed pipe" then.
	r.Close()
	if werr := <-written; werr != nil && !errors.Is(werr, io.ErrClosedPipe) {
		err = errors.Join(err, werr)
	}
	return err
}

// readAnswer reads the engine's progress, in which an error comes with status 200.
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
