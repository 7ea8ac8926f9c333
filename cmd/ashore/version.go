package main

import "github.com/ashore/ashore/internal/version"

type versionCommand struct{}

func (versionCommand) Run(t *terminal) error {
	t.printf("%s\n", version.String())
	return nil
}

func (versionCommand) Example() string { return "ashore version" }
