package payload

import (
	"strconv"
	"strings"
	"time"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

const mib = 1 << 20

// config is the part of Docker's Config that definitions can set. Agents merge it over
// their own: a key that is present wins, also with null or zero. So each key is left out
// unless the definition sets it.
type config struct {
	User            string            `json:",omitempty"`
	WorkingDir      string            `json:",omitempty"`
	Hostname        string            `json:",omitempty"`
	Labels          map[string]string `json:",omitempty"`
	Tty             bool              `json:",omitempty"`
	OpenStdin       bool              `json:",omitempty"`
	NetworkDisabled bool              `json:",omitempty"`
	Healthcheck     *healthcheck      `json:",omitempty"`
}

type healthcheck struct {
	Test        []string
	Interval    time.Duration `json:",omitempty"` // nanoseconds on the wire
	Timeout     time.Duration `json:",omitempty"`
	StartPeriod time.Duration `json:",omitempty"`
	Retries     int32         `json:",omitempty"`
}

// buildConfig returns the Config of a container definition.
func buildConfig(c *types.ContainerDefinition) config {
	out := config{
		User: aws.ToString(c.User), WorkingDir: aws.ToString(c.WorkingDirectory), Hostname: aws.ToString(c.Hostname),
		Labels: c.DockerLabels, Tty: aws.ToBool(c.PseudoTerminal), OpenStdin: aws.ToBool(c.Interactive),
		NetworkDisabled: aws.ToBool(c.DisableNetworking),
	}
	if h := c.HealthCheck; h != nil {
		seconds := func(p *int32) time.Duration { return time.Duration(aws.ToInt32(p)) * time.Second }
		out.Healthcheck = &healthcheck{
			Test: h.Command, Interval: seconds(h.Interval), Timeout: seconds(h.Timeout),
			StartPeriod: seconds(h.StartPeriod), Retries: aws.ToInt32(h.Retries),
		}
	}
	return out
}

// host is the part of Docker's HostConfig that definitions can set, by the same rule.
type host struct {
	NetworkMode       string            `json:",omitempty"`
	Privileged        bool              `json:",omitempty"`
	ReadonlyRootfs    bool              `json:",omitempty"`
	CapAdd            []string          `json:",omitempty"`
	CapDrop           []string          `json:",omitempty"`
	Init              *bool             `json:",omitempty"`
	Devices           []device          `json:",omitempty"`
	ShmSize           int64             `json:",omitempty"`
	Tmpfs             map[string]string `json:",omitempty"`
	Sysctls           map[string]string `json:",omitempty"`
	Ulimits           []ulimit          `json:",omitempty"`
	ExtraHosts        []string          `json:",omitempty"`
	DNS               []string          `json:"Dns,omitempty"`
	DNSSearch         []string          `json:"DnsSearch,omitempty"`
	SecurityOpt       []string          `json:",omitempty"`
	MemoryReservation int64             `json:",omitempty"`
	MemorySwap        int64             `json:",omitempty"`
	MemorySwappiness  *int64            `json:",omitempty"`
	LogConfig         *logConfig        `json:",omitempty"`
}

type device struct{ PathOnHost, PathInContainer, CgroupPermissions string }

type ulimit struct {
	Name       string
	Soft, Hard int32
}

type logConfig struct {
	Type   string
	Config map[string]string `json:",omitempty"`
}

// buildHostConfig returns the HostConfig of a container. memory and soft are its limits in
// MiB.
func buildHostConfig(t *fleet.Task, def *sdk.RegisterTaskDefinitionInput, c *types.ContainerDefinition, memory, soft *int32) host {
	out := host{
		NetworkMode: string(networkMode(def)), Privileged: aws.ToBool(c.Privileged), ReadonlyRootfs: aws.ToBool(c.ReadonlyRootFilesystem),
		DNS: c.DnsServers, DNSSearch: c.DnsSearchDomains, SecurityOpt: c.DockerSecurityOptions,
		MemoryReservation: int64(aws.ToInt32(soft)) * mib,
	}
	for _, h := range c.ExtraHosts {
		out.ExtraHosts = append(out.ExtraHosts, aws.ToString(h.Hostname)+":"+aws.ToString(h.IpAddress))
	}
	for _, u := range c.Ulimits {
		out.Ulimits = append(out.Ulimits, ulimit{string(u.Name), u.SoftLimit, u.HardLimit})
	}
	for _, s := range c.SystemControls {
		if out.Sysctls == nil {
			out.Sysctls = map[string]string{}
		}
		out.Sysctls[aws.ToString(s.Namespace)] = aws.ToString(s.Value)
	}
	applyLinuxParameters(&out, c.LinuxParameters, memory)
	if l := c.LogConfiguration; l != nil {
		out.LogConfig = &logConfig{string(l.LogDriver), buildLogOptions(t, c)}
	}
	return out
}

// applyLinuxParameters sets what a definition's linuxParameters set.
func applyLinuxParameters(out *host, l *types.LinuxParameters, memory *int32) {
	if l == nil {
		return
	}
	if l.Capabilities != nil {
		out.CapAdd, out.CapDrop = l.Capabilities.Add, l.Capabilities.Drop
	}
	if aws.ToBool(l.InitProcessEnabled) {
		out.Init = l.InitProcessEnabled
	}
	out.ShmSize = int64(aws.ToInt32(l.SharedMemorySize)) * mib
	for _, d := range l.Devices {
		in, perms := aws.ToString(d.ContainerPath), ""
		if in == "" {
			in = aws.ToString(d.HostPath)
		}
		for _, p := range d.Permissions {
			perms += string(p[0]) // r, w or m, for read, write, mknod
		}
		if perms == "" {
			perms = "rwm"
		}
		out.Devices = append(out.Devices, device{aws.ToString(d.HostPath), in, perms})
	}
	for _, m := range l.Tmpfs {
		if out.Tmpfs == nil {
			out.Tmpfs = map[string]string{}
		}
		out.Tmpfs[aws.ToString(m.ContainerPath)] = strings.Join(append([]string{"size=" + strconv.Itoa(int(m.Size)) + "m"}, m.MountOptions...), ",")
	}
	// Docker counts memory and swap together. Without a hard memory limit there is no
	// base to add the swap to.
	if l.MaxSwap != nil && memory != nil {
		out.MemorySwap = (int64(*memory) + int64(*l.MaxSwap)) * mib
	}
	if l.Swappiness != nil && l.MaxSwap != nil {
		out.MemorySwappiness = aws.Int64(int64(*l.Swappiness))
	}
}

// buildLogOptions returns the options of the log driver. It translates
// awslogs-stream-prefix, which only ECS knows. It writes the value of awslogs-create-group
// in lower case, since ECS ignores case and Docker does not. It adds the task's mode if
// the definition sets none.
func buildLogOptions(t *fleet.Task, c *types.ContainerDefinition) map[string]string {
	options := make(map[string]string, len(c.LogConfiguration.Options))
	for k, v := range c.LogConfiguration.Options {
		switch awslogs := c.LogConfiguration.LogDriver == types.LogDriverAwslogs; {
		case awslogs && k == "awslogs-stream-prefix":
			k, v = "awslogs-stream", v+"/"+aws.ToString(c.Name)+"/"+t.ID
		case awslogs && k == "awslogs-create-group":
			v = strings.ToLower(v)
		}
		options[k] = v
	}
	if t.LogMode != "" && options["mode"] == "" {
		options["mode"] = t.LogMode
	}
	return options
}
