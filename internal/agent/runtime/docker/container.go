package docker

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"

	"github.com/ashore/ashore/internal/agent/runtime"
)

const (
	minimumShares = 2      // Docker refuses fewer
	maximumShares = 262144 // Docker refuses more
)

// Create creates a container.
func (d *Docker) Create(ctx context.Context, spec runtime.Spec) (runtime.Created, error) {
	cfg, host, err := buildConfigs(spec)
	if err != nil {
		return runtime.Created{}, &runtime.Error{Kind: runtime.ErrConfig, Err: err}
	}
	res, err := d.api.ContainerCreate(ctx, client.ContainerCreateOptions{Config: cfg, HostConfig: host, Name: spec.Name})
	if err != nil {
		return runtime.Created{}, convertError(err)
	}
	return runtime.Created{ID: res.ID, Ports: publishedPorts(host.PortBindings, host.NetworkMode)}, nil
}

// buildConfigs converts a spec into the engine's two documents.
func buildConfigs(spec runtime.Spec) (*container.Config, *container.HostConfig, error) {
	cfg := &container.Config{
		Image: spec.Image, Cmd: spec.Command, Entrypoint: spec.EntryPoint, Env: spec.Env, Labels: spec.Labels,
		User: spec.User, WorkingDir: spec.WorkingDir, Hostname: spec.Hostname, Domainname: spec.Domainname,
		Tty: spec.TTY, OpenStdin: spec.Stdin, StopSignal: spec.StopSignal, NetworkDisabled: spec.NetworkDisabled,
	}
	host := &container.HostConfig{
		NetworkMode:    container.NetworkMode(spec.Network),
		PidMode:        container.PidMode(spec.PID),
		IpcMode:        container.IpcMode(spec.IPC),
		VolumesFrom:    spec.VolumesFrom,
		Links:          spec.Links,
		ExtraHosts:     spec.ExtraHosts,
		DNS:            spec.DNS,
		DNSSearch:      spec.DNSSearch,
		Privileged:     spec.Privileged,
		ReadonlyRootfs: spec.ReadOnlyRoot,
		CapAdd:         spec.CapAdd,
		CapDrop:        spec.CapDrop,
		SecurityOpt:    spec.SecurityOptions,
		Init:           spec.Init,
		ShmSize:        spec.ShmSize,
		Tmpfs:          spec.Tmpfs,
		Sysctls:        spec.Sysctls,
	}
	host.CPUShares = min(max(spec.CPUShares, minimumShares), maximumShares)
	host.Memory, host.MemoryReservation = spec.Memory, spec.MemoryReservation
	host.MemorySwap, host.MemorySwappiness = spec.MemorySwap, spec.MemorySwappiness
	host.CgroupParent = spec.CgroupParent
	if spec.StopTimeout > 0 {
		seconds := int(math.Ceil(spec.StopTimeout.Seconds()))
		cfg.StopTimeout = &seconds
	}
	if h := spec.HealthCheck; h != nil {
		cfg.Healthcheck = &container.HealthConfig{
			Test: h.Test, Interval: h.Interval, Timeout: h.Timeout,
			StartPeriod: h.StartPeriod, StartInterval: h.StartInterval, Retries: h.Retries,
		}
	}
	if l := spec.Log; l != nil {
		host.LogConfig = container.LogConfig{Type: l.Driver, Config: l.Options}
	}
	for _, d := range spec.Devices {
		host.Devices = append(host.Devices, container.DeviceMapping{
			PathOnHost: d.Host, PathInContainer: d.Container, CgroupPermissions: d.Permissions,
		})
	}
	for _, u := range spec.Ulimits {
		host.Ulimits = append(host.Ulimits, &container.Ulimit{Name: u.Name, Soft: u.Soft, Hard: u.Hard})
	}
	for _, m := range spec.Mounts {
		bind := m.Source + ":" + m.Target
		if m.ReadOnly {
			bind += ":ro"
		}
		host.Binds = append(host.Binds, bind)
	}
	if len(spec.Ports)+len(spec.Expose) > 0 {
		cfg.ExposedPorts, host.PortBindings = network.PortSet{}, network.PortMap{}
	}
	for _, p := range spec.Ports {
		if p.ContainerPort < 1 || p.ContainerPort > math.MaxUint16 {
			return nil, nil, fmt.Errorf("container port %d is out of range", p.ContainerPort)
		}
		port, ok := network.PortFrom(uint16(p.ContainerPort), network.IPProtocol(p.Protocol))
		if !ok {
			return nil, nil, fmt.Errorf("port protocol %q is unknown", p.Protocol)
		}
		cfg.ExposedPorts[port] = struct{}{}
		b := network.PortBinding{HostPort: strconv.Itoa(p.HostPort)}
		if p.HostIP != "" {
			ip, err := netip.ParseAddr(p.HostIP)
			if err != nil {
				return nil, nil, fmt.Errorf("host address: %w", err)
			}
			b.HostIP = ip
		}
		host.PortBindings[port] = append(host.PortBindings[port], b)
	}
	for _, e := range spec.Expose {
		port, err := network.ParsePort(e)
		if err != nil {
			return nil, nil, fmt.Errorf("exposed port: %w", err)
		}
		cfg.ExposedPorts[port] = struct{}{}
	}
	return cfg, host, nil
}

