package definition

import (
	"github.com/ashore/ashore/internal/ecs/refuse"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/smithy-go"
)

// compatibilities returns the launch types that a valid definition suits. It refuses
// a definition that does not suit those that it requires.
func compatibilities(def *sdk.RegisterTaskDefinitionInput) ([]types.Compatibility, error) {
	var out []types.Compatibility
	why := map[types.Compatibility]error{
		types.CompatibilityExternal:         externalRefusal(def),
		types.CompatibilityEc2:              ec2Refusal(def),
		types.CompatibilityFargate:          fargateRefusal(def),
		types.CompatibilityManagedInstances: managedRefusal(def),
	}
	for _, c := range []types.Compatibility{types.CompatibilityExternal, types.CompatibilityEc2, types.CompatibilityFargate, types.CompatibilityManagedInstances} {
		if why[c] == nil {
			out = append(out, c)
		}
	}
	if def.EphemeralStorage != nil && why[types.CompatibilityFargate] != nil {
		return nil, refuse.Client("ephemeralStorage is only supported for tasks on Fargate. %s", errorText(why[types.CompatibilityFargate]))
	}
	for _, c := range def.RequiresCompatibilities {
		err, known := why[c]
		if !known {
			return nil, refuse.Client("Invalid setting for requiresCompatibilities: %q is unknown; known are EC2, FARGATE, EXTERNAL and MANAGED_INSTANCES.", c)
		}
		if err != nil {
			return nil, err
		}
	}
	if len(out) == 0 {
		return nil, why[types.CompatibilityEc2]
	}
	return out, nil
}

// errorText returns the text of a refusal.
func errorText(err error) string {
	if e, ok := err.(smithy.APIError); ok {
		return e.ErrorMessage()
	}
	return err.Error()
}

// OnWindows reports whether an operating system family is one of Windows.
func OnWindows(f types.OSFamily) bool { return f != "" && f != types.OSFamilyLinux }
