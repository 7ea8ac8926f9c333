package definition

import (
	"slices"

	"github.com/ashore/ashore/internal/ecs/refuse"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// managedDrivers are the log drivers of managed instances.
var managedDrivers = append(slices.Clone(fargateDrivers), types.LogDriverJsonFile)

func managedRefusal(def *sdk.RegisterTaskDefinitionInput) error {
	switch {
	case def.NetworkMode != types.NetworkModeAwsvpc && def.NetworkMode != types.NetworkModeHost:
		return refuse.Client("Managed instances only support network modes 'awsvpc' and 'host'.")
	case def.Cpu == nil || def.Memory == nil:
		return refuse.Client("Managed instances require that 'cpu' and 'memory' be defined at the task level.")
	case def.RuntimePlatform != nil && OnWindows(def.RuntimePlatform.OperatingSystemFamily):
		return refuse.Client("Managed instances do not support Windows containers.")
	case def.IpcMode != "":
		return refuse.Client("Managed instances do not support 'ipcMode'.")
	case def.EphemeralStorage != nil:
		return refuse.Client("Managed instances do not support 'ephemeralStorage'.")
	case def.ProxyConfiguration != nil:
		return refuse.Client("Managed instances do not support 'proxyConfiguration'.")
	case len(def.InferenceAccelerators) > 0:
		return refuse.Client("Managed instances do not support 'inferenceAccelerators'.")
	}
	for i := range def.Volumes {
		if v := &def.Volumes[i]; v.DockerVolumeConfiguration != nil || v.FsxWindowsFileServerVolumeConfiguration != nil {
			return refuse.Client("Managed instances do not support the configuration of volume '%s'.", *v.Name)
		}
	}
	for i := range def.ContainerDefinitions {
		c := &def.ContainerDefinitions[i]
		field := ""
		switch l := c.LinuxParameters; {
		case len(c.Links) > 0:
			field = "links"
		case aws.ToBool(c.DisableNetworking):
			field = "disableNetworking"
		case networkNames(c) != "":
			field = networkNames(c)
		case len(c.DockerSecurityOptions) > 0:
			field = "dockerSecurityOptions"
		case l != nil && l.SharedMemorySize != nil:
			field = "linuxParameters.sharedMemorySize"
		case l != nil && (l.MaxSwap != nil || l.Swappiness != nil):
			field = "linuxParameters.maxSwap and swappiness"
		case c.LogConfiguration != nil && !slices.Contains(managedDrivers, c.LogConfiguration.LogDriver):
			return notADriver(c.LogConfiguration.LogDriver, managedDrivers)
		}
		if field != "" {
			return refuse.Client("Managed instances do not support '%s' (container '%s').", field, *c.Name)
		}
	}
	return nil
}
