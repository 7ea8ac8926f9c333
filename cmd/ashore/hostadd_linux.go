package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/ashore/ashore/internal/client"
	"github.com/ashore/ashore/internal/hint"
	"github.com/ashore/ashore/internal/local"
	"github.com/ashore/ashore/internal/shellenv"
)

// hostAddCommand creates credentials for one more host. `ashore up` does not start that
// host's agent: it is the stock amazon-ecs-agent.
type hostAddCommand struct {
	dataDir   `kong:"embed"`
	Name      string `arg:"" help:"The host's name, one of its own for each machine."`
	File      string `arg:"" help:"The file to write: variables for the agent's environment, the host's key among them."`
	Cluster   string `default:"default" placeholder:"NAME" help:"The cluster that the host registers in (default: default)."`
	Endpoint  string `placeholder:"URL" help:"Where the host reaches the server, if by another way than this machine."`
	termFlags `kong:"embed"`
}

// termFlags are the settings that an administrator makes for a host.
type termFlags struct {
	Attribute map[string]string `placeholder:"NAME=VALUE" help:"Give the host's container instance this attribute; may be repeated. ashore.capacity-provider=NAME makes it a member of a capacity provider."`
	MaxCPU    *int              `name:"max-cpu" placeholder:"UNITS" help:"The most CPU that the host registers, 1024 a core; 0 for all that it has."`
	MaxMemory *int              `placeholder:"MIB" help:"The most memory that the host registers; 0 for all that it has."`
}

func (f termFlags) terms(cluster string) client.HostTerms {
	return client.HostTerms{Cluster: cluster, Attributes: f.Attribute, MaxCPU: f.MaxCPU, MaxMemory: f.MaxMemory}
}

func (hostAddCommand) Example() string {
	return "ashore host add shop-1 ecs.config --cluster MyCluster"
}

func (h *hostAddCommand) Run(ctx context.Context, t *terminal) error {
	a, err := h.admin()
	if err != nil {
		return err
	}
	if h.Endpoint != "" && !endpoints.MatchString(h.Endpoint) {
		return hint.With(fmt.Errorf("--endpoint: %q is not the URL of a server", h.Endpoint), "write it such as --endpoint https://ecs.example.com")
	}
	api := client.New(a)
	defer api.Close()
	if err := checkCluster(ctx, api, h.Cluster); err != nil {
		return err
	}
	k, err := api.CreateHostCredentials(ctx, h.Name, h.terms(h.Cluster))
	if e, ok := errors.AsType[*client.Error](err); ok && e.Code == "ConflictException" {
		return hint.With(fmt.Errorf("a host named %s is connected", h.Name), "stop its agent first, or give this host another name")
	}
	if err != nil {
		return err
	}
	if h.Endpoint != "" {
		a.Endpoint = strings.TrimRight(h.Endpoint, "/")
	}
	if err := local.WriteSecret(h.File, agentEnvironment(a, h.Cluster, k)); err != nil {
		return hint.With(err, "its key is lost with it; the same command again makes a new one")
	}
	t.printf("%s is what the agent of host %s needs in its environment\n", h.File, h.Name)
	t.note("note: the agent knows its tasks after a restart only where ECS_DATADIR names a folder for it")
	return nil
}

// checkCluster returns an error if the agent could not register in a cluster. The agent
// itself creates the cluster default.
func checkCluster(ctx context.Context, api *client.Client, name string) error {
	if name == "default" {
		return nil
	}
	out, err := api.ECS.DescribeClusters(ctx, &ecs.DescribeClustersInput{Clusters: []string{name}})
	if err != nil {
		return err
	}
	for _, c := range out.Clusters {
		if *c.Status == "ACTIVE" {
			return nil
		}
	}
	return hint.With(fmt.Errorf("there is no cluster %s", name), "make it by `aws ecs create-cluster --cluster-name %s`", shellenv.Word(name))
}

// endpoints matches the URLs without characters that have a meaning in the file.
var endpoints = regexp.MustCompile(`^https?://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._~/-]*)?$`)

// agentEnvironment returns a file that a shell, systemd and Docker's --env-file read in
// the same way. No value has a character that has a meaning for one of them.
func agentEnvironment(a local.Admin, cluster string, k client.HostCredentials) []byte {
	var b strings.Builder
	for _, v := range [][2]string{
		{"ECS_EXTERNAL", "true"},
		{"ECS_BACKEND_HOST", a.Endpoint},
		{"ECS_CLUSTER", cluster},
		{"AWS_DEFAULT_REGION", a.Region},
		{"AWS_ACCESS_KEY_ID", k.AccessKeyID},
		{"AWS_SECRET_ACCESS_KEY", k.SecretAccessKey},
	} {
		fmt.Fprintf(&b, "%s=%s\n", v[0], v[1])
	}
	return []byte(b.String())
}
