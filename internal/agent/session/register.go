package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ashore/ashore/internal/pace"
	"github.com/google/uuid"
)

// Host describes what the machine offers to tasks.
type Host struct {
	CPU, Memory   int64 // units, MiB (without what is reserved)
	ReservedTCP   []int
	ReservedUDP   []int
	Architecture  string // x86_64, arm64
	LogDrivers    []string
	VolumeDrivers []string
	TaskLimits    bool // task-level CPU and memory limits can be enforced
	APIMinor      int  // of the engine's API 1.x
	MachineID     string
	Custom        map[string]string
	Tags          map[string]string
}

type attribute struct {
	Name  string `json:"name"`
	Value string `json:"value,omitempty"`
}

type resource struct {
	Name           string    `json:"name"`
	Type           string    `json:"type"`
	IntegerValue   *int64    `json:"integerValue,omitempty"`
	StringSetValue *[]string `json:"stringSetValue,omitempty"`
}

type tag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// AttributeMachine is the attribute that identifies the machine of an instance. A machine
// that registers again replaces its old instance.
const AttributeMachine = "ashore.machine-id"

// apiVersions are the Docker API versions that ECS's definitions can require.
var apiVersions = []int{17, 18, 19, 20, 21, 22, 23, 24, 25, 28, 29, 30, 32}

// attributes returns the attributes of this agent and host. What this agent can't do, or
// can't do as this user, is left out. So a definition that needs it is refused and does
// not fail later.
func (h Host) attributes(first bool) []attribute {
	names := []string{
		"ecs.capability.full-sync",
		"ecs.capability.container-ordering",
		"ecs.capability.container-health-check",
		"ecs.capability.container-restart-policy",
		"ecs.capability.network.container-port-range",
		"ecs.capability.external",
		"com.amazonaws.ecs.capability.privileged-container",
		"com.amazonaws.ecs.capability.logging-driver.none",
	}
	for _, d := range h.LogDrivers {
		if d != "none" {
			names = append(names, "com.amazonaws.ecs.capability.logging-driver."+d)
		}
	}
	for _, d := range h.VolumeDrivers {
		names = append(names, "ecs.capability.docker-plugin."+d)
	}
	for _, v := range apiVersions {
		if v <= h.APIMinor {
			names = append(names, "com.amazonaws.ecs.capability.docker-remote-api.1."+strconv.Itoa(v))
		}
	}
	if h.TaskLimits {
		names = append(names, "ecs.capability.task-cpu-mem-limit", "ecs.capability.increased-task-cpu-limit")
	}
	slices.Sort(names)
	var out []attribute
	for _, n := range names {
		out = append(out, attribute{Name: n})
	}
	out = append(out,
		attribute{"ecs.os-type", "linux"}, attribute{"ecs.os-family", "LINUX"},
		attribute{"ecs.cpu-architecture", h.Architecture})
	if h.MachineID != "" {
		out = append(out, attribute{AttributeMachine, h.MachineID})
	}
	if first {
		for k, v := range h.Custom {
			out = append(out, attribute{k, v})
		}
	}
	return out
}

func (h Host) resources() []resource {
	set := func(ports []int) *[]string {
		out := []string{}
		for _, p := range ports {
			out = append(out, strconv.Itoa(p))
		}
		return &out
	}
	return []resource{
		{Name: "CPU", Type: "INTEGER", IntegerValue: &h.CPU},
		{Name: "MEMORY", Type: "INTEGER", IntegerValue: &h.Memory},
		{Name: "PORTS", Type: "STRINGSET", StringSetValue: set(h.ReservedTCP)},
		{Name: "PORTS_UDP", Type: "STRINGSET", StringSetValue: set(h.ReservedUDP)},
	}
}

type registerInput struct {
	Cluster              string      `json:"cluster"`
	ContainerInstanceArn string      `json:"containerInstanceArn,omitempty"`
	ClientToken          string      `json:"clientToken"`
	Attributes           []attribute `json:"attributes"`
	TotalResources       []resource  `json:"totalResources"`
	Tags                 []tag       `json:"tags,omitempty"`
}

