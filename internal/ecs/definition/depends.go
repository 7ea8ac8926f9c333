package definition

import (
	"slices"
	"strings"

	"github.com/ashore/ashore/internal/ecs/refuse"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// checkDependencies checks dependsOn, and that no container waits for itself.
func checkDependencies(def *sdk.RegisterTaskDefinitionInput, names map[string]int) error {
	needs := make([][]int, len(def.ContainerDefinitions))
	for i := range def.ContainerDefinitions {
		c := &def.ContainerDefinitions[i]
		for _, d := range c.DependsOn {
			j, ok := names[aws.ToString(d.ContainerName)]
			if !ok {
				return refuse.Client("Cannot depend on container + '%s' because it does not exist", aws.ToString(d.ContainerName))
			}
			on := &def.ContainerDefinitions[j]
			switch d.Condition {
			case types.ContainerConditionStart:
			case types.ContainerConditionComplete, types.ContainerConditionSuccess:
				if aws.ToBool(on.Essential) {
					return refuse.Client("A dependency container with SUCCESS or COMPLETE condition cannot be an essential container")
				}
			case types.ContainerConditionHealthy:
				if on.HealthCheck == nil {
					return refuse.Client("A dependency container with HEALTHY condition must have health check configured. (container '%s' of '%s')", *d.ContainerName, *c.Name)
				}
			default:
				return refuse.Client("Invalid setting for container '%s'. 'dependsOn.condition' must be START, COMPLETE, SUCCESS or HEALTHY, not %q.", *c.Name, d.Condition)
			}
			needs[i] = append(needs[i], j)
		}
		for _, l := range c.Links {
			to, _, _ := strings.Cut(l, ":")
			needs[i] = append(needs[i], names[to])
		}
		for _, v := range c.VolumesFrom {
			needs[i] = append(needs[i], names[aws.ToString(v.SourceContainer)])
		}
	}
	if i := findCycle(needs); i >= 0 {
		return refuse.Client("The dependencies of container '%s' form a cycle.", *def.ContainerDefinitions[i].Name)
	}
	return nil
}

// findCycle returns a node from which a cycle can be reached, or -1.
func findCycle(needs [][]int) int {
	const visiting, done = 1, 2
	state := make([]int, len(needs))
	var cyclic func(i int) bool
	cyclic = func(i int) bool {
		switch state[i] {
		case visiting:
			return true
		case done:
			return false
		}
		state[i] = visiting
		if slices.ContainsFunc(needs[i], cyclic) {
			return true
		}
		state[i] = done
		return false
	}
	for i := range needs {
		if cyclic(i) {
			return i
		}
	}
	return -1
}
