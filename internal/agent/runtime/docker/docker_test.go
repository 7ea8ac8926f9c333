package docker_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/ashore/ashore/internal/agent/agenttest"
	"github.com/ashore/ashore/internal/agent/runtime/conformance"
	"github.com/ashore/ashore/internal/agent/runtime/docker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	d := agenttest.Docker(t)
	image := agenttest.Image(t, d)
	id := agenttest.Installation(t, d, conformance.Label)
	conformance.Run(t, func(*testing.T) conformance.Target {
		return conformance.Target{Runtime: d, Image: image, Absent: "ashore-absent:latest", Installation: id}
	})
}

func TestHost(t *testing.T) {
	t.Setenv("DOCKER_HOST", "tcp://192.0.2.1:2375")
	if h := docker.Host(); h != "tcp://192.0.2.1:2375" {
		t.Error(h)
	}
}
