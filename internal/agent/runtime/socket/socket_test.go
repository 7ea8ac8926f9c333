package socket_test

import (
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/ashore/ashore/internal/agent/agenttest"
	"github.com/ashore/ashore/internal/agent/runtime"
	"github.com/ashore/ashore/internal/agent/runtime/conformance"
	"github.com/ashore/ashore/internal/agent/runtime/fake"
	"github.com/ashore/ashore/internal/agent/runtime/socket"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	conformance.Run(t, func(t *testing.T) conformance.Target {
		dir, err := os.MkdirTemp("", "sock") // short: a socket's path has 107 bytes at most
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		path := filepath.Join(dir, "engine")
		f := fake.New(fake.Config{Images: map[string]runtime.Image{"probe": {ID: "sha256:1"}}})
		s, err := socket.Serve(f, path)
		if err != nil {
			t.Fatal(err)
		}
		c := socket.Dial(path)
		t.Cleanup(func() {
			for _, closer := range []interface{ Close() error }{c, s, f} {
				if err := closer.Close(); err != nil {
					t.Error(err)
				}
			}
		})
		return conformance.Target{Runtime: c, Image: "probe", Absent: "absent", Installation: agenttest.Hex(8)}
	})
}
