package main

import (
	"context"

	"github.com/ashore/ashore/internal/shellenv"
)

type envCommand struct {
	dataDir `kong:"embed"`
	Shell   string `enum:"posix,fish,powershell" default:"posix" help:"Whose language to print: posix (sh, bash, zsh), fish or powershell."`
	Unset   bool   `help:"Print what puts everything back instead."`
}

func (envCommand) Example() string {
	return "eval \"$(ashore env)\" && aws ecs list-clusters"
}

func (e *envCommand) Run(ctx context.Context, t *terminal) error {
	d := shellenv.Dialects[e.Shell]
	if e.Unset {
		text, err := shellenv.Revert(d, t.environ)
		if err != nil {
			return err
		}
		t.script(text)
		return nil
	}
	a, err := e.admin()
	if err != nil {
		return err
	}
	t.script(shellenv.Apply(d, shellenv.Target{
		Endpoint: a.Endpoint, Host: a.Host(), Region: a.Region,
		AccessKeyID: a.AccessKeyID, SecretAccessKey: a.SecretAccessKey,
		CABundle: a.CABundle, OldAWS: isOldAWS(ctx, t),
	}, t.environ))
	return nil
}

// isOldAWS says whether the `aws` here ignores AWS_ENDPOINT_URL. If its version is
// unknown, isOldAWS prints a note and returns false.
func isOldAWS(ctx context.Context, t *terminal) bool {
	v, ok, err := shellenv.AWSVersion(ctx)
	if err != nil {
		t.note("note: the version of `aws` is unknown (%v); if it is older than 1.29 or 2.13, give it --endpoint-url", err)
	}
	return ok && shellenv.IgnoresEndpointURL(v)
}
