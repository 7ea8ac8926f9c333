package definition

import (
	"github.com/ashore/ashore/internal/ecs/refuse"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
)

// checkTaskSize checks the cpu and memory of the task against those of its
// containers. The hard limits together may exceed the task's: as on ECS, only what
// containers reserve is summed.
func checkTaskSize(def *sdk.RegisterTaskDefinitionInput) error {
	cpu, err := parseCPU(aws.ToString(def.Cpu))
	if err != nil {
		return err
	}
	if cpu != 0 && (cpu < 128 || cpu > 196608) {
		return refuse.Client("Invalid 'cpu' setting for task. %d is not between 128 and 196608 CPU units.", cpu)
	}
	memory, err := parseMemory(aws.ToString(def.Memory))
	if err != nil {
		return err
	}
	if memory == 0 && cpu == 0 {
		return nil
	}
	sum, cpus := 0, 0
	for i := range def.ContainerDefinitions {
		c := &def.ContainerDefinitions[i]
		cpus += int(c.Cpu)
		m := int(aws.ToInt32(c.Memory))
		if memory > 0 && m > memory {
			return refuse.Client("The 'memory' setting for container '%s' is greater than for the task.", aws.ToString(c.Name))
		}
		sum += int(aws.ToInt32(c.MemoryReservation))
	}
	if memory > 0 && sum > memory {
		return refuse.Client("The sum of all container 'memoryReservation' values cannot be greater than the value of the task 'memory'.")
	}
	if cpu > 0 && cpus > cpu {
		return refuse.Client("The sum of all container 'cpu' values cannot be greater than the value of the task 'cpu'.")
	}
	return nil
}
