package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"

	"github.com/ashore/ashore/internal/agent/session"
	"github.com/ashore/ashore/internal/client"
	"github.com/ashore/ashore/internal/hint"
	"github.com/ashore/ashore/internal/local"
)

// hostAssignCommand changes an administrator's settings for a host, from any machine.
type hostAssignCommand struct {
	dataDir   `kong:"embed"`
	Name      string `arg:"" optional:"" help:"The host's name. Default: this host."`
	Cluster   string `placeholder:"NAME" help:"The cluster that the host may register in from now on."`
	termFlags `kong:"embed"`
}

func (hostAssignCommand) Example() string {
	return "ashore host assign shop-1 --attribute ashore.capacity-provider=racks --max-memory 8192"
}

func (h *hostAssignCommand) Run(ctx context.Context, t *terminal) error {
	a, err := h.admin()
	if err != nil {
		return err
	}
	var key string
	if h.Name == "" {
		l, err := h.layout()
		if err != nil {
			return err
		}
		if key, err = hostKey(l); err != nil {
			return err
		}
	}
	api := client.New(a)
	defer api.Close()
	if h.Cluster != "" {
		if err := checkCluster(ctx, api, h.Cluster); err != nil {
			return err
		}
	}
	is, err := assign(ctx, api, h.Name, key, h.terms(h.Cluster))
	if err != nil {
		return err
	}
	t.printf("%s belongs to the cluster %s\n", is.Name, is.Cluster)
	for _, name := range slices.Sorted(maps.Keys(is.Attributes)) {
		t.printf("attribute %s=%s\n", name, is.Attributes[name])
	}
	if is.MaxCPU > 0 {
		t.printf("at most %d CPU units\n", is.MaxCPU)
	}
	if is.MaxMemory > 0 {
		t.printf("at most %d MiB of memory\n", is.MaxMemory)
	}
	if is.Cluster != is.PriorCluster && is.Instance != "" {
		t.note("note: its agent registers there the next time that it registers anew; `ashore host move --cluster %s` on the host does it now, for ours", is.Cluster)
	}
	return nil
}

// assign changes the settings of a host. It finds the host by its name or its key.
func assign(ctx context.Context, api *client.Client, name, key string, terms client.HostTerms) (client.Host, error) {
	is, err := api.UpdateHost(ctx, name, key, terms)
	if e, ok := errors.AsType[*client.Error](err); ok && e.Code == "ResourceNotFoundException" {
		if name == "" {
			name = "the key in this host's credentials.json"
		}
		return is, hint.With(fmt.Errorf("there is no host of %s", name), "make its credentials by `ashore host add`")
	}
	return is, err
}

// hostKey returns the access key of this host's agent.
func hostKey(l local.Layout) (string, error) {
	var c session.Credentials
	data, err := os.ReadFile(l.AgentCredentials())
	if errors.Is(err, fs.ErrNotExist) {
		return "", hint.With(fmt.Errorf("this machine is no host of %s", l.Data), "name the host, or start an agent here by `ashore up --detach`")
	}
	if err == nil {
		err = json.Unmarshal(data, &c)
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", l.AgentCredentials(), err)
	}
	return c.AccessKeyID, nil
}
