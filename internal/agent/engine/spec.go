package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ashore/ashore/internal/agent/dockerdoc"
	"github.com/ashore/ashore/internal/agent/runtime"
	"github.com/ashore/ashore/internal/wire/acs"
)

// Labels of every container. The first five are those of ECS's agent.
const (
	LabelCluster      = "com.amazonaws.ecs.cluster"
	LabelTask         = "com.amazonaws.ecs.task-arn"
	LabelContainer    = "com.amazonaws.ecs.container-name"
	LabelFamily       = "com.amazonaws.ecs.task-definition-family"
	LabelVersion      = "com.amazonaws.ecs.task-definition-version"
	LabelInstallation = "dev.ashore.installation"
	LabelInstance     = "dev.ashore.instance"
	// LabelOutline has the data from which a lost journal is rebuilt: see outline.
	LabelOutline = "dev.ashore.task"
)

// outline is the part of a task's definition that matters while the task runs. It contains
// no environment and no settings.
type outline struct {
	NetworkMode string           `json:"networkMode,omitempty"`
	CPU         float64          `json:"cpu,omitempty"`
	Memory      int64            `json:"memory,omitempty"`
	Containers  []outlineElement `json:"containers"`
	Volumes     []acs.Volume     `json:"volumes,omitempty"`
}

type outlineElement struct {
	Name            string             `json:"name"`
	Image           string             `json:"image"`
	Essential       bool               `json:"essential,omitempty"`
	CPU             int64              `json:"cpu,omitempty"`
	Memory          int64              `json:"memory,omitempty"`
	StopTimeout     int                `json:"stopTimeout,omitempty"`
	HealthCheckType string             `json:"healthCheckType,omitempty"`
	DependsOn       []acs.Dependency   `json:"dependsOn,omitempty"`
	RestartPolicy   *acs.RestartPolicy `json:"restartPolicy,omitempty"`
	PortMappings    []acs.PortMapping  `json:"portMappings,omitempty"`
}

// encodeOutline returns a task's outline as JSON.
func encodeOutline(t *acs.Task) string {
	o := outline{NetworkMode: t.NetworkMode, CPU: t.CPU, Memory: t.Memory}
	for _, c := range t.Containers {
		o.Containers = append(o.Containers, outlineElement{
			c.Name, c.Image, c.Essential, c.CPU, c.Memory, c.StopTimeout, c.HealthCheckType, dependencies(&c), c.RestartPolicy, c.PortMappings,
		})
	}
	for _, v := range t.Volumes {
		if v.Docker != nil || (v.Host != nil && v.Host.SourcePath == "") {
			o.Volumes = append(o.Volumes, acs.Volume{Name: v.Name, Type: v.Type, Host: v.Host, Docker: v.Docker})
		}
	}
	data, err := json.Marshal(o)
	if err != nil {
		return "" // plain data always marshals
	}
	return string(data)
}

// task returns the task that an outline and a container's labels describe.
func (o outline) task(labels map[string]string) acs.Task {
	t := acs.Task{
		Arn: labels[LabelTask], DesiredStatus: acs.StatusRunning, Family: labels[LabelFamily], Version: labels[LabelVersion],
		NetworkMode: o.NetworkMode, CPU: o.CPU, Memory: o.Memory, Volumes: o.Volumes,
	}
	for _, c := range o.Containers {
		t.Containers = append(t.Containers, acs.Container{
			Name: c.Name, Image: c.Image, Essential: c.Essential, CPU: c.CPU, Memory: c.Memory, StopTimeout: c.StopTimeout,
			HealthCheckType: c.HealthCheckType, DependsOn: c.DependsOn, RestartPolicy: c.RestartPolicy, PortMappings: c.PortMappings,
		})
	}
	return t
}

// ContainerName returns the runtime's name for a task's container. It is always the same,
// so that a second creation collides with the first.
func ContainerName(t *acs.Task, container string) string {
	clean := strings.Map(func(r rune) rune {
		if r == '-' || r < 128 && (r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z') {
			return r
		}
		return -1
	}, container)
	return fmt.Sprintf("ecs-%s-%s-%s-%s", t.Family, t.Version, clean, hashSuffix(t, container))
}

// hashSuffix returns a suffix that makes a name unique to a task and to what.
func hashSuffix(t *acs.Task, what string) string {
	sum := sha256.Sum256([]byte(t.Arn + "\x00" + what))
	return hex.EncodeToString(sum[:10])
}

