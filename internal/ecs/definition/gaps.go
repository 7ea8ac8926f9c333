package definition

import (
	"slices"

	"github.com/ashore/ashore/internal/control/placement"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// gap is a member of definitions that Ashore does not serve on any host yet, and what
// helps meanwhile.
type gap struct {
	thing, help string
	has         func(c *types.ContainerDefinition, co *types.ContainerOverride) bool
}

// containerGaps are the gaps of containers.
var containerGaps = []gap{
	{"secrets", "Give the values by environment.", func(c *types.ContainerDefinition, _ *types.ContainerOverride) bool {
		return len(c.Secrets) > 0
	}},
	{"environmentFiles", "Give the variables by environment.", func(c *types.ContainerDefinition, co *types.ContainerOverride) bool {
		return len(c.EnvironmentFiles) > 0 || co != nil && len(co.EnvironmentFiles) > 0
	}},
	{"firelensConfiguration", "Use another log driver, or run the router as a container like others.", func(c *types.ContainerDefinition, _ *types.ContainerOverride) bool {
		return c.FirelensConfiguration != nil
	}},
	{"the log driver awsfirelens", "Use another log driver, such as json-file or fluentd.", func(c *types.ContainerDefinition, _ *types.ContainerOverride) bool {
		return c.LogConfiguration != nil && c.LogConfiguration.LogDriver == types.LogDriverAwsfirelens
	}},
	{"logConfiguration.secretOptions", "Give the values by logConfiguration.options.", func(c *types.ContainerDefinition, _ *types.ContainerOverride) bool {
		return c.LogConfiguration != nil && len(c.LogConfiguration.SecretOptions) > 0
	}},
	{"credentialSpecs", "Leave them out.", func(c *types.ContainerDefinition, _ *types.ContainerOverride) bool {
		return len(c.CredentialSpecs) > 0
	}},
	{"resourceRequirements other than a number of GPUs", "Ask for a number of GPUs.", func(c *types.ContainerDefinition, co *types.ContainerOverride) bool {
		rs := c.ResourceRequirements
		if co != nil && co.ResourceRequirements != nil {
			rs = co.ResourceRequirements
		}
		return slices.ContainsFunc(rs, func(r types.ResourceRequirement) bool {
			return r.Type == types.ResourceTypeNeuronDevice || r.SharingStrategy != nil || r.Type == types.ResourceTypeGpu && aws.ToString(r.Value) == "ALL"
		})
	}},
}

// Gaps returns everything in a definition that Ashore does not serve on any host yet.
// Such a definition can be registered: it is valid, and a later version will run it.
func Gaps(def *sdk.RegisterTaskDefinitionInput, o *types.TaskOverride) []placement.Lack {
	var out []placement.Lack
	add := func(thing, help string) {
		out = append(out, placement.Lack{What: thing + ", not served by Ashore yet", Help: help})
	}
	taskRole := def.TaskRoleArn
	if o != nil && o.TaskRoleArn != nil {
		taskRole = o.TaskRoleArn
	}
	if aws.ToString(taskRole) != "" {
		add("taskRoleArn, whose credentials tasks get", "Leave it out, and give the containers credentials by environment where they need some.")
	}
	if def.ProxyConfiguration != nil {
		add("proxyConfiguration", "Leave it out, and run the proxy as a container like others.")
	}
	if len(def.InferenceAccelerators) > 0 {
		add("inferenceAccelerators", "Leave them out: AWS has given up Elastic Inference.")
	}
	for i := range def.Volumes {
		v := &def.Volumes[i]
		if kind := unservedVolume(v); kind != "" {
			add(kind+" "+aws.ToString(v.Name), "Mount it on the hosts, and give its path as host.sourcePath.")
		}
	}
	for _, g := range containerGaps {
		var have []string
		for i := range def.ContainerDefinitions {
			c := &def.ContainerDefinitions[i]
			if name := aws.ToString(c.Name); g.has(c, ContainerOverride(o, name)) {
				have = append(have, name)
			}
		}
		if len(have) > 0 {
			add(of(g.thing, have), g.help)
		}
	}
	return append(out, findUnhealthy(def)...)
}

func unservedVolume(v *types.Volume) string {
	switch {
	case v.EfsVolumeConfiguration != nil:
		return "the EFS volume"
	case v.FsxWindowsFileServerVolumeConfiguration != nil:
		return "the FSx volume"
	case v.S3filesVolumeConfiguration != nil:
		return "the S3 Files volume"
	case aws.ToBool(v.ConfiguredAtLaunch):
		return "the volume configured at launch"
	}
	return ""
}

// findUnhealthy returns dependencies that are never met: no engine runs the health
// check that they wait for.
func findUnhealthy(def *sdk.RegisterTaskDefinitionInput) []placement.Lack {
	var out []placement.Lack
	for i := range def.ContainerDefinitions {
		c := &def.ContainerDefinitions[i]
		for _, d := range c.DependsOn {
			on := Container(def, aws.ToString(d.ContainerName))
			if d.Condition == types.ContainerConditionHealthy && on != nil && !fleet.HasHealthCheck(on) {
				out = append(out, placement.Lack{
					What: "the condition HEALTHY of the container " + *on.Name + ", on which the container " + aws.ToString(c.Name) + " depends and which no engine checks",
					Help: "Let its healthCheck.command start with CMD or CMD-SHELL.",
				})
			}
		}
	}
	return out
}
