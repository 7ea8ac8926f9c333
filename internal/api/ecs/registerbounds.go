package ecs

import (
	"fmt"
	"strings"

	"github.com/ashore/ashore/internal/ecs/refuse"
	"github.com/ashore/ashore/internal/ecs/tag"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// The bounds of a registration. A stock agent sends about 50 attributes, four
// resources and one GPU for each that the host has.
const (
	maxHostAttributes = 200 // the agent's own and custom ones
	maxResources      = 16
	maxReservedPorts  = 100 // of TCP, and of UDP: ECS's quota
	maxResourceNames  = 100 // in a set of anything but ports
	maxDevices        = 64
	maxText           = 128 // bytes of a name, an id, a value
	maxIdentity       = 4 << 10
)

// checkRegistration checks the size of what a host reports about itself.
func checkRegistration(in *RegisterContainerInstanceInput) error {
	type text struct {
		field string
		value *string
		most  int
	}
	texts := []text{
		{"clientToken", in.ClientToken, maxText},
		{"instanceIdentityDocument", in.InstanceIdentityDocument, maxIdentity},
		{"instanceIdentityDocumentSignature", in.InstanceIdentityDocumentSignature, maxIdentity},
	}
	if v := in.VersionInfo; v != nil {
		texts = append(texts, text{"versionInfo.agentVersion", v.AgentVersion, fleet.MaxVersion},
			text{"versionInfo.agentHash", v.AgentHash, fleet.MaxVersion}, text{"versionInfo.dockerVersion", v.DockerVersion, fleet.MaxVersion})
	}
	if len(in.PlatformDevices) > maxDevices {
		return refuse.Invalid("platformDevices can have at most %d entries, not %d.", maxDevices, len(in.PlatformDevices))
	}
	for k := range in.PlatformDevices {
		texts = append(texts, text{fmt.Sprintf("platformDevices[%d].id", k), in.PlatformDevices[k].Id, maxText})
	}
	for _, t := range texts {
		if n := len(aws.ToString(t.value)); n > t.most {
			return refuse.Invalid("%s must have at most %d bytes, not %d.", t.field, t.most, n)
		}
	}
	if err := checkResources(in.TotalResources); err != nil {
		return err
	}
	if err := tag.Check(in.Tags); err != nil {
		return err
	}
	return checkAttributes(in.Attributes)
}

func checkResources(list []types.Resource) error {
	if len(list) > maxResources {
		return refuse.Invalid("totalResources can have at most %d entries, not %d.", maxResources, len(list))
	}
	for k, r := range list {
		name := aws.ToString(r.Name)
		if len(name) > maxText {
			return refuse.Invalid("totalResources[%d].name must have at most %d bytes, not %d.", k, maxText, len(name))
		}
		most, what := maxResourceNames, "names"
		if strings.HasPrefix(name, "PORTS") {
			most, what = maxReservedPorts, "reserved ports"
		}
		if n := len(r.StringSetValue); n > most {
			return refuse.Invalid("totalResources: %s can have at most %d %s, not %d.", name, most, what, n)
		}
		for _, v := range r.StringSetValue {
			if len(v) > maxText {
				return refuse.Invalid("totalResources: %s has a value of %d bytes; at most %d are allowed.", name, len(v), maxText)
			}
		}
	}
	return nil
}

// checkAttributes checks a host's attributes. Attributes that agents define
// themselves may have any name and value within the bounds.
func checkAttributes(list []types.Attribute) error {
	if len(list) > maxHostAttributes {
		return refuse.Invalid("attributes can have at most %d entries, not %d.", maxHostAttributes, len(list))
	}
	for k, a := range list {
		n := aws.ToString(a.Name)
		if n == "" || len(n) > maxText {
			return refuse.Invalid("attributes[%d].name %.80q must have 1 to %d characters.", k, n, maxText)
		}
		if v := aws.ToString(a.Value); len(v) > maxText {
			return refuse.Invalid("attributes[%d].value, of %s, must have at most %d characters, not %d.", k, n, maxText, len(v))
		}
		if !isAgentAttribute(n) {
			if err := checkAttribute(fmt.Sprintf("attributes[%d]", k), a); err != nil {
				return err
			}
		}
	}
	if n := countCustom(list); n > maxAttributes {
		return refuse.Invalid("attributes: a container instance can have at most %d custom attributes, not %d.", maxAttributes, n)
	}
	return nil
}
