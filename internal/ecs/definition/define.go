// Package definition decides about task definitions: whether one is right, how it is
// stored, which launch types it suits, what it needs of a host and takes from it,
// and what a launch may override. All of it is pure: a definition in, a decision
// out.
package definition

import (
	_ "github.com/ashore/ashore/internal/aws/model/ecs" // unions inside definitions
	"github.com/ashore/ashore/internal/aws/protocol/awsjson"
	"github.com/ashore/ashore/internal/ecs/refuse"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// maxDefinition is ECS's limit of a task definition's size in bytes.
const maxDefinition = 64 << 10

// Define checks what is to be registered. It returns it as it is stored, with
// the launch types that it suits.
func Define(in *sdk.RegisterTaskDefinitionInput) (*sdk.RegisterTaskDefinitionInput, []types.Compatibility, error) {
	def := *in
	def.Tags = nil
	normalize(&def)
	if err := checkDefinition(&def); err != nil {
		return nil, nil, err
	}
	size, err := awsjson.Marshal(&def)
	if err != nil {
		return nil, nil, err
	}
	if len(size) > maxDefinition {
		return nil, nil, refuse.Client("Actual length: '%d'. Max allowed length is '%d' bytes.", len(size), maxDefinition)
	}
	compatible, err := compatibilities(&def)
	if err != nil {
		return nil, nil, err
	}
	return &def, compatible, nil
}
