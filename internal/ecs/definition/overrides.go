package definition

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/ashore/ashore/internal/aws/protocol/awsjson"
	"github.com/ashore/ashore/internal/ecs/refuse"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// maxOverrides is how many characters overrides may have as JSON.
const maxOverrides = 8192

// CheckOverrides checks overrides against the definition. It returns them with the
// task's cpu and memory in units and MiB.
func CheckOverrides(def *sdk.RegisterTaskDefinitionInput, o *types.TaskOverride) (*types.TaskOverride, error) {
	if o == nil {
		return nil, nil
	}
	size, err := awsjson.Marshal(o)
	if err != nil {
		return nil, err
	}
	if len(size) > maxOverrides {
		return nil, refuse.Invalid("Container Overrides length must be at most %d", maxOverrides)
	}
	seen := map[string]bool{}
	for i := range o.ContainerOverrides {
		co := &o.ContainerOverrides[i]
		name := aws.ToString(co.Name)
		c := Container(def, name)
		switch {
		case name == "":
			return nil, refuse.Invalid("Container override name should not be null or empty.")
		case c == nil:
			return nil, refuse.Invalid("Override for container named %s is not a container in the TaskDefinition.", name)
		case seen[name]:
			return nil, refuse.Invalid("overrides: the container %s is given twice.", name)
		}
		seen[name] = true
		if err := checkContainerOverride(def, c, co); err != nil {
			return nil, err
		}
	}
	for field, role := range map[string]*string{"executionRoleArn": o.ExecutionRoleArn, "taskRoleArn": o.TaskRoleArn} {
		if r := aws.ToString(role); r != "" && !rolePattern.MatchString(r) {
			return nil, refuse.Invalid("overrides.%s %q is neither the ARN of an IAM role (arn:aws:iam::ACCOUNT:role/NAME) nor the name of one.", field, r)
		}
	}
	if err := checkAccelerators(def, o.InferenceAcceleratorOverrides); err != nil {
		return nil, err
	}
	if e := o.EphemeralStorage; e != nil && (e.SizeInGiB < 21 || e.SizeInGiB > 200) {
		return nil, refuse.Invalid("overrides.ephemeralStorage.sizeInGiB must be between 21 and 200, not %d.", e.SizeInGiB)
	}
	out := *o
	cpu, err := parseCPU(aws.ToString(o.Cpu))
	if err != nil || o.Cpu != nil && (cpu < 128 || cpu > 196608) {
		return nil, refuse.Invalid("overrides.cpu must be between 128 and 196608 CPU units, or the same in vCPUs, not %q.", aws.ToString(o.Cpu))
	}
	memory, err := parseMemory(aws.ToString(o.Memory))
	if err != nil || o.Memory != nil && memory == 0 {
		return nil, refuse.Invalid("overrides.memory must be a number of MiB, or of GB, not %q.", aws.ToString(o.Memory))
	}
	if cpu > 0 {
		out.Cpu = aws.String(strconv.Itoa(cpu))
	}
	if memory > 0 {
		out.Memory = aws.String(strconv.Itoa(memory))
	}
	return &out, checkOverriddenSize(def, &out)
}

var rolePattern = regexp.MustCompile(`^(arn:aws[a-z-]*:iam::[0-9]*:role/)?[\w+=,.@/-]{1,512}$`)

// Container returns the container of a definition with this name, or nil.
func Container(def *sdk.RegisterTaskDefinitionInput, name string) *types.ContainerDefinition {
	for i := range def.ContainerDefinitions {
		if c := &def.ContainerDefinitions[i]; aws.ToString(c.Name) == name {
			return c
		}
	}
	return nil
}

// checkContainerOverride checks the overrides of one container.
func checkContainerOverride(def *sdk.RegisterTaskDefinitionInput, c *types.ContainerDefinition, co *types.ContainerOverride) error {
	name := *co.Name
	switch {
	case co.Cpu != nil && *co.Cpu < 0:
		return refuse.Invalid("overrides: the cpu of container %s must not be negative.", name)
	case co.Memory != nil && *co.Memory < 4, co.MemoryReservation != nil && *co.MemoryReservation < 4:
		return refuse.Invalid("overrides: memory and memoryReservation of container %s must be at least 4 MiB.", name)
	case len(co.EnvironmentFiles) > 10:
		return refuse.Invalid("overrides: the environmentFiles of container %s can have at most 10 entries, not %d.", name, len(co.EnvironmentFiles))
	}
	memory, soft := c.Memory, c.MemoryReservation
	if co.Memory != nil {
		memory = co.Memory
	}
	if co.MemoryReservation != nil {
		soft = co.MemoryReservation
	}
	if memory != nil && soft != nil && *memory < *soft {
		return refuse.Invalid("overrides: the memory of container %s (%d) must not be less than its memoryReservation (%d).", name, *memory, *soft)
	}
	for _, e := range co.Environment {
		if n := aws.ToString(e.Name); n == "" || strings.ContainsAny(n, "=\x00") {
			return refuse.Invalid("overrides: the environment of container %s has the invalid name %q.", name, n)
		}
	}
	for _, f := range co.EnvironmentFiles {
		if v := aws.ToString(f.Value); !s3Object.MatchString(v) {
			return refuse.Invalid("overrides: the environmentFiles of container %s: the value %q is not the ARN of an Amazon S3 object (arn:aws:s3:::BUCKET/KEY.env).", name, v)
		}
	}
	return checkRequirements(def, name, co.ResourceRequirements)
}

