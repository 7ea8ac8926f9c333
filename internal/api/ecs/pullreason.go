package ecs

import (
	"slices"
	"strings"

	"github.com/ashore/ashore/internal/control/report"
	"github.com/ashore/ashore/internal/ecs/definition"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/aws/aws-sdk-go-v2/aws"
)

// withoutCredentials is added to the reason of a pull that may have failed because
// credentials are missing: the registry's own text seldom says so.
const withoutCredentials = " (Ashore serves hosts no credentials of registries yet: an image that needs some must be on the host already.)"

// explainPulls adds withoutCredentials to a host's report of an image that it could
// not pull, if the definition uses credentials to pull the image.
func explainPulls(d *fleet.TaskDefinition, in report.Statement) report.Statement {
	if d == nil {
		return in
	}
	in.Containers = slices.Clone(in.Containers)
	for i := range in.Containers {
		c := &in.Containers[i]
		def := definition.Container(d.Definition, aws.ToString(c.ContainerName))
		reason := aws.ToString(c.Reason)
		if def == nil || aws.ToString(c.Status) != string(fleet.TaskStopped) || !strings.HasPrefix(reason, "CannotPull") ||
			def.RepositoryCredentials == nil && !definition.ECRImage(aws.ToString(def.Image)) {
			continue
		}
		c.Reason = aws.String(reason + withoutCredentials)
		if in.Reason == reason {
			in.Reason = *c.Reason
		}
	}
	return in
}
