package docker_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/agent/agenttest"
	"github.com/ashore/ashore/internal/agent/runtime"
	"github.com/ashore/ashore/internal/agent/runtime/conformance"
	"github.com/ashore/ashore/internal/agent/runtime/docker"
)

// A reading whose connection breaks returns an error and can continue after its last line,
// so each line comes once. A command whose connection breaks returns an error too.
func TestABrokenConnection(t *testing.T) {
	d := agenttest.Docker(t)
	image := agenttest.Image(t, d)
	labels := map[string]string{conformance.Label: agenttest.Installation(t, d, conformance.Label)}
	proxy := agenttest.NewProxy(t)
	far, err := docker.New(proxy.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	const n = 2000
	start := func(command ...string) string {
		t.Helper()
		c, err := d.Create(t.Context(), runtime.Spec{
			Name: "ashore-conformance-broken-" + agenttest.Hex(6), Image: image, Labels: labels, Network: "none", Command: command,
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Start(t.Context(), c.ID); err != nil {
			t.Fatal(err)
		}
		return c.ID
	}
	command := runtime.Exec{Command: []string{"/probe", "sleep", "30"}, Begun: proxy.Cut}
	if _, err := far.Exec(t.Context(), start("sleep", "60"), command); !errors.Is(err, runtime.ErrUnreachable) {
		t.Errorf("a command: %v", err)
	}
	talker := start("chatter", fmt.Sprint(n), "sleep", "1", "exit", "0")
	told := map[string]int{}
	var place runtime.Position
	breaks := 0
	deadline := time.Now().Add(time.Minute)
	for done := false; !done; {
		lines := 0
		err := far.Output(t.Context(), talker, place, func() {}, func(l runtime.Line) error {
			told[string(l.Text)]++
			place = l.Next
			if lines++; lines == 150 {
				proxy.Cut()
			}
			return nil
		})
		switch {
		case err == nil:
			done = true
		case errors.Is(err, runtime.ErrUnreachable) && time.Now().Before(deadline):
			breaks++
		default:
			t.Fatal(err)
		}
	}
	twice := 0
	for line, times := range told {
		if times != 1 || !strings.HasPrefix(line, "out ") && !strings.HasPrefix(line, "err ") {
			twice++
		}
	}
	if len(told) != 2*n || twice > 0 || breaks < 3 {
		t.Errorf("%d lines of %d, %d of them more than once, %d breaks", len(told), 2*n, twice, breaks)
	}
}
