// Package dockerdoc reads the two documents in Docker Engine's format that ECS's agent
// protocol carries for a container. It adds their content to the container's
// specification.
//
// It knows the keys that our control plane writes and those that ECS's own is known to
// send. Any other key with a value fails the container: otherwise the setting would be
// missing and no one would notice. A key that is null, zero or empty is ignored. If a
// known key has such a value, the protocol's own fields apply.
package dockerdoc

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	json "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/ashore/ashore/internal/agent/runtime"
)

// unknown are the keys of an object for which its struct has no field.
type unknown map[string]jsontext.Value

// config has the supported keys of Docker's Config.
type config struct {
	User, WorkingDir, Hostname, Domainname string
	Labels                                 map[string]string
	Tty, OpenStdin, NetworkDisabled        bool
	StopSignal                             string
	ExposedPorts                           map[string]struct{}
	Healthcheck                            *healthcheck
	Unknown                                unknown `json:",embed"`
}

type healthcheck struct {
	Test                                          []string
	Interval, Timeout, StartPeriod, StartInterval int64 // nanoseconds
	Retries                                       int
	Unknown                                       unknown `json:",embed"`
}

// host has the supported keys of Docker's HostConfig.
type host struct {
	NetworkMode                   string
	Privileged, ReadonlyRootfs    bool
	CapAdd, CapDrop               []string
	Init                          *bool
	Devices                       []device
	ShmSize                       int64
	Tmpfs, Sysctls                map[string]string
	Ulimits                       []ulimit
	ExtraHosts                    []string
	Dns                           []netip.Addr //nolint:staticcheck // Docker's name
	DnsSearch                     []string     //nolint:staticcheck // as well
	SecurityOpt                   []string
	MemoryReservation, MemorySwap int64
	MemorySwappiness              *int64
	LogConfig                     *logConfig
	RestartPolicy                 *restartPolicy
	Unknown                       unknown `json:",embed"`
}

type device struct {
	PathOnHost, PathInContainer, CgroupPermissions string
	Unknown                                        unknown `json:",embed"`
}

type ulimit struct {
	Name       string
	Soft, Hard int64
	Unknown    unknown `json:",embed"`
}

type logConfig struct {
	Type    string
	Config  map[string]string
	Unknown unknown `json:",embed"`
}

// restartPolicy is Docker's restart policy. ECS does not use it: only the agent restarts a
// task's containers.
type restartPolicy struct {
	Name string
}

// Docker ignores the case of keys. Of duplicate keys the last one counts.
var options = json.JoinOptions(json.MatchCaseInsensitiveNames(true), jsontext.AllowDuplicateNames(true))

// Apply adds the content of the documents to a specification. An empty document has no
// effect. The specification's labels take precedence over the document's.
func Apply(configDoc, hostDoc string, s *runtime.Spec) error {
	if err := applyConfig(configDoc, s); err != nil {
		return fmt.Errorf("Unable decode given docker config: %w", err) //nolint:staticcheck // ECS's words
	}
	if err := applyHost(hostDoc, s); err != nil {
		return fmt.Errorf("Unable decode given docker host config: %w", err) //nolint:staticcheck // ECS's words
	}
	return nil
}

// MemoryReservation returns a container's soft limit in bytes. It returns 0 if the
// document has none or can't be decoded.
func MemoryReservation(hostDoc string) int64 {
	if !strings.Contains(hostDoc, "MemoryReservation") { // the usual case
		return 0
	}
	var h struct{ MemoryReservation int64 }
	if err := json.Unmarshal([]byte(hostDoc), &h, options); err != nil {
		return 0
	}
	return max(h.MemoryReservation, 0)
}

func decodeDocument(doc string, into any) error {
	if doc == "" {
		return nil
	}
	return json.Unmarshal([]byte(doc), into, options)
}

