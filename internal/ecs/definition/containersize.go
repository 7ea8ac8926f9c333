package definition

import (
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// ContainerSize sets the sizes that the definition and its overrides give a
// container.
func ContainerSize(out *types.Container, c *types.ContainerDefinition, o *types.ContainerOverride) {
	cpu, memory, soft := c.Cpu, c.Memory, c.MemoryReservation
	if o != nil {
		if o.Cpu != nil {
			cpu = *o.Cpu
		}
		if o.Memory != nil {
			memory = o.Memory
		}
		if o.MemoryReservation != nil {
			soft = o.MemoryReservation
		}
	}
	out.Image, out.Cpu = c.Image, aws.String(strconv.Itoa(int(cpu)))
	if memory != nil {
		out.Memory = aws.String(strconv.Itoa(int(*memory)))
	}
	if soft != nil {
		out.MemoryReservation = aws.String(strconv.Itoa(int(*soft)))
	}
}
