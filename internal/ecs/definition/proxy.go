package definition

import (
	"strconv"
	"strings"

	"github.com/ashore/ashore/internal/ecs/refuse"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// checkProxy checks the App Mesh proxy of a task.
func checkProxy(def *sdk.RegisterTaskDefinitionInput, names map[string]int) error {
	p := def.ProxyConfiguration
	if p == nil {
		return nil
	}
	if err := checkEnum("proxyConfiguration.type", p.Type, types.ProxyConfigurationTypeAppmesh); err != nil {
		return err
	}
	container := aws.ToString(p.ContainerName)
	if _, ok := names[container]; !ok {
		return refuse.Client("Proxy container [%s] does not exist.", container)
	}
	if def.NetworkMode != types.NetworkModeAwsvpc {
		return refuse.Client("APPMESH proxy configuration is only supported in networkMode=awsvpc.")
	}
	given := map[string]string{}
	for _, e := range p.Properties {
		name, value := aws.ToString(e.Name), aws.ToString(e.Value)
		switch name {
		case "ProxyIngressPort", "ProxyEgressPort":
			if !isPortNumber(value) {
				return refuse.Client("proxyConfiguration.properties: %s must be a port between 1 and 65535, not %q.", name, value)
			}
		case "AppPorts", "EgressIgnoredPorts":
			for port := range strings.SplitSeq(value, ",") {
				if value != "" && !isPortNumber(strings.TrimSpace(port)) {
					return refuse.Client("proxyConfiguration.properties: %s must be a list of ports between 1 and 65535, not %q.", name, value)
				}
			}
		case "IgnoredUID", "IgnoredGID":
			if _, err := strconv.ParseUint(value, 10, 32); value != "" && err != nil {
				return refuse.Client("proxyConfiguration.properties: %s must be a number, not %q.", name, value)
			}
		case "EgressIgnoredIPs":
		default:
			return refuse.Client("proxyConfiguration.properties: %q is unknown; known are IgnoredUID, IgnoredGID, AppPorts, ProxyIngressPort, ProxyEgressPort, EgressIgnoredPorts and EgressIgnoredIPs.", name)
		}
		given[name] = value
	}
	if given["IgnoredUID"] == "" && given["IgnoredGID"] == "" {
		return refuse.Client("proxyConfiguration.properties must have IgnoredUID or IgnoredGID.")
	}
	for _, name := range []string{"AppPorts", "ProxyIngressPort", "ProxyEgressPort"} {
		if given[name] == "" {
			return refuse.Client("proxyConfiguration.properties must have %s.", name)
		}
	}
	return nil
}

func isPortNumber(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0
}

// checkDevices checks that the accelerators match what the containers need of them.
func checkDevices(def *sdk.RegisterTaskDefinitionInput, _ map[string]int) error {
	wanted := map[string]bool{}
	var names []string // of wanted, in order
	neuron, gpus := "", ""
	for i := range def.ContainerDefinitions {
		c := &def.ContainerDefinitions[i]
		for _, r := range c.ResourceRequirements {
			switch r.Type {
			case types.ResourceTypeInferenceAccelerator:
				if n := aws.ToString(r.Value); !wanted[n] {
					wanted[n], names = true, append(names, n)
				}
			case types.ResourceTypeGpu:
				how := gpuOption(r)
				if gpus != "" && gpus != how {
					return refuse.Client("The containers of a task that request GPUs must all use the same option: some use %s, some %s.", gpus, how)
				}
				gpus = how
			case types.ResourceTypeNeuronDevice:
				if neuron != "" {
					return refuse.Client("Only one container of a task definition can have a resourceRequirement of the type NeuronDevice: '%s' and '%s' have one.", neuron, *c.Name)
				}
				neuron = *c.Name
			}
		}
	}
	declared := map[string]bool{}
	for _, a := range def.InferenceAccelerators {
		name := aws.ToString(a.DeviceName)
		switch {
		case name == "" || aws.ToString(a.DeviceType) == "":
			return refuse.Client("inferenceAccelerators must have a deviceName and a deviceType.")
		case declared[name]:
			return refuse.Client("inferenceAccelerators.deviceName must be unique: %q is given twice.", name)
		case !wanted[name]:
			return refuse.Client("inferenceAccelerators.deviceName %q must also be referenced in a container definition's resourceRequirements.", name)
		}
		declared[name] = true
	}
	for _, name := range names {
		if !declared[name] {
			return refuse.Client("resourceRequirements of the type InferenceAccelerator name %q, which inferenceAccelerators does not have.", name)
		}
	}
	return nil
}

// gpuOption returns the name of the way in which a container asks for GPUs.
func gpuOption(r types.ResourceRequirement) string {
	switch {
	case r.SharingStrategy != nil:
		return "sharingStrategy"
	case aws.ToString(r.Value) == "ALL":
		return "ALL"
	}
	return "a number"
}
