package definition

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/ashore/ashore/internal/control/query"
	"github.com/ashore/ashore/internal/ecs/refuse"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// checkDefinition checks a normalized definition by ECS's rules. Each message names
// the member and the rule. Where ECS's own text is known, the message is that text.
func checkDefinition(def *sdk.RegisterTaskDefinitionInput) error {
	family := aws.ToString(def.Family)
	switch {
	case family == "":
		return refuse.Client("Family should not be null or empty.")
	case !fleet.ValidName(family):
		return refuse.Client("Family contains invalid characters: %q. Up to 255 letters (uppercase and lowercase), numbers, underscores, and hyphens are allowed.", family)
	case len(def.ContainerDefinitions) == 0:
		return refuse.Client("Container list cannot be empty.")
	case len(def.ContainerDefinitions) > 10:
		return refuse.Client("Task definition has %d containers; at most 10 are allowed.", len(def.ContainerDefinitions))
	}
	for _, check := range []func(*sdk.RegisterTaskDefinitionInput) error{checkModes, checkRoles, checkPlatform, checkConstraints, checkStorage, checkTaskSize} {
		if err := check(def); err != nil {
			return err
		}
	}
	volumes, err := checkDefinedVolumes(def)
	if err != nil {
		return err
	}
	names, err := checkNames(def)
	if err != nil {
		return err
	}
	for i := range def.ContainerDefinitions {
		s := subject{def: def, c: &def.ContainerDefinitions[i], names: names, volumes: volumes}
		if err := s.check(); err != nil {
			return err
		}
	}
	for _, check := range []func(*sdk.RegisterTaskDefinitionInput, map[string]int) error{checkDependencies, checkFirelens, checkProxy, checkDevices, checkPorts} {
		if err := check(def, names); err != nil {
			return err
		}
	}
	return nil
}

// checkModes checks the enumerations of the task itself, and what its network mode
// excludes.
func checkModes(def *sdk.RegisterTaskDefinitionInput) error {
	switch def.NetworkMode {
	case "", types.NetworkModeBridge, types.NetworkModeHost, types.NetworkModeNone, types.NetworkModeAwsvpc:
	default:
		return refuse.Client("Invalid network mode %q: it must be bridge, host, awsvpc or none.", def.NetworkMode)
	}
	if err := checkEnum("pidMode", def.PidMode, types.PidModeHost, types.PidModeTask); err != nil {
		return err
	}
	if err := checkEnum("ipcMode", def.IpcMode, types.IpcModeHost, types.IpcModeTask, types.IpcModeNone); err != nil {
		return err
	}
	if aws.ToBool(def.EnableFaultInjection) && def.NetworkMode != types.NetworkModeAwsvpc && def.NetworkMode != types.NetworkModeHost {
		return refuse.Client("enableFaultInjection is only supported when networkMode is awsvpc or host.")
	}
	return nil
}

// A role is a name or a full ARN; the path is a part of the ARN.
var roleName = regexp.MustCompile(`^(arn:aws[a-z-]*:iam::[0-9]{12}:role/([\x21-\x7e]{1,510}/)?)?[\w+=,.@-]{1,64}$`)

func checkRoles(def *sdk.RegisterTaskDefinitionInput) error {
	for _, r := range []struct {
		field string
		value *string
	}{{"taskRoleArn", def.TaskRoleArn}, {"executionRoleArn", def.ExecutionRoleArn}} {
		if r.value != nil && !roleName.MatchString(*r.value) {
			return refuse.Client("Role is not valid: %s must be the name or the ARN of an IAM role, not %q.", r.field, *r.value)
		}
	}
	return nil
}

