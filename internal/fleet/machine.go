package fleet

import (
	"encoding/json"
	"regexp"
)

// AttributeExternal marks the container instances of ECS Anywhere.
const AttributeExternal = "ecs.capability.external"

// EC2InstanceID is the id of an instance's machine. Every instance has one, as on
// ECS: i-… of EC2's machines, mi-… of others. One that nothing has told follows
// from the machine's own principal: a machine that registers anew keeps it.
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

// machineID is the form of EC2's own ids: 17 hex digits, of old machines 8.
var machineID = regexp.MustCompile(`^i-([0-9a-f]{17}|[0-9a-f]{8})$`)

// reportedID is the form in which an agent may say its machine's id.
var reportedID = regexp.MustCompile(`^m?i-[0-9A-Za-z]{1,32}$`)

// maxIdentityDocument is far more than EC2's documents have, in bytes.
const maxIdentityDocument = 16 << 10

// MachineOf reads the machine's id in an instance identity document of EC2, "" if
// it has none. Nobody here can tell who has written the document: the id is shown
// and decides nothing.
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
