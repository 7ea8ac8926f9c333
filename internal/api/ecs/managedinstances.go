package ecs

import (
	"regexp"
	"strings"

	"github.com/ashore/ashore/internal/ecs/refuse"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// newManaged checks a capacity provider of managed instances and fills in ECS's
// defaults.
func newManaged(in *types.CreateManagedInstancesProviderConfiguration) (*types.ManagedInstancesProvider, error) {
	p := &types.ManagedInstancesProvider{
		AutoRepairConfiguration: in.AutoRepairConfiguration, InfrastructureOptimization: in.InfrastructureOptimization,
		InfrastructureRoleArn: in.InfrastructureRoleArn, PropagateTags: valueOr(in.PropagateTags, types.PropagateMITagsNone),
	}
	t := *in.InstanceLaunchTemplate
	t.CapacityOptionType = valueOr(t.CapacityOptionType, types.CapacityOptionTypeOnDemand)
	t.Monitoring = valueOr(t.Monitoring, types.ManagedInstancesMonitoringOptionsBasic)
	p.InstanceLaunchTemplate = &t
	return p, checkManaged(p)
}

// updateManaged returns a provider with the request's changes; other members stay.
func updateManaged(was *types.ManagedInstancesProvider, in *types.UpdateManagedInstancesProviderConfiguration) (*types.ManagedInstancesProvider, error) {
	p := *was
	p.InfrastructureRoleArn = in.InfrastructureRoleArn
	p.PropagateTags = valueOr(in.PropagateTags, was.PropagateTags)
	replaceIfSet(&p.AutoRepairConfiguration, in.AutoRepairConfiguration)
	replaceIfSet(&p.InfrastructureOptimization, in.InfrastructureOptimization)
	t := *was.InstanceLaunchTemplate
	u := in.InstanceLaunchTemplate
	replaceIfSet(&t.CapacityReservations, u.CapacityReservations)
	replaceIfSet(&t.Ec2InstanceProfileArn, u.Ec2InstanceProfileArn)
	replaceIfSet(&t.InstanceMetadataTagsPropagation, u.InstanceMetadataTagsPropagation)
	replaceIfSet(&t.InstanceRequirements, u.InstanceRequirements)
	replaceIfSet(&t.LocalStorageConfiguration, u.LocalStorageConfiguration)
	replaceIfSet(&t.NetworkConfiguration, u.NetworkConfiguration)
	replaceIfSet(&t.StorageConfiguration, u.StorageConfiguration)
	t.Monitoring = valueOr(u.Monitoring, t.Monitoring)
	p.InstanceLaunchTemplate = &t
	return &p, checkManaged(&p)
}

func replaceIfSet[T any](out **T, in *T) {
	if in != nil {
		*out = in
	}
}

const (
	managedAt      = "managedInstancesProvider."
	templateAt     = managedAt + "instanceLaunchTemplate."
	requirementsAt = templateAt + "instanceRequirements."
)

func checkManaged(p *types.ManagedInstancesProvider) error {
	if err := checkIAMARN(managedAt+"infrastructureRoleArn", p.InfrastructureRoleArn, "role/"); err != nil {
		return err
	}
	if o := p.InfrastructureOptimization; o != nil && o.ScaleInAfter != nil && (*o.ScaleInAfter < -1 || *o.ScaleInAfter > 3600) {
		return refuse.Invalid(managedAt+"infrastructureOptimization.scaleInAfter: it must be -1 or between 0 and 3600, not %d.", *o.ScaleInAfter)
	}
	t := p.InstanceLaunchTemplate
	if err := checkIAMARN(templateAt+"ec2InstanceProfileArn", t.Ec2InstanceProfileArn, "instance-profile/"); err != nil {
		return err
	}
	if len(t.NetworkConfiguration.Subnets) == 0 {
		return refuse.Invalid(templateAt + "networkConfiguration.subnets: at least one subnet is required.")
	}
	if s := t.StorageConfiguration; s != nil && s.StorageSizeGiB != nil && *s.StorageSizeGiB < 1 {
		return refuse.Invalid(templateAt+"storageConfiguration.storageSizeGiB: it must be at least 1, not %d.", *s.StorageSizeGiB)
	}
	reserved := t.CapacityOptionType == types.CapacityOptionTypeReserved
	if t.CapacityReservations != nil && !reserved {
		return refuse.Invalid(templateAt+"capacityReservations: it can only be given with the capacityOptionType RESERVED, and it is %s.", t.CapacityOptionType)
	}
	if reserved && t.CapacityReservations == nil {
		return refuse.Invalid(templateAt + "capacityReservations: it is required with the capacityOptionType RESERVED.")
	}
	return checkInstances(t.InstanceRequirements)
}

func checkIAMARN(field string, arn *string, kind string) error {
	p := strings.SplitN(aws.ToString(arn), ":", 6)
	if len(p) != 6 || p[0] != "arn" || p[2] != "iam" || !strings.HasPrefix(p[5], kind) || p[5] == kind {
		return refuse.Invalid("%s: %q is not the ARN of an IAM %s.", field, aws.ToString(arn), strings.ReplaceAll(strings.TrimSuffix(kind, "/"), "-", " "))
	}
	return nil
}

var instanceType = regexp.MustCompile(`^[a-zA-Z0-9.*-]{1,30}$`)

// checkInstances checks which instances may be chosen: each range must be valid, and
// allowed and excluded types exclude each other.
func checkInstances(r *types.InstanceRequirementsRequest) error {
	if r == nil {
		return nil
	}
	if len(r.AllowedInstanceTypes) > 0 && len(r.ExcludedInstanceTypes) > 0 {
		return refuse.Invalid(requirementsAt + "allowedInstanceTypes: it can't be given together with excludedInstanceTypes.")
	}
	for _, l := range []struct {
		name  string
		types []string
	}{{"allowedInstanceTypes", r.AllowedInstanceTypes}, {"excludedInstanceTypes", r.ExcludedInstanceTypes}} {
		if len(l.types) > 400 {
			return refuse.Invalid(requirementsAt+"%s: at most 400 instance types, not %d.", l.name, len(l.types))
		}
		for i, t := range l.types {
			if !instanceType.MatchString(t) {
				return refuse.Invalid(requirementsAt+"%s[%d]: %q is not an instance type: 1 to 30 letters, numbers, dots, hyphens and asterisks.", l.name, i, t)
			}
		}
	}
	if r.MaxSpotPriceAsPercentageOfOptimalOnDemandPrice != nil && r.SpotMaxPricePercentageOverLowestPrice != nil {
		return refuse.Invalid(requirementsAt + "maxSpotPriceAsPercentageOfOptimalOnDemandPrice: it can't be given together with spotMaxPricePercentageOverLowestPrice.")
	}
	for _, p := range []struct {
		name  string
		value *int32
	}{
		{"maxSpotPriceAsPercentageOfOptimalOnDemandPrice", r.MaxSpotPriceAsPercentageOfOptimalOnDemandPrice},
		{"spotMaxPricePercentageOverLowestPrice", r.SpotMaxPricePercentageOverLowestPrice},
		{"onDemandMaxPricePercentageOverLowestPrice", r.OnDemandMaxPricePercentageOverLowestPrice},
	} {
		if p.value != nil && *p.value < 0 {
			return refuse.Invalid(requirementsAt+"%s: it must not be negative.", p.name)
		}
	}
	errs := []error{
		checkBounds("vCpuCount", r.VCpuCount.Min, r.VCpuCount.Max, 1), checkBounds("memoryMiB", r.MemoryMiB.Min, r.MemoryMiB.Max, 1),
	}
	if m := r.AcceleratorCount; m != nil {
		errs = append(errs, checkBounds("acceleratorCount", m.Min, m.Max, 0))
	}
	if m := r.AcceleratorTotalMemoryMiB; m != nil {
		errs = append(errs, checkBounds("acceleratorTotalMemoryMiB", m.Min, m.Max, 0))
	}
	if m := r.BaselineEbsBandwidthMbps; m != nil {
		errs = append(errs, checkBounds("baselineEbsBandwidthMbps", m.Min, m.Max, 0))
	}
	if m := r.MemoryGiBPerVCpu; m != nil {
		errs = append(errs, checkBounds("memoryGiBPerVCpu", m.Min, m.Max, 0))
	}
	if m := r.NetworkBandwidthGbps; m != nil {
		errs = append(errs, checkBounds("networkBandwidthGbps", m.Min, m.Max, 0))
	}
	if m := r.NetworkInterfaceCount; m != nil {
		errs = append(errs, checkBounds("networkInterfaceCount", m.Min, m.Max, 1))
	}
	if m := r.TotalLocalStorageGB; m != nil {
		errs = append(errs, checkBounds("totalLocalStorageGB", m.Min, m.Max, 0))
	}
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func checkBounds[N int32 | float64](name string, from, to *N, least N) error {
	if from != nil && *from < least {
		return refuse.Invalid(requirementsAt+"%s.min: it must be at least %v, not %v.", name, least, *from)
	}
	if to != nil && *to < least {
		return refuse.Invalid(requirementsAt+"%s.max: it must be at least %v, not %v.", name, least, *to)
	}
	if from != nil && to != nil && *from > *to {
		return refuse.Invalid(requirementsAt+"%s: min must not be greater than max, and %v is greater than %v.", name, *from, *to)
	}
	return nil
}
