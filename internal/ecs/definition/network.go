package definition

import (
	"regexp"
	"strings"

	"github.com/ashore/ashore/internal/ecs/refuse"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

var (
	searchDomain = regexp.MustCompile(`^[a-zA-Z0-9-.]{0,253}[a-zA-Z0-9]$`)
	hostName     = regexp.MustCompile(`^[a-zA-Z0-9_]([a-zA-Z0-9._-]{0,251}[a-zA-Z0-9_])?$`)
)

// checkNetwork checks a container's names and addresses. With awsvpc these belong to
// the network interface.
func (s subject) checkNetwork() error {
	c, mode := s.c, s.def.NetworkMode
	if mode == types.NetworkModeAwsvpc {
		if what := inTaskNetwork(c); what != "" {
			return refuse.Client("%s supported on container when networkMode=awsvpc.", what)
		}
	}
	if len(c.Links) > 0 && mode != "" && mode != types.NetworkModeBridge {
		return refuse.Client("Links are not supported when networkMode=%s.", mode)
	}
	for _, l := range c.Links {
		to, alias, aliased := strings.Cut(l, ":")
		if _, ok := s.names[to]; !ok || to == *c.Name {
			return s.newError("'links' names the unknown container '%s'.", to)
		}
		if aliased && !hostName.MatchString(alias) {
			return s.newError("'links' must have the form name:internalName of letters, numbers, underscores and hyphens, not %q.", l)
		}
	}
	if c.Hostname != nil && !hostName.MatchString(*c.Hostname) {
		return s.newError("'hostname' %q is not a host name.", *c.Hostname)
	}
	for _, d := range c.DnsServers {
		if !isIP(d) {
			return s.newError("'dnsServers' must be IP addresses: %q is none.", d)
		}
	}
	for _, d := range c.DnsSearchDomains {
		if !searchDomain.MatchString(d) {
			return s.newError("'dnsSearchDomains' must match %s: %q does not.", searchDomain, d)
		}
	}
	for _, h := range c.ExtraHosts {
		if !hostName.MatchString(aws.ToString(h.Hostname)) {
			return s.newError("'extraHosts.hostname' %q is not a host name.", aws.ToString(h.Hostname))
		}
		if !isIP(aws.ToString(h.IpAddress)) {
			return s.newError("'extraHosts.ipAddress' %q is not an IP address.", aws.ToString(h.IpAddress))
		}
	}
	return nil
}

// inTaskNetwork returns, in ECS's words, the member of the container that belongs to
// the network interface if the task has one, or "".
func inTaskNetwork(c *types.ContainerDefinition) string {
	switch {
	case c.Hostname != nil:
		return "hostname is not"
	case len(c.DnsServers) > 0:
		return "DNS servers are not"
	case len(c.DnsSearchDomains) > 0:
		return "DNS search domains are not"
	case len(c.ExtraHosts) > 0:
		return "Extra hosts are not"
	case aws.ToBool(c.DisableNetworking):
		return "Disable Networking is not"
	}
	return ""
}

// networkNames returns the first of the container's members that configure names and
// addresses, or "".
func networkNames(c *types.ContainerDefinition) string {
	switch {
	case c.Hostname != nil:
		return "hostname"
	case len(c.DnsServers) > 0:
		return "dnsServers"
	case len(c.DnsSearchDomains) > 0:
		return "dnsSearchDomains"
	case len(c.ExtraHosts) > 0:
		return "extraHosts"
	}
	return ""
}
