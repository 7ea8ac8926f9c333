// Package dockerhost connects the command line to the Docker Engine of this machine. If no
// engine answers, it says what to do.
package dockerhost

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/moby/moby/client"

	"github.com/ashore/ashore/internal/agent/runtime/docker"
	"github.com/ashore/ashore/internal/hint"
)

// systemSocket is the socket of the system's engine.
const systemSocket = "/var/run/docker.sock"

// Connect connects to the engine and checks that it answers. It returns the engine's
// version, and the value of DOCKER_HOST for it.
func Connect(ctx context.Context) (c *client.Client, version, host string, err error) {
	host = docker.Host() // as the agent does
	c, err = client.New(client.WithTLSClientConfigFromEnv(), client.WithHost(host), client.WithAPIVersionFromEnv())
	if err != nil {
		return nil, "", host, fmt.Errorf("DOCKER_HOST: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	v, err := c.ServerVersion(ctx, client.ServerVersionOptions{})
	if err != nil {
		c.Close()
		return nil, "", host, explainError(host, err)
	}
	return c, v.Version, host, nil
}

func explainError(host string, err error) error {
	socket, unix := strings.CutPrefix(host, "unix://")
	switch {
	case unix && errors.Is(err, fs.ErrPermission), unix && !isWritable(socket):
		return hint.With(fmt.Errorf("you may not use the Docker Engine at %s", socket),
			"join its group by `sudo usermod -aG docker $USER` and log in again, or name a rootless engine by DOCKER_HOST")
	case host == "unix://"+systemSocket:
		return hint.With(fmt.Errorf("no Docker Engine answers on this machine: %w", err),
			"install and start one by scripts/ensure-engine.sh (`make up` does it), or name one by DOCKER_HOST")
	}
	return hint.With(fmt.Errorf("no Docker Engine answers at %s: %w", host, err), "start it, or unset DOCKER_HOST to use this machine's")
}

func isWritable(socket string) bool {
	f, err := os.OpenFile(socket, os.O_WRONLY, 0)
	if err == nil {
		f.Close()
	}
	// Opening a socket as a file always fails. Any other error than a permission error
	// means that we may use it.
	return !errors.Is(err, fs.ErrPermission)
}