func checkConstraints(def *sdk.RegisterTaskDefinitionInput) error {
	if len(def.PlacementConstraints) > 10 {
		return refuse.Client("placementConstraints: at most 10 are allowed, not %d.", len(def.PlacementConstraints))
	}
	for _, c := range def.PlacementConstraints {
		if c.Type != types.TaskDefinitionPlacementConstraintTypeMemberOf {
			return refuse.Client("placementConstraints.type must be memberOf in a task definition, not %q.", c.Type)
		}
		if strings.TrimSpace(aws.ToString(c.Expression)) == "" {
			return refuse.Client("placementConstraints.expression should not be null or empty.")
		}
		if _, err := query.Parse(*c.Expression); err != nil {
			return refuse.Client("placementConstraints.expression %q is invalid: %v.", *c.Expression, err)
		}
	}
	return nil
}

func checkStorage(def *sdk.RegisterTaskDefinitionInput) error {
	s := def.EphemeralStorage
	switch {
	case s == nil:
		return nil
	case s.SizeInGiB < 21:
		return refuse.Client("EphemeralStorage size should be at least 21.")
	case s.SizeInGiB > 200:
		return refuse.Client("EphemeralStorage size should be at most 200.")
	case len(def.RequiresCompatibilities) > 0 && !slices.Contains(def.RequiresCompatibilities, types.CompatibilityFargate):
		return refuse.Client("Tasks using the EC2 launch type do not support EphemeralStorage.")
	}
	return nil
}

// checkNames returns the indexes of the containers by their names.
func checkNames(def *sdk.RegisterTaskDefinitionInput) (map[string]int, error) {
	names := map[string]int{}
	essential := false
	for i := range def.ContainerDefinitions {
		c := &def.ContainerDefinitions[i]
		name := aws.ToString(c.Name)
		switch {
		case name == "":
			return nil, refuse.Client("Container.name should not be null or empty.")
		case !fleet.ValidName(name):
			return nil, refuse.Client("Container.name contains invalid characters: %q. Up to 255 letters (uppercase and lowercase), numbers, underscores, and hyphens are allowed.", name)
		}
		if _, twice := names[name]; twice {
			return nil, refuse.Client("Container names must be unique within a task definition: %q is given twice.", name)
		}
		names[name] = i
		essential = essential || aws.ToBool(c.Essential)
	}
	if !essential {
		return nil, refuse.Client("Task definition doesn't have any essential container.")
	}
	return names, nil
}

// checkEnum accepts the zero value, which means that the member was not given.
func checkEnum[E ~string](field string, v E, known ...E) error {
	if v == "" || slices.Contains(known, v) {
		return nil
	}
	return refuse.Client("Invalid setting for %s: %q is unknown; known are %v.", field, v, known)
}

// subject is a container whose definition is checked, within its task.
type subject struct {
	def     *sdk.RegisterTaskDefinitionInput
	c       *types.ContainerDefinition
	names   map[string]int  // indexes of all containers, by name
	volumes map[string]bool // names of the task's volumes
}

// newError returns the refusal of a member of the container.
func (s subject) newError(format string, args ...any) error {
	return refuse.Client("Invalid setting for container '"+aws.ToString(s.c.Name)+"'. "+format, args...)
}

// checkBetween checks an optional number.
func (s subject) checkBetween(field string, v *int32, low, top int32) error {
	if v != nil && (*v < low || *v > top) {
		return s.newError("'%s' must be between %d and %d, not %d.", field, low, top, *v)
	}
	return nil
}

func isIP(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil
}

// isAbsolute reports whether s is an absolute path, in a Linux or a Windows
// container.
func isAbsolute(s string) bool {
	drive := len(s) > 2 && s[1] == ':' && (s[2] == '\\' || s[2] == '/')
	return strings.HasPrefix(s, "/") || drive || strings.HasPrefix(s, `\\`)
}

// isResourceARN reports whether s is an ARN of one of the services.
func isResourceARN(s string, services ...string) bool {
	p := strings.SplitN(s, ":", 6)
	return len(p) == 6 && p[0] == "arn" && p[1] != "" && p[5] != "" && slices.Contains(services, p[2])
}