func applyConfig(doc string, s *runtime.Spec) error {
	var c config
	if err := errors.Join(decodeDocument(doc, &c), c.Unknown.check("")); err != nil {
		return err
	}
	s.User, s.WorkingDir, s.Hostname, s.Domainname = c.User, c.WorkingDir, c.Hostname, c.Domainname
	s.TTY, s.Stdin, s.NetworkDisabled, s.StopSignal = c.Tty, c.OpenStdin, c.NetworkDisabled, c.StopSignal
	s.Expose = slices.Sorted(maps.Keys(c.ExposedPorts))
	if len(c.Labels) > 0 {
		labels := maps.Clone(c.Labels)
		maps.Copy(labels, s.Labels)
		s.Labels = labels
	}
	if h := c.Healthcheck; h != nil {
		s.HealthCheck = &runtime.HealthCheck{
			Test: h.Test, Interval: time.Duration(h.Interval), Timeout: time.Duration(h.Timeout),
			StartPeriod: time.Duration(h.StartPeriod), StartInterval: time.Duration(h.StartInterval), Retries: h.Retries,
		}
		return h.Unknown.check("Healthcheck.")
	}
	return nil
}

func applyHost(doc string, s *runtime.Spec) error {
	var h host
	if err := errors.Join(decodeDocument(doc, &h), h.Unknown.check("")); err != nil {
		return err
	}
	if h.NetworkMode != "" {
		s.Network = h.NetworkMode
	}
	s.Privileged, s.ReadOnlyRoot, s.CapAdd, s.CapDrop, s.Init = h.Privileged, h.ReadonlyRootfs, h.CapAdd, h.CapDrop, h.Init
	s.ShmSize, s.Tmpfs, s.Sysctls = h.ShmSize, h.Tmpfs, h.Sysctls
	s.ExtraHosts, s.DNS, s.DNSSearch, s.SecurityOptions = h.ExtraHosts, h.Dns, h.DnsSearch, h.SecurityOpt
	s.MemoryReservation, s.MemorySwap, s.MemorySwappiness = h.MemoryReservation, h.MemorySwap, h.MemorySwappiness
	for _, d := range h.Devices {
		if err := d.Unknown.check("Devices."); err != nil {
			return err
		}
		s.Devices = append(s.Devices, runtime.Device{Host: d.PathOnHost, Container: d.PathInContainer, Permissions: d.CgroupPermissions})
	}
	for _, u := range h.Ulimits {
		if err := u.Unknown.check("Ulimits."); err != nil {
			return err
		}
		s.Ulimits = append(s.Ulimits, runtime.Ulimit{Name: u.Name, Soft: u.Soft, Hard: u.Hard})
	}
	if p := h.RestartPolicy; p != nil && p.Name != "" && p.Name != "no" {
		return unsupportedKey("RestartPolicy.Name")
	}
	if l := h.LogConfig; l != nil {
		s.Log = &runtime.Log{Driver: l.Type, Options: l.Config}
		// If a container's log blocks, the container blocks too, so the non-blocking
		// mode matters more than lost lines. But the buffer then needs a known size.
		if o := l.Config; o["mode"] == "non-blocking" && o["max-buffer-size"] == "" {
			o["max-buffer-size"] = "10m"
		}
		return l.Unknown.check("LogConfig.")
	}
	return nil
}

func unsupportedKey(key string) error {
	return fmt.Errorf("key %s is not supported on this container instance", key)
}

// check returns an error for the first key that has a value. within is the object's place
// in its document.
func (u unknown) check(within string) error {
	for _, key := range slices.Sorted(maps.Keys(u)) {
		if !isEmpty(u[key]) {
			return unsupportedKey(within + key)
		}
	}
	return nil
}

// isEmpty reports whether a value has no effect: it is null, zero or empty, or a list or
// an object of such values. An object inside an object does not count as empty, since it
// may be a member of a set.
func isEmpty(value jsontext.Value) bool {
	var v any
	if err := json.Unmarshal(value, &v, options); err != nil {
		return false
	}
	switch v := v.(type) {
	case []any:
		return !slices.ContainsFunc(v, func(v any) bool { return !isZero(v) })
	case map[string]any:
		for _, v := range v {
			if !isZero(v) {
				return false
			}
		}
		return true
	default:
		return isZero(v)
	}
}

func isZero(v any) bool {
	switch v.(type) {
	case []any, map[string]any:
		return false
	}
	return v == nil || v == false || v == float64(0) || v == ""
}