// register registers the host in a cluster with its identity, or as a new instance if the
// identity is empty or of another cluster. It retries for as long as it takes. For a move
// it returns a permanent refusal.
func (s *Session) register(ctx context.Context, cluster string, id Identity, forMove bool) error {
	if clusterName(id.Cluster) != clusterName(cluster) {
		id = Identity{}
	}
	in := registerInput{
		Cluster: cluster, ContainerInstanceArn: id.InstanceArn, ClientToken: uuid.NewString(),
		Attributes: s.cfg.Host.attributes(id.InstanceArn == ""), TotalResources: s.cfg.Host.resources(),
	}
	for k, v := range s.cfg.Host.Tags {
		in.Tags = append(in.Tags, tag{k, v})
	}
	wait := pace.Backoff{Min: 100 * time.Millisecond, Max: 15 * time.Second, Factor: 1.5}
	for {
		var out struct {
			ContainerInstance struct {
				ContainerInstanceArn string `json:"containerInstanceArn"`
			} `json:"containerInstance"`
		}
		err := s.api.call(ctx, "RegisterContainerInstance", in, &out)
		if err == nil && out.ContainerInstance.ContainerInstanceArn == "" {
			err = errors.New("RegisterContainerInstance: the answer names no instance")
		}
		if err == nil {
			if id.InstanceArn == "" {
				id = Identity{InstanceArn: out.ContainerInstance.ContainerInstanceArn, Cluster: cluster}
			}
			s.log.Info("registered", "instance", id.InstanceArn, "cluster", cluster)
			return s.setIdentity(id)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var refused *APIError
		if errors.As(err, &refused) && !refused.isRetryable() {
			if forMove {
				return err
			}
			if in.ContainerInstanceArn != "" && !refused.isClusterMissing() && (refused.Code == "InvalidParameterException" || refused.Code == "ClientException") && s.cfg.Engine.CountLive() == 0 {
				// The server knows this host by another instance or not at all. This
				// happens if the agent was killed during a move. Without tasks here,
				// the old instance is not needed.
				s.log.Warn("the stored instance is refused, registering as a new one", "instance", in.ContainerInstanceArn, "err", err)
				id = Identity{}
				in.ContainerInstanceArn, in.ClientToken, in.Attributes = "", uuid.NewString(), s.cfg.Host.attributes(true)
				continue
			}
			wait.Max = time.Minute
			if refused.isClusterMissing() && clusterName(cluster) == "default" {
				// As the stock agent does: the cluster "default" is created on demand.
				if err := s.api.call(ctx, "CreateCluster", map[string]string{"clusterName": "default"}, nil); err != nil {
					s.log.Warn("cluster default cannot be created", "err", err)
				}
			}
		}
		d := pace.Nearly(wait.Next())
		s.log.Warn("cannot register, trying again", "err", err, "in", d.Round(time.Millisecond))
		if pace.Sleep(ctx, d) != nil {
			return ctx.Err()
		}
	}
}

// clusterName returns the name in a cluster's name or ARN.
func clusterName(s string) string { return s[strings.LastIndexByte(s, '/')+1:] }

// endpoints are the cached URLs of the two websockets.
type endpoints struct {
	acs, tcs string
	turn     int64 // of the server that returned them
	until    time.Time
}

const endpointsMaxAge = 12 * time.Hour

// discoverEndpoints returns the URLs of the two websockets. After a failure it returns the
// cached ones. Both websockets call it at the same time; only one call reaches the server.
func (s *Session) discoverEndpoints(ctx context.Context, refresh bool) (acsURL, tcsURL string, err error) {
	s.discovering.Lock()
	defer s.discovering.Unlock()
	s.mu.Lock()
	ep, id := *s.endpoints, s.id
	s.mu.Unlock()
	if _, turn := s.api.currentServer(); turn != ep.turn {
		refresh = true
	}
	if ep.acs != "" && !refresh && time.Now().Before(ep.until) {
		return ep.acs, ep.tcs, nil
	}
	var out struct {
		Endpoint          string `json:"endpoint"`
		TelemetryEndpoint string `json:"telemetryEndpoint"`
	}
	err = s.api.call(ctx, "DiscoverPollEndpoint", map[string]string{
		"cluster": id.Cluster, "containerInstance": id.InstanceArn, "zoneId": "",
	}, &out)
	if err != nil {
		if ep.acs != "" {
			return ep.acs, ep.tcs, nil
		}
		return "", "", err
	}
	_, turn := s.api.currentServer()
	ep = endpoints{acs: addSlash(out.Endpoint), tcs: addSlash(out.TelemetryEndpoint), turn: turn, until: time.Now().Add(endpointsMaxAge)}
	if ep.acs == "" || ep.tcs == "" {
		return "", "", fmt.Errorf("DiscoverPollEndpoint: an endpoint is missing")
	}
	s.mu.Lock()
	*s.endpoints = ep
	s.mu.Unlock()
	return ep.acs, ep.tcs, nil
}

func addSlash(u string) string {
	if u != "" && !strings.HasSuffix(u, "/") {
		u += "/"
	}
	return u
}
