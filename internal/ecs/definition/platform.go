package definition

import (
	"strings"

	"github.com/ashore/ashore/internal/ecs/refuse"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

func checkPlatform(def *sdk.RegisterTaskDefinitionInput) error {
	p := def.RuntimePlatform
	if p == nil {
		return nil
	}
	if err := checkEnum("runtimePlatform.cpuArchitecture", p.CpuArchitecture, types.CPUArchitectureX8664, types.CPUArchitectureArm64); err != nil {
		return err
	}
	if err := checkEnum("runtimePlatform.operatingSystemFamily", p.OperatingSystemFamily, p.OperatingSystemFamily.Values()...); err != nil {
		return err
	}
	if !OnWindows(p.OperatingSystemFamily) {
		return nil
	}
	switch {
	case p.CpuArchitecture == types.CPUArchitectureArm64:
		return refuse.Client("runtimePlatform: the cpuArchitecture ARM64 is not supported with the operatingSystemFamily %s.", p.OperatingSystemFamily)
	case def.NetworkMode != "" && def.NetworkMode != types.NetworkModeAwsvpc:
		return refuse.Client("networkMode %s is not supported for Windows containers: it must be awsvpc, or left out.", def.NetworkMode)
	case def.PidMode != "":
		return refuse.Client("pidMode is not supported for Windows containers.")
	case def.IpcMode != "":
		return refuse.Client("ipcMode is not supported for Windows containers.")
	case aws.ToBool(def.EnableFaultInjection):
		return refuse.Client("enableFaultInjection is not supported for Windows containers.")
	}
	return nil
}

// checkOnWindows refuses what the API reference does not offer for Windows
// containers.
func (s subject) checkOnWindows() error {
	if s.def.RuntimePlatform == nil || !OnWindows(s.def.RuntimePlatform.OperatingSystemFamily) {
		return nil
	}
	c := s.c
	field := ""
	switch {
	case aws.ToBool(c.Privileged):
		field = "privileged"
	case c.User != nil:
		field = "user"
	case aws.ToBool(c.ReadonlyRootFilesystem):
		field = "readonlyRootFilesystem"
	case c.LinuxParameters != nil:
		field = "linuxParameters"
	case len(c.Links) > 0:
		field = "links"
	case len(c.Ulimits) > 0:
		field = "ulimits"
	case len(c.ExtraHosts) > 0:
		field = "extraHosts"
	case len(c.DnsServers) > 0:
		field = "dnsServers"
	case len(c.DnsSearchDomains) > 0:
		field = "dnsSearchDomains"
	case aws.ToBool(c.DisableNetworking):
		field = "disableNetworking"
	case len(c.SystemControls) > 0:
		field = "systemControls"
	}
	for _, o := range c.DockerSecurityOptions {
		if !strings.HasPrefix(o, "credentialspec:") {
			field = "dockerSecurityOptions"
		}
	}
	if field == "" {
		return nil
	}
	return s.newError("'%s' is not supported for Windows containers.", field)
}
