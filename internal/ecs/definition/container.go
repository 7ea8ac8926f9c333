package definition

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/ashore/ashore/internal/ecs/refuse"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// check checks one container by itself and against what the task declares.
func (s subject) check() error {
	for _, check := range []func() error{
		s.checkImage, s.checkLimits, s.checkTimeouts, s.checkPortMappings, s.checkMounts, s.checkEnvironment, s.checkNetwork,
		s.checkSecurity, s.checkResources, s.checkLinux, s.checkSysctls, s.checkUlimits, s.checkLog, s.checkHealth, s.checkRestart,
		s.checkOnWindows,
	} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

var (
	imageName   = regexp.MustCompile(`^[A-Za-z0-9_:./#-]{1,255}$`)
	imageDigest = regexp.MustCompile(`^sha256:[A-Fa-f0-9]{64}$`)
)

func (s subject) checkImage() error {
	image := aws.ToString(s.c.Image)
	if image == "" {
		return refuse.Client("Container.image should not be null or empty.")
	}
	name, digest, pinned := strings.Cut(image, "@")
	switch {
	case len(name) > 255:
		return refuse.Client("Container.image of container '%s' has %d characters before its digest; at most 255 are allowed.", *s.c.Name, len(name))
	case !imageName.MatchString(name):
		return refuse.Client("Container.image contains invalid characters: %q of container '%s'.", image, *s.c.Name)
	case pinned && !imageDigest.MatchString(digest):
		return refuse.Client("Container.image contains invalid characters: the digest of %q of container '%s' must be sha256: and 64 hexadecimal digits.", image, *s.c.Name)
	}
	return checkEnum("container '"+*s.c.Name+"' versionConsistency", s.c.VersionConsistency, types.VersionConsistencyEnabled, types.VersionConsistencyDisabled)
}

// checkLimits checks the container's own cpu and memory.
func (s subject) checkLimits() error {
	memory, soft := aws.ToInt32(s.c.Memory), aws.ToInt32(s.c.MemoryReservation)
	switch {
	case s.c.Memory == nil && s.c.MemoryReservation == nil && aws.ToString(s.def.Memory) == "":
		return s.newError("At least one of 'memory' or 'memoryReservation' must be specified.")
	case s.c.Memory != nil && memory < 4:
		return s.newError("'memory' must be at least 4 MiB, not %d.", memory)
	case s.c.MemoryReservation != nil && soft < 4:
		return s.newError("'memoryReservation' must be at least 4 MiB, not %d.", soft)
	case s.c.Memory != nil && s.c.MemoryReservation != nil && memory < soft:
		return s.newError("'memory' must be greater than or equal to 'memoryReservation'.")
	case s.c.Cpu < 0:
		return s.newError("'cpu' must not be negative.")
	}
	return nil
}

func (s subject) checkTimeouts() error {
	if aws.ToInt32(s.c.StopTimeout) < 0 || aws.ToInt32(s.c.StartTimeout) < 0 {
		return s.newError("'startTimeout' and 'stopTimeout' must not be negative.")
	}
	return nil
}

// checkSecurity checks as which user the container runs, and what confines it.
func (s subject) checkSecurity() error {
	if u := s.c.User; u != nil {
		user, group, two := strings.Cut(*u, ":")
		if user == "" || (two && group == "") || strings.ContainsAny(*u, " \t\n\x00") || strings.Contains(group, ":") || isNegative(user) || isNegative(group) {
			return s.newError("'user' must have the form user, user:group, uid, uid:gid, user:gid or uid:group, not %q.", *u)
		}
	}
	for _, o := range s.c.DockerSecurityOptions {
		kind, value, has := strings.Cut(o, ":")
		known := o == "no-new-privileges" || has && value != "" && (kind == "apparmor" || kind == "label" || kind == "credentialspec" || kind == "no-new-privileges")
		if !known {
			return s.newError("'dockerSecurityOptions' must be no-new-privileges, apparmor:PROFILE, label:value or credentialspec:path, not %q.", o)
		}
	}
	if len(s.c.CredentialSpecs) > 1 {
		return s.newError("'credentialSpecs' can have at most 1 ARN, not %d.", len(s.c.CredentialSpecs))
	}
	for _, spec := range s.c.CredentialSpecs {
		arn, ok := strings.CutPrefix(spec, "credentialspec:")
		if !ok {
			arn, ok = strings.CutPrefix(spec, "credentialspecdomainless:")
		}
		if !ok || !isResourceARN(arn, "ssm", "s3") {
			return s.newError("'credentialSpecs' must be credentialspec: or credentialspecdomainless: and an ARN of SSM or S3, not %q.", spec)
		}
	}
	return nil
}

func isNegative(s string) bool {
	n, err := strconv.Atoi(s)
	return err == nil && n < 0
}

// checkResources checks GPUs and other devices that placement assigns.
func (s subject) checkResources() error {
	seen := map[types.ResourceType]bool{}
	for _, r := range s.c.ResourceRequirements {
		if err := checkEnum("container '"+*s.c.Name+"' resourceRequirements.type", r.Type, types.ResourceTypeGpu, types.ResourceTypeInferenceAccelerator, types.ResourceTypeNeuronDevice); err != nil {
			return err
		}
		if seen[r.Type] && r.Type != types.ResourceTypeInferenceAccelerator {
			return s.newError("'resourceRequirements' has the type %s twice.", r.Type)
		}
		seen[r.Type] = true
		value := aws.ToString(r.Value)
		switch r.Type {
		case types.ResourceTypeGpu:
			if r.SharingStrategy != nil {
				if value != "" {
					return s.newError("'resourceRequirements' of the type GPU must have either 'value' or 'sharingStrategy', not both.")
				}
				if err := s.checkSharing(r.SharingStrategy); err != nil {
					return err
				}
				continue
			}
			if value == "ALL" {
				continue
			}
			if n, err := strconv.Atoi(value); err != nil || n < 1 || n > 64 {
				return s.newError("The number of GPUs must be between 1 and 64, or ALL, not %q.", value)
			}
		case types.ResourceTypeNeuronDevice:
			if value != "ALL" {
				return s.newError("'resourceRequirements' of the type NeuronDevice must have the value ALL, not %q.", value)
			}
		case types.ResourceTypeInferenceAccelerator:
			if value == "" {
				return s.newError("'resourceRequirements' of the type InferenceAccelerator must name a deviceName.")
			}
		default:
			return s.newError("'resourceRequirements.type' should not be null or empty.")
		}
		if r.SharingStrategy != nil {
			return s.newError("'resourceRequirements.sharingStrategy' is only supported for the type GPU.")
		}
	}
	return nil
}

func (s subject) checkSharing(how types.SharingStrategy) error {
	mps, ok := how.(*types.SharingStrategyMemberNvidiaMps)
	switch {
	case !ok:
		return s.newError("'resourceRequirements.sharingStrategy' must be nvidiaMps.")
	case aws.ToInt32(mps.Value.Memory) < 1:
		return s.newError("'resourceRequirements.sharingStrategy.nvidiaMps.memory' must be at least 1 MiB, not %d.", aws.ToInt32(mps.Value.Memory))
	}
	return s.checkBetween("resourceRequirements.sharingStrategy.nvidiaMps.maxComputePercent", mps.Value.MaxComputePercent, 1, 100)
}

func (s subject) checkRestart() error {
	p := s.c.RestartPolicy
	if p == nil {
		return nil
	}
	switch {
	case p.Enabled == nil:
		return s.newError("'restartPolicy.enabled' should not be null or empty.")
	case len(p.IgnoredExitCodes) > 50:
		return s.newError("'restartPolicy.ignoredExitCodes' can have at most 50 exit codes, not %d.", len(p.IgnoredExitCodes))
	}
	if t := p.RestartAttemptPeriod; t != nil && (*t < 60 || *t > 1800) {
		return refuse.Client("The 'restartAttemptPeriod' setting for container '%s' must be between 60 and 1800.", *s.c.Name)
	}
	return nil
}
