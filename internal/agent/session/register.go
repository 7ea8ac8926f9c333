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

// Host is what the machine offers.
type Host struct {
	CPU, Memory   int64 // units, MiB (what is reserved taken off)
	ReservedTCP   []int
	ReservedUDP   []int
	Architecture  string // x86_64, arm64
	LogDrivers    []string
	VolumeDrivers []string
	TaskLimits    bool // task-level CPU and memory can be kept
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

// AttributeMachine tells instances of one machine from those of others: a
// machine that registers anew supersedes its old instance.
const AttributeMachine = "ashore.machine-id"

// apiVersions that ECS's definitions can ask for.
var apiVersions = []int{17, 18, 19, 20, 21, 22, 23, 24, 25, 28, 29, 30, 32}

// attributes that are true of this agent and host. What the agent can't do, or
// not as this user, is left out, so that a definition needing it is refused and
// not broken.
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

// register makes the host known in a cluster, as id or, where that is empty or
// of another cluster, as a new instance. It tries for as long as it takes; a
// mover instead gets a refusal that will not change.
func (s *Session) register(ctx context.Context, cluster string, id Identity, mover bool) error {
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
			if mover {
				return err
			}
			if in.ContainerInstanceArn != "" && !refused.isClusterMissing() && (refused.Code == "InvalidParameterException" || refused.Code == "ClientException") && s.cfg.Engine.CountLive() == 0 {
				// The server knows this host by another name, or not at all:
				// an agent killed in the middle of a move comes back so. With
				// no task here there is nothing to hold on to.
				s.log.Warn("the stored instance is refused, registering as a new one", "instance", in.ContainerInstanceArn, "err", err)
				id = Identity{}
				in.ContainerInstanceArn, in.ClientToken, in.Attributes = "", uuid.NewString(), s.cfg.Host.attributes(true)
				continue
			}
			wait.Max = time.Minute
			if refused.isClusterMissing() && clusterName(cluster) == "default" {
				// As the stock agent does: the cluster of that name is made on demand.
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

// clusterName is the name in a name or ARN.
func clusterName(s string) string { return s[strings.LastIndexByte(s, '/')+1:] }

// endpoints of the two websockets, cached.
type endpoints struct {
	acs, tcs string
	turn     int64 // of the server that gave them
	until    time.Time
}

const endpointsMaxAge = 12 * time.Hour

// discoverEndpoints finds them. After a failure the old answer is used on. Both websockets
// need them at the same time: one asks.
func (s *Session) discoverEndpoints(ctx context.Context, again bool) (acsURL, tcsURL string, err error) {
	s.discovering.Lock()
	defer s.discovering.Unlock()
	s.mu.Lock()
	ep, id := *s.endpoints, s.id
	s.mu.Unlock()
	if _, turn := s.api.currentServer(); turn != ep.turn {
		again = true
	}
	if ep.acs != "" && !again && time.Now().Before(ep.until) {
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
