// Package definition decides about task definitions: whether one is valid, how it is
// stored, which launch types it suits, what it needs of a host and reserves there,
// and what a launch may override. All of it is pure: a definition in, a decision out.
package definition

import (
	_ "github.com/ashore/ashore/internal/aws/model/ecs" // unions inside definitions
	"github.com/ashore/ashore/internal/aws/protocol/awsjson"
	"github.com/ashore/ashore/internal/ecs/refuse"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// maxDefinition is ECS's limit for the size of a task definition, in bytes.
const maxDefinition = 64 << 10

// Define checks a definition that is to be registered. It returns the definition as
// it is stored, and the launch types that it suits.
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
