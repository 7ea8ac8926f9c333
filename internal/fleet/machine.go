package fleet

import (
	"encoding/json"
	"regexp"
)

// AttributeExternal marks the container instances of ECS Anywhere.
const AttributeExternal = "ecs.capability.external"

// EC2InstanceID returns the id of an instance's machine. As on ECS every instance has
// one: i-… for EC2's machines, mi-… for others. Without a known id it is derived from
// the principal of the machine, so the machine keeps its id when it registers again.
func (i *Instance) EC2InstanceID() string {
	if id, _ := i.Attribute("ecs.instance-id"); reportedID.MatchString(id) {
		return id
	}
	if i.Machine != "" {
		return i.Machine
	}
	prefix := "i-"
	if _, external := i.Attribute(AttributeExternal); external {
		prefix = "mi-"
	}
	of := i.Principal
	if of == "" {
		of = i.ID
	}
	return prefix + DerivedID("machine", of)[:17]
}

// machineID matches EC2's ids: 17 hex digits, or 8 for old machines.
var machineID = regexp.MustCompile(`^i-([0-9a-f]{17}|[0-9a-f]{8})$`)

// reportedID matches the ids that an agent may report for its machine.
var reportedID = regexp.MustCompile(`^m?i-[0-9A-Za-z]{1,32}$`)

// maxIdentityDocument is the largest document that MachineOf reads, in bytes. EC2's
// documents are far smaller.
const maxIdentityDocument = 16 << 10

// MachineOf returns the machine's id from an EC2 instance identity document, "" if the
// document has none. The control plane can't verify the document's author, so the id is
// only shown and decides nothing.
func MachineOf(document string) string {
	if len(document) > maxIdentityDocument {
		return ""
	}
	var d struct {
		InstanceID string `json:"instanceId"`
	}
	if json.Unmarshal([]byte(document), &d) != nil || !machineID.MatchString(d.InstanceID) {
		return ""
	}
	return d.InstanceID
}