var s3Object = regexp.MustCompile(`^arn:aws[a-z-]*:s3:::[^/]+/.+\.env$`)

// checkRequirements checks the resources that an override asks for. It does not check
// how many GPUs a host has; placement does.
func checkRequirements(def *sdk.RegisterTaskDefinitionInput, container string, rs []types.ResourceRequirement) error {
	seen := map[types.ResourceType]bool{}
	for _, r := range rs {
		v := aws.ToString(r.Value)
		switch r.Type {
		case types.ResourceTypeGpu:
			if seen[r.Type] {
				return refuse.Invalid("overrides: the resourceRequirements of container %s name the type GPU twice.", container)
			}
			if _, err := countGPUs(container, []types.ResourceRequirement{r}); err != nil {
				return refuse.Invalid("overrides: the resourceRequirements of container %s: the number of GPUs must be between 1 and 64, not %q.", container, v)
			}
		case types.ResourceTypeInferenceAccelerator:
			if !hasAccelerator(def, v) {
				return refuse.Invalid("overrides: the resourceRequirements of container %s: %q is not the deviceName of an inferenceAccelerator in the task definition.", container, v)
			}
		default:
			return refuse.Invalid("overrides: the resourceRequirements of container %s: the type %q can't be overridden; GPU and InferenceAccelerator can.", container, r.Type)
		}
		seen[r.Type] = true
	}
	return nil
}

func hasAccelerator(def *sdk.RegisterTaskDefinitionInput, device string) bool {
	for _, a := range def.InferenceAccelerators {
		if aws.ToString(a.DeviceName) == device {
			return true
		}
	}
	return false
}

func checkAccelerators(def *sdk.RegisterTaskDefinitionInput, os []types.InferenceAcceleratorOverride) error {
	for _, o := range os {
		device := aws.ToString(o.DeviceName)
		switch {
		case !hasAccelerator(def, device):
			return refuse.Invalid("overrides.inferenceAcceleratorOverrides: %q is not the deviceName of an inferenceAccelerator in the task definition.", device)
		case aws.ToString(o.DeviceType) == "":
			return refuse.Invalid("overrides.inferenceAcceleratorOverrides: the deviceType of %q can not be blank.", device)
		}
	}
	return nil
}

// checkOverriddenSize checks the containers' cpu and memory against the task's, both
// with the overrides applied.
func checkOverriddenSize(def *sdk.RegisterTaskDefinitionInput, o *types.TaskOverride) error {
	cpu, memory, err := TaskSize(def, o)
	if err != nil {
		return err
	}
	cpus, sum := 0, 0
	for i := range def.ContainerDefinitions {
		c := &def.ContainerDefinitions[i]
		var out types.Container
		ContainerSize(&out, c, ContainerOverride(o, aws.ToString(c.Name)))
		units, err := strconv.Atoi(aws.ToString(out.Cpu))
		if err != nil {
			return err
		}
		cpus += units
		for _, m := range []*string{out.Memory, out.MemoryReservation} {
			if m == nil {
				continue
			}
			mib, err := strconv.Atoi(*m)
			if err != nil {
				return err
			}
			if memory > 0 && mib > memory {
				return refuse.Invalid("overrides: the memory of container %s (%d MiB) is greater than the task's (%d MiB).", *c.Name, mib, memory)
			}
			if m == out.MemoryReservation {
				sum += mib
			}
		}
	}
	switch {
	case cpu > 0 && cpus > cpu:
		return refuse.Invalid("overrides: the task's cpu (%d) is less than the sum of its containers' (%d).", cpu, cpus)
	case memory > 0 && sum > memory:
		return refuse.Invalid("overrides: the task's memory (%d MiB) is less than the sum that its containers reserve (%d MiB).", memory, sum)
	}
	return nil
}

// TaskSize returns the task's own cpu and memory in units and MiB, with overrides
// applied; 0 means that it is not set.
func TaskSize(def *sdk.RegisterTaskDefinitionInput, o *types.TaskOverride) (cpu, memory int, err error) {
	units, mib := aws.ToString(def.Cpu), aws.ToString(def.Memory)
	if o != nil {
		if o.Cpu != nil {
			units = *o.Cpu
		}
		if o.Memory != nil {
			mib = *o.Memory
		}
	}
	if cpu, err = parseCPU(units); err != nil {
		return 0, 0, err
	}
	memory, err = parseMemory(mib)
	return cpu, memory, err
}
