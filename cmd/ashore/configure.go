package main

import (
	"context"
	"net/url"
	"os"

	"github.com/ashore/ashore/internal/awsprofile"
	"github.com/ashore/ashore/internal/shellenv"
)

type configureCommand struct {
	dataDir `kong:"embed"`
	Profile string `default:"ashore" placeholder:"NAME" help:"The profile's name (default: ashore)."`
}

func (configureCommand) Example() string {
	return "ashore configure --profile ashore && aws --profile ashore ecs list-clusters"
}

func (c *configureCommand) Run(ctx context.Context, t *terminal) error {
	a, err := c.admin()
	if err != nil {
		return err
	}
	files, err := profileFiles()
	if err != nil {
		return err
	}
	if err := awsprofile.Write(files, awsprofile.Profile{
		Name: c.Profile, Installation: a.InstallationID, Region: a.Region, Endpoint: a.Endpoint,
		CABundle: a.CABundle, AccessKeyID: a.AccessKeyID, SecretAccessKey: a.SecretAccessKey,
	}); err != nil {
		return err
	}
	t.printf("profile %s is in %s and %s; try:\n", c.Profile, files.Config, files.Credentials)
	if isOldAWS(ctx, t) {
		t.printf("  aws --profile %s --endpoint-url %s ecs list-clusters\n", shellenv.Word(c.Profile), shellenv.Word(a.Endpoint))
		t.note("note: your `aws` is older than 1.29 or 2.13 and does not read endpoint_url from a profile: give it --endpoint-url, or use `eval \"$(ashore env)\"`")
	} else {
		t.printf("  aws --profile %s ecs list-clusters\n", shellenv.Word(c.Profile))
	}
	if u, err := url.Parse(a.Endpoint); err == nil {
		if name, ok := shellenv.BlockingProxy(t.environ, u.Scheme, a.Host()); ok {
			t.note("note: %s is set, and a profile can't exempt a host from it: add %s to NO_PROXY and no_proxy", name, a.Host())
		}
	}
	return nil
}

func profileFiles() (awsprofile.Files, error) {
	home, err := os.UserHomeDir()
	if err != nil && (os.Getenv("AWS_CONFIG_FILE") == "" || os.Getenv("AWS_SHARED_CREDENTIALS_FILE") == "") {
		return awsprofile.Files{}, err
	}
	return awsprofile.FilesOf(os.Getenv, home), nil
}
