package ecs

import (
	"strings"

	"github.com/ashore/ashore/internal/ecs/refuse"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// newGroup checks a capacity provider's Auto Scaling group and fills in ECS's
// defaults.
func newGroup(in *types.AutoScalingGroupProvider) (*types.AutoScalingGroupProvider, error) {
	arn := aws.ToString(in.AutoScalingGroupArn)
	switch {
	case arn == "":
		return nil, refuse.Invalid("autoScalingGroupProvider.autoScalingGroupArn: the Auto Scaling group can not be blank.")
	case len(arn) > 1600:
		return nil, refuse.Invalid("autoScalingGroupProvider.autoScalingGroupArn: a name or ARN has at most 1600 characters, not %d.", len(arn))
	case strings.HasPrefix(arn, "arn:"):
		if p := strings.SplitN(arn, ":", 6); len(p) != 6 || p[2] != "autoscaling" || !strings.HasPrefix(p[5], "autoScalingGroup:") || !strings.Contains(p[5], ":autoScalingGroupName/") {
			return nil, refuse.Invalid("autoScalingGroupProvider.autoScalingGroupArn: %q is not the ARN of an Auto Scaling group.", arn)
		}
	}
	out := &types.AutoScalingGroupProvider{
		AutoScalingGroupArn:          in.AutoScalingGroupArn,
		ManagedDraining:              valueOr(in.ManagedDraining, types.ManagedDrainingEnabled),
		ManagedTerminationProtection: valueOr(in.ManagedTerminationProtection, types.ManagedTerminationProtectionDisabled),
		ManagedScaling: &types.ManagedScaling{
			Status: types.ManagedScalingStatusDisabled, TargetCapacity: aws.Int32(100),
			MinimumScalingStepSize: aws.Int32(1), MaximumScalingStepSize: aws.Int32(10000), InstanceWarmupPeriod: aws.Int32(300),
		},
	}
	applyScaling(out.ManagedScaling, in.ManagedScaling)
	return out, checkGroup(out)
}

// updateGroup returns a group with the request's changes; other members stay.
func updateGroup(was *types.AutoScalingGroupProvider, in *types.AutoScalingGroupProviderUpdate) (*types.AutoScalingGroupProvider, error) {
	scaling := *was.ManagedScaling
	out := &types.AutoScalingGroupProvider{
		AutoScalingGroupArn:          was.AutoScalingGroupArn,
		ManagedDraining:              valueOr(in.ManagedDraining, was.ManagedDraining),
		ManagedTerminationProtection: valueOr(in.ManagedTerminationProtection, was.ManagedTerminationProtection),
		ManagedScaling:               &scaling,
	}
	applyScaling(out.ManagedScaling, in.ManagedScaling)
	return out, checkGroup(out)
}

// applyScaling copies the members of managed scaling that a request has.
func applyScaling(out, in *types.ManagedScaling) {
	if in == nil {
		return
	}
	out.Status = valueOr(in.Status, out.Status)
	for _, m := range []struct{ out, in **int32 }{
		{&out.TargetCapacity, &in.TargetCapacity},
		{&out.MinimumScalingStepSize, &in.MinimumScalingStepSize},
		{&out.MaximumScalingStepSize, &in.MaximumScalingStepSize},
		{&out.InstanceWarmupPeriod, &in.InstanceWarmupPeriod},
	} {
		if *m.in != nil {
			*m.out = *m.in
		}
	}
}

func checkGroup(g *types.AutoScalingGroupProvider) error {
	const at = "autoScalingGroupProvider.managedScaling."
	s := g.ManagedScaling
	for _, m := range []struct {
		name     string
		value    int32
		min, max int32
	}{
		{"targetCapacity", *s.TargetCapacity, 1, 100},
		{"minimumScalingStepSize", *s.MinimumScalingStepSize, 1, 10000},
		{"maximumScalingStepSize", *s.MaximumScalingStepSize, 1, 10000},
		{"instanceWarmupPeriod", *s.InstanceWarmupPeriod, 0, 10000},
	} {
		if m.value < m.min || m.value > m.max {
			return refuse.Invalid(at+"%s: it must be between %d and %d, not %d.", m.name, m.min, m.max, m.value)
		}
	}
	if *s.MinimumScalingStepSize > *s.MaximumScalingStepSize {
		return refuse.Invalid(at+"minimumScalingStepSize: it must not be greater than maximumScalingStepSize, and %d is greater than %d.", *s.MinimumScalingStepSize, *s.MaximumScalingStepSize)
	}
	if g.ManagedTerminationProtection == types.ManagedTerminationProtectionEnabled && s.Status != types.ManagedScalingStatusEnabled {
		return refuse.Client("The managed termination protection setting for the capacity provider is invalid. To enable managed termination protection for a capacity provider, managed scaling must be enabled. (autoScalingGroupProvider.managedTerminationProtection)")
	}
	return nil
}

func valueOr[S ~string](s, otherwise S) S {
	if s == "" {
		return otherwise
	}
	return s
}
