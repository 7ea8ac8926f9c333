package sim

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ashore/ashore/internal/agent/runtime"
	"github.com/ashore/ashore/internal/agent/runtime/fake"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// words matches the parts of an event that differ between runs: ids and times.
var words = regexp.MustCompile(`\b([0-9a-f]{32}|[0-9]{19}|\d{4}-\d\d-\d\dT[0-9:]+Z)\b`)

// messages returns a service's events, the oldest first, with ID for ids and times.
func messages(s *types.Service) []string {
	var out []string
	for _, e := range slices.Backward(s.Events) {
		out = append(out, words.ReplaceAllString(aws.ToString(e.Message), "ID"))
	}
	return out
}

// The texts of ECS's service events, word by word.
func TestServiceEventsTexts(t *testing.T) {
	w := newWorld(t, size{servers: 1, hosts: 1, cpus: 4, memory: 4000})
	for _, h := range w.hosts {
		h.Machine().Set(func(c *fake.Config) { c.Images = map[string]runtime.Image{"sim": {ID: "sha256:sim"}} })
	}
	w.family("f", need{cpu: 16, memory: 16})
	w.family("f", need{cpu: 16, memory: 1 << 20})
	w.family("f", need{cpu: 16, memory: 16, image: "gone"})
	w.createService("s", "f:1", 2, func(in *ecs.CreateServiceInput) {
		in.DeploymentConfiguration = &types.DeploymentConfiguration{DeploymentCircuitBreaker: &types.DeploymentCircuitBreaker{Enable: true, Rollback: true}}
	})
	w.steady("s")
	w.update("s", desired(1))
	s := w.waitService("s", "one has gone, and its state is steady again", func(s *types.Service) bool {
		all := messages(s)
		return told(s, "has stopped") && strings.HasSuffix(all[len(all)-1], "has reached a steady state.")
	})
	want := []string{
		"(service s) has started 2 tasks: (task ID) (task ID).",
		"(service s) (deployment ecs-svc/ID) deployment completed.",
		"(service s) has reached a steady state.",
		"(service s) has stopped 1 running tasks: (task ID).",
		"(service s) has reached a steady state.",
	}
	if got := messages(&s); !slices.Equal(got, want) {
		t.Errorf("told\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	w.update("s", revision(2))
	w.waitService("s", "it can't be placed", func(s *types.Service) bool {
		return slices.ContainsFunc(messages(s), func(m string) bool {
			return strings.HasPrefix(m, "(service s) was unable to place a task because no container instance met all of its requirements. The closest matching (container-instance ID) has insufficient memory available.")
		})
	})
	w.update("s", revision(3))
	s = w.waitService("s", "it is rolled back", func(s *types.Service) bool {
		return isSteady(s) && strings.HasSuffix(*s.Deployments[0].TaskDefinition, "/f:1")
	})
	for _, text := range []string{
		"(service s) (deployment ecs-svc/ID) deployment failed: tasks failed to start.",
		"(service s) rolling back to deployment ecs-svc/ID.",
	} {
		if !slices.Contains(messages(&s), text) {
			t.Errorf("not told: %s\n%s", text, strings.Join(messages(&s), "\n"))
		}
	}
}

// If the minimum and maximum percent make an update impossible, an event says so, once. A
// change of either makes it possible.
func TestStuckDeployment(t *testing.T) {
	w := newWorld(t, size{servers: 1, hosts: 1, cpus: 4, memory: 4000})
	w.family("f", need{cpu: 16, memory: 16})
	w.family("f", need{cpu: 16, memory: 16})
	w.createService("s", "f:1", 1, percents(50, 100))
	w.steady("s")
	w.update("s", revision(2))
	const text = "(service s) was unable to stop or start tasks during a deployment because of the service deployment configuration. Update the minimumHealthyPercent or maximumPercent value and try again."
	w.waitService("s", "it says that it is stuck", func(s *types.Service) bool { return told(s, text) })
	w.update("s", func(in *ecs.UpdateServiceInput) { in.HealthCheckGracePeriodSeconds = aws.Int32(1) }) // makes the scheduler check again
	w.update("s", func(in *ecs.UpdateServiceInput) {
		in.DeploymentConfiguration = &types.DeploymentConfiguration{MinimumHealthyPercent: aws.Int32(50), MaximumPercent: aws.Int32(200)}
	})
	s := w.waitService("s", "it is rolled", func(s *types.Service) bool {
		return isSteady(s) && strings.HasSuffix(*s.Deployments[0].TaskDefinition, "/f:2")
	})
	n := 0
	for _, m := range messages(&s) {
		if m == text {
			n++
		}
	}
	if n != 1 {
		t.Errorf("told %d times: %q", n, messages(&s))
	}
}