// location has the labels that say where a container runs.
type location struct {
	cluster, instance, installation, region string
}

// labels returns the labels that every container of this instance has.
func (w location) labels() map[string]string {
	return map[string]string{LabelInstallation: w.installation, LabelInstance: w.instance}
}

// buildSpec returns a container's specification without the parts that the task's
// resources add. The caller has chosen its dynamic ports.
func buildSpec(t *acs.Task, c *acs.Container, w location, ports []runtime.Port, imageSetsRegion bool) (runtime.Spec, *Failure) {
	s := runtime.Spec{
		Name: ContainerName(t, c.Name), Image: c.Image,
		Command: c.Command, EntryPoint: c.EntryPoint,
		CPUShares: c.CPU, Network: t.NetworkMode, PID: t.PIDMode, IPC: t.IPCMode, Ports: ports,
		Labels: map[string]string{
			LabelCluster: w.cluster, LabelTask: t.Arn, LabelContainer: c.Name, LabelFamily: t.Family, LabelVersion: t.Version,
			LabelInstallation: w.installation, LabelInstance: w.instance, LabelOutline: encodeOutline(t),
		},
	}
	if s.Network == "" {
		s.Network = "bridge"
	}
	if c.Overrides.Command != nil {
		s.Command = c.Overrides.Command
	}
	s.StopTimeout = time.Duration(c.StopTimeout) * time.Second
	if c.Memory > 0 {
		s.Memory = max(c.Memory, 4) << 20 // as in ECS, at least 4 MiB
	}
	env := maps.Clone(c.Environment)
	if env == nil {
		env = map[string]string{}
	}
	_, a := env["AWS_REGION"]
	_, b := env["AWS_DEFAULT_REGION"]
	if !a && !b && !imageSetsRegion && w.region != "" {
		env["AWS_REGION"], env["AWS_DEFAULT_REGION"] = w.region, w.region
	}
	for _, k := range slices.Sorted(maps.Keys(env)) {
		s.Env = append(s.Env, k+"="+env[k])
	}
	for _, v := range c.VolumesFrom {
		from := ContainerName(t, v.SourceContainer)
		if v.ReadOnly {
			from += ":ro"
		}
		s.VolumesFrom = append(s.VolumesFrom, from)
	}
	for _, l := range c.Links {
		name, alias, ok := strings.Cut(l, ":")
		if !ok {
			alias = name
		}
		s.Links = append(s.Links, ContainerName(t, name)+":"+alias)
	}
	if d := c.DockerConfig; d != nil {
		if err := dockerdoc.Apply(d.Config, d.HostConfig, &s); err != nil {
			return s, failf(ClientConfig, "%s", err)
		}
	}
	if c.HealthCheckType == acs.HealthCheckDocker && s.HealthCheck == nil {
		return s, failf(ClientConfig, "docker health check is nil while container health check type is DOCKER")
	}
	return s, nil
}

// unsupportedReason returns why this agent can't run a task at all, or "".
func unsupportedReason(t *acs.Task) string {
	switch t.NetworkMode {
	case "", "bridge", "host", "none":
	default:
		return fmt.Sprintf("network mode %s is not supported on this container instance; bridge, host and none are", t.NetworkMode)
	}
	if t.PIDMode == "task" || t.IPCMode == "task" {
		return "pidMode and ipcMode task are not supported on this container instance"
	}
	for _, v := range t.Volumes {
		switch v.Type {
		case "", acs.VolumeHost, acs.VolumeDocker:
		default:
			return fmt.Sprintf("volume %s: type %s is not supported on this container instance", v.Name, v.Type)
		}
	}
	if len(t.Associations) > 0 {
		return "device associations are not supported on this container instance"
	}
	if len(t.Containers) == 0 {
		return "the task has no containers"
	}
	for _, c := range t.Containers {
		what := ""
		switch {
		case c.Name == "" || c.Image == "":
			what = "name and image are required"
		case len(c.Secrets) > 0:
			what = "secrets are"
		case len(c.EnvironmentFiles) > 0:
			what = "environment files are"
		case c.RegistryAuth != nil:
			what = "registry credentials are"
		case c.FirelensConfiguration != nil:
			what = "FireLens is"
		default:
			continue
		}
		if strings.HasSuffix(what, "required") {
			return "container: " + what
		}
		return fmt.Sprintf("container %s: %s not supported on this container instance", c.Name, what)
	}
	if !isResolvable(t) {
		return fmt.Sprintf(unresolvable, t.Arn)
	}
	return ""
}
