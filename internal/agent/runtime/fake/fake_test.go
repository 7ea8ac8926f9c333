package fake_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/ashore/ashore/internal/agent/agenttest"
	"github.com/ashore/ashore/internal/agent/runtime"
	"github.com/ashore/ashore/internal/agent/runtime/conformance"
	"github.com/ashore/ashore/internal/agent/runtime/fake"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	conformance.Run(t, func(t *testing.T) conformance.Target {
		f := fake.New(fake.Config{Images: map[string]runtime.Image{"probe": {ID: "sha256:1"}}})
		t.Cleanup(func() { f.Close() })
		return conformance.Target{Runtime: f, Image: "probe", Absent: "absent", Installation: agenttest.Hex(8)}
	})
}
