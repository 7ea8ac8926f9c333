package main

import (
	"context"

	"github.com/ashore/ashore/internal/sample"
)

// sampleCommand runs a tool of the sample image by name, to try it out. In the image
// the program's name chooses the tool.
type sampleCommand struct {
	Tool string   `arg:"" default:"sample" help:"sample, sleep, env or exit."`
	Args []string `arg:"" optional:"" help:"The tool's arguments."`
}

func (sampleCommand) Example() string { return "PORT=9000 ashore sample" }

func (s *sampleCommand) Run(ctx context.Context, t *terminal) error {
	if status := sample.Run(ctx, s.Tool, s.Args, t.out, t.err); status != 0 {
		return exitError(status)
	}
	return nil
}
