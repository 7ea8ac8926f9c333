package definition

import (
	"regexp"
	"slices"

	"github.com/ashore/ashore/internal/ecs/refuse"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

var (
	fileSystemID  = regexp.MustCompile(`^(arn:aws[a-z-]*:elasticfilesystem:[0-9a-z-:]+:file-system/)?fs-[0-9a-f]{8,40}$`)
	accessPointID = regexp.MustCompile(`^(arn:aws[a-z-]*:elasticfilesystem:[0-9a-z-:]+:access-point/)?fsap-[0-9a-f]{8,40}$`)
)

// checkDefinedVolumes checks the task's volumes and returns their names.
func checkDefinedVolumes(def *sdk.RegisterTaskDefinitionInput) (map[string]bool, error) {
	volumes := map[string]bool{}
	atLaunch := ""
	for i := range def.Volumes {
		v := &def.Volumes[i]
		name := aws.ToString(v.Name)
		if !fleet.ValidName(name) {
			return nil, refuse.Client("Volume.name %q is invalid. Up to 255 letters (uppercase and lowercase), numbers, underscores, and hyphens are allowed.", name)
		}
		if volumes[name] {
			return nil, refuse.Client("Volume names must be unique in a task definition: %q is given twice.", name)
		}
		volumes[name] = true
		kinds := 0
		for _, set := range []bool{
			v.Host != nil && v.Host.SourcePath != nil, v.DockerVolumeConfiguration != nil, v.EfsVolumeConfiguration != nil,
			v.FsxWindowsFileServerVolumeConfiguration != nil, v.S3filesVolumeConfiguration != nil, aws.ToBool(v.ConfiguredAtLaunch),
		} {
			if set {
				kinds++
			}
		}
		if kinds > 1 {
			return nil, refuse.Client("When the volume parameter is specified, only one volume configuration type should be used. (volume '%s')", name)
		}
		if aws.ToBool(v.ConfiguredAtLaunch) {
			if atLaunch != "" {
				return nil, refuse.Client("Only one volume of a task definition can be configuredAtLaunch: '%s' and '%s' are.", atLaunch, name)
			}
			atLaunch = name
			if !isMounted(def, name) {
				return nil, refuse.Client("Volumes [%s] are not referenced by any of the containers.", name)
			}
		}
		if err := checkVolume(v, volumeRefusal(name)); err != nil {
			return nil, err
		}
	}
	return volumes, nil
}

// isMounted reports whether a container mounts the volume.
func isMounted(def *sdk.RegisterTaskDefinitionInput, volume string) bool {
	return slices.ContainsFunc(def.ContainerDefinitions, func(c types.ContainerDefinition) bool {
		return slices.ContainsFunc(c.MountPoints, func(m types.MountPoint) bool { return aws.ToString(m.SourceVolume) == volume })
	})
}

func volumeRefusal(name string) func(string, ...any) error {
	return func(format string, args ...any) error {
		return refuse.Client("Invalid setting for volume '"+name+"'. "+format, args...)
	}
}

func checkVolume(v *types.Volume, wrong func(string, ...any) error) error {
	if v.Host != nil && v.Host.SourcePath != nil && *v.Host.SourcePath == "" {
		return refuse.Client("host.sourcePath should not be blank. (volume '%s')", *v.Name)
	}
	if d := v.DockerVolumeConfiguration; d != nil {
		if err := checkEnum("volume '"+*v.Name+"' scope", d.Scope, types.ScopeTask, types.ScopeShared); err != nil {
			return err
		}
		if d.Scope == types.ScopeTask && d.Autoprovision != nil && !*d.Autoprovision {
			return refuse.Client("When 'scope' parameter is 'task', 'autoprovision' must either not be specified or set to 'True'.")
		}
	}
	if e := v.EfsVolumeConfiguration; e != nil {
		return checkEFS(e, wrong)
	}
	if f := v.FsxWindowsFileServerVolumeConfiguration; f != nil {
		return checkFSx(f, wrong)
	}
	if s := v.S3filesVolumeConfiguration; s != nil {
		return checkS3Files(s, wrong)
	}
	return nil
}

func checkEFS(e *types.EFSVolumeConfiguration, wrong func(string, ...any) error) error {
	root := aws.ToString(e.RootDirectory)
	encrypted := e.TransitEncryption == types.EFSTransitEncryptionEnabled
	switch {
	case !fileSystemID.MatchString(aws.ToString(e.FileSystemId)):
		return wrong("'efsVolumeConfiguration.fileSystemId' %q is not the id of an EFS file system.", aws.ToString(e.FileSystemId))
	case root != "" && root[0] != '/':
		return wrong("'efsVolumeConfiguration.rootDirectory' must be an absolute path, not %q.", root)
	case e.TransitEncryptionPort != nil && !encrypted:
		return refuse.Client("TransitEncryptionPort requires that TransitEncryption is enabled.")
	case e.TransitEncryptionPort != nil && (*e.TransitEncryptionPort < 1 || *e.TransitEncryptionPort > 65535):
		return wrong("'efsVolumeConfiguration.transitEncryptionPort' must be between 1 and 65535, not %d.", *e.TransitEncryptionPort)
	}
	if err := checkEnum("efsVolumeConfiguration.transitEncryption", e.TransitEncryption, types.EFSTransitEncryptionEnabled, types.EFSTransitEncryptionDisabled); err != nil {
		return err
	}
	a := e.AuthorizationConfig
	if a == nil {
		return nil
	}
	if err := checkEnum("efsVolumeConfiguration.authorizationConfig.iam", a.Iam, types.EFSAuthorizationConfigIAMEnabled, types.EFSAuthorizationConfigIAMDisabled); err != nil {
		return err
	}
	point := aws.ToString(a.AccessPointId)
	switch {
	case a.Iam == types.EFSAuthorizationConfigIAMEnabled && !encrypted:
		return refuse.Client("EFS IAM authorization requires TransitEncryption to be enabled.")
	case point != "" && !accessPointID.MatchString(point):
		return wrong("'efsVolumeConfiguration.authorizationConfig.accessPointId' %q is not the id of an EFS access point.", point)
	case point != "" && !encrypted:
		return wrong("'efsVolumeConfiguration.transitEncryption' must be ENABLED when an access point is used.")
	case point != "" && root != "" && root != "/":
		return refuse.Client("When using an EFS access point, the root directory must either be set to \"/\" or be omitted.")
	}
	return nil
}

func checkFSx(f *types.FSxWindowsFileServerVolumeConfiguration, wrong func(string, ...any) error) error {
	a := f.AuthorizationConfig
	switch {
	case !fileSystemID.MatchString(aws.ToString(f.FileSystemId)):
		return wrong("'fsxWindowsFileServerVolumeConfiguration.fileSystemId' %q is not the id of an FSx file system.", aws.ToString(f.FileSystemId))
	case aws.ToString(f.RootDirectory) == "":
		return wrong("'fsxWindowsFileServerVolumeConfiguration.rootDirectory' should not be null or empty.")
	case a == nil:
		return wrong("'fsxWindowsFileServerVolumeConfiguration.authorizationConfig' should not be null or empty.")
	case !isResourceARN(aws.ToString(a.CredentialsParameter), "secretsmanager", "ssm"):
		return wrong("'fsxWindowsFileServerVolumeConfiguration.authorizationConfig.credentialsParameter' must be the ARN of a secret or of a parameter, not %q.", aws.ToString(a.CredentialsParameter))
	case aws.ToString(a.Domain) == "":
		return wrong("'fsxWindowsFileServerVolumeConfiguration.authorizationConfig.domain' should not be null or empty.")
	}
	return nil
}

func checkS3Files(s *types.S3FilesVolumeConfiguration, wrong func(string, ...any) error) error {
	root := aws.ToString(s.RootDirectory)
	switch {
	case !isResourceARN(aws.ToString(s.FileSystemArn), "s3files"):
		return wrong("'s3filesVolumeConfiguration.fileSystemArn' must be the ARN of an S3 Files file system, not %q.", aws.ToString(s.FileSystemArn))
	case s.AccessPointArn != nil && !isResourceARN(*s.AccessPointArn, "s3files"):
		return wrong("'s3filesVolumeConfiguration.accessPointArn' must be the ARN of an S3 Files access point, not %q.", *s.AccessPointArn)
	case root != "" && root[0] != '/':
		return wrong("'s3filesVolumeConfiguration.rootDirectory' must be an absolute path, not %q.", root)
	case s.AccessPointArn != nil && root != "" && root != "/":
		return wrong("'s3filesVolumeConfiguration.rootDirectory' must be left out or set to / when an access point is used, not %q.", root)
	case s.TransitEncryptionPort != nil && (*s.TransitEncryptionPort < 1 || *s.TransitEncryptionPort > 65535):
		return wrong("'s3filesVolumeConfiguration.transitEncryptionPort' must be between 1 and 65535, not %d.", *s.TransitEncryptionPort)
	}
	return nil
}

// checkMounts checks what a container mounts: volumes of the task, and those of other
// containers.
func (s subject) checkMounts() error {
	paths := map[string]bool{}
	for _, m := range s.c.MountPoints {
		v, path := aws.ToString(m.SourceVolume), aws.ToString(m.ContainerPath)
		switch {
		case !s.volumes[v]:
			return refuse.Client("Unknown volume '%s'.", v)
		case !isAbsolute(path):
			return s.newError("'mountPoints.containerPath' must be an absolute path, not %q.", path)
		case paths[path]:
			return s.newError("'mountPoints.containerPath' must be unique: %q is given twice.", path)
		}
		paths[path] = true
	}
	for _, v := range s.c.VolumesFrom {
		if _, ok := s.names[aws.ToString(v.SourceContainer)]; !ok {
			return refuse.Client("Invalid 'volumesFrom' setting. Unknown container: '%s'.", aws.ToString(v.SourceContainer))
		}
	}
	return nil
}