func publishedPorts(bindings network.PortMap, mode container.NetworkMode) []runtime.Port {
	if mode.IsHost() || mode.IsNone() {
		return nil
	}
	var out []runtime.Port
	for port, bs := range bindings {
		for _, b := range bs {
			p := runtime.Port{ContainerPort: int(port.Num()), Protocol: string(port.Proto())}
			if b.HostIP.IsValid() {
				if b.HostIP.Is6() && b.HostIP.IsUnspecified() {
					continue // the duplicate of the binding to all IPv4 addresses
				}
				p.HostIP = b.HostIP.String()
			}
			p.HostPort, _ = strconv.Atoi(b.HostPort) // empty: the engine chooses
			out = append(out, p)
		}
	}
	// The engine's answer is a map, so the order is random.
	slices.SortFunc(out, func(a, b runtime.Port) int {
		return cmp.Or(cmp.Compare(a.ContainerPort, b.ContainerPort), cmp.Compare(a.Protocol, b.Protocol), cmp.Compare(a.HostIP, b.HostIP), cmp.Compare(a.HostPort, b.HostPort))
	})
	return out
}

// Start starts a container.
func (d *Docker) Start(ctx context.Context, id string) error {
	_, err := d.api.ContainerStart(ctx, id, client.ContainerStartOptions{})
	return convertError(err)
}

// Stop stops a container as the engine does: stop signal, timeout, then KILL.
func (d *Docker) Stop(ctx context.Context, id string, timeout time.Duration) error {
	seconds := int(math.Ceil(timeout.Seconds()))
	_, err := d.api.ContainerStop(ctx, id, client.ContainerStopOptions{Timeout: &seconds})
	return convertError(err)
}

// Remove removes a container.
func (d *Docker) Remove(ctx context.Context, id string, force bool) error {
	_, err := d.api.ContainerRemove(ctx, id, client.ContainerRemoveOptions{RemoveVolumes: true, Force: force})
	if errdefs.IsNotFound(err) {
		return nil
	}
	return convertError(err)
}

// Inspect returns a container, by id or name.
func (d *Docker) Inspect(ctx context.Context, id string) (runtime.Container, error) {
	res, err := d.api.ContainerInspect(ctx, id, client.ContainerInspectOptions{})
	if err != nil {
		return runtime.Container{}, convertError(err)
	}
	in := res.Container
	out := runtime.Container{ID: in.ID, Name: strings.TrimPrefix(in.Name, "/")}
	if in.Config != nil {
		out.Labels, out.Image = in.Config.Labels, in.Config.Image
	}
	if s := in.State; s != nil {
		out.StartedAt, out.FinishedAt = parseTime(s.StartedAt), parseTime(s.FinishedAt)
		out.ExitCode, out.OOMKilled, out.Error = s.ExitCode, s.OOMKilled, s.Error
		out.Phase = toPhase(s.Status)
		if out.Phase == runtime.PhaseExited && out.StartedAt.IsZero() {
			out.Phase = runtime.PhaseCreated
		}
		if s.Health != nil {
			out.Health = toHealth(string(s.Health.Status))
		}
	}
	if in.HostConfig != nil {
		out.Ports = publishedPorts(in.HostConfig.PortBindings, in.HostConfig.NetworkMode)
		for _, p := range out.Ports {
			if p.HostPort == 0 && in.NetworkSettings != nil && out.Phase == runtime.PhaseRunning {
				out.Ports = publishedPorts(in.NetworkSettings.Ports, in.HostConfig.NetworkMode)
				break
			}
		}
	}
	return out, nil
}

// parseTime parses an engine's time. The engine's zero time is in the year 1.
func parseTime(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil || t.Year() <= 1 {
		return time.Time{}
	}
	return t
}

func toPhase(s container.ContainerState) runtime.Phase {
	switch s {
	case container.StateCreated:
		return runtime.PhaseCreated
	case container.StateExited, container.StateDead, container.StateRemoving:
		return runtime.PhaseExited
	default: // running, paused, restarting
		return runtime.PhaseRunning
	}
}

func toHealth(s string) string {
	switch {
	case strings.HasPrefix(s, "healthy"):
		return runtime.Healthy
	case strings.HasPrefix(s, "unhealthy"):
		return runtime.Unhealthy
	case s == "" || strings.HasPrefix(s, "none"):
		return ""
	default:
		return runtime.Starting
	}
}

func labelFilters(labels map[string]string) client.Filters {
	f := client.Filters{}
	for k, v := range labels {
		f.Add("label", k+"="+v)
	}
	return f
}

// List returns the containers with the labels.
func (d *Docker) List(ctx context.Context, labels map[string]string) ([]runtime.Container, error) {
	res, err := d.api.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: labelFilters(labels)})
	if err != nil {
		return nil, convertError(err)
	}
	out := make([]runtime.Container, 0, len(res.Items))
	for _, it := range res.Items {
		c := runtime.Container{ID: it.ID, Labels: it.Labels, Phase: toPhase(it.State), Image: it.Image}
		if len(it.Names) > 0 {
			c.Name = strings.TrimPrefix(it.Names[0], "/")
		}
		out = append(out, c)
	}
	return out, nil
}
