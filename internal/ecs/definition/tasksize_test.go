package definition

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// Hard limits may be more than the task's memory together, in a definition and by
// overrides; what is reserved may not.
func TestHardLimitsAreNotSummed(t *testing.T) {
	container := func(name string) types.ContainerDefinition {
		return types.ContainerDefinition{Name: aws.String(name), Image: aws.String("busybox"), Memory: aws.Int32(512)}
	}
	def, _, err := Define(&sdk.RegisterTaskDefinitionInput{
		Family: aws.String("f"), Memory: aws.String("512"), ContainerDefinitions: []types.ContainerDefinition{container("web"), container("router")},
	})
	if err != nil {
		t.Fatal(err)
	}
	override := func(change func(*types.ContainerOverride)) error {
		co := types.ContainerOverride{Name: aws.String("web")}
		change(&co)
		_, err := CheckOverrides(def, &types.TaskOverride{ContainerOverrides: []types.ContainerOverride{co, {Name: aws.String("router"), MemoryReservation: aws.Int32(300)}}})
		return err
	}
	if err := override(func(co *types.ContainerOverride) { co.Memory = aws.Int32(500) }); err != nil {
		t.Error(err)
	}
	if err := override(func(co *types.ContainerOverride) { co.MemoryReservation = aws.Int32(213) }); err == nil {
		t.Error("reservations of 513 MiB in a task of 512 were taken")
	}
}
