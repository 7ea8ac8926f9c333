package conformance

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
)

// These are the calls of agents. AWS answers most of them only to agents, so the cases
// are about what everyone may call.
var agentCases = []Case{
	{
		Name: "DiscoverPollEndpoint gives both endpoints", Cite: "model: DiscoverPollEndpointOutput.telemetryEndpoint", Needs: Hosts,
		Run: func(c *C) {
			out, err := c.ECS.DiscoverPollEndpoint(c.Ctx(), &ecs.DiscoverPollEndpointInput{Cluster: aws.String(c.Room())})
			c.OK(err)
			for what, u := range map[string]*string{"endpoint": out.Endpoint, "telemetryEndpoint": out.TelemetryEndpoint} {
				if !strings.HasPrefix(aws.ToString(u), "http") {
					c.Errorf("%s is %q", what, aws.ToString(u))
				}
			}
		},
	},
}

func TestAgent(t *testing.T) { run(t, agentCases) }
