package docker_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/ashore/ashore/internal/agent/agenttest"
	"github.com/ashore/ashore/internal/agent/runtime"
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

// TestRunningInTheWordsOfEngines: the status 409 of a removal has several reasons. Only
// the texts distinguish them, and the texts differ between engines.
func TestRunningInTheWordsOfEngines(t *testing.T) {
	for version, said := range map[string]string{
		"20.10.24": "You cannot remove a running container 4e4b43. Stop the container before attempting removal or force remove",
		"26.1.5":   `cannot remove container "/ecs-a": container is running: stop the container before removing or force remove`,
		"":         "removal of container 4e4b43 is already in progress",
	} {
		engine := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Api-Version", "1.41")
			if r.Method == http.MethodDelete {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(http.StatusConflict)
				fmt.Fprintf(w, `{"message": %q}`, said)
			}
		}))
		d, err := docker.New("tcp://" + strings.TrimPrefix(engine.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		err = d.Remove(t.Context(), "4e4b43", false)
		if errors.Is(err, runtime.ErrRunning) != (version != "") {
			t.Errorf("engine %s: %v", version, err)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		engine.Close()
	}
}
