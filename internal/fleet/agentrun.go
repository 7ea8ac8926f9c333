package fleet

import "time"

// AgentRun tells one run of an agent from others with the same identity: from its
// own earlier ones, and from that of a machine whose disk is a copy. The stock agent
// does not say it.
type AgentRun struct {
	Process string `json:"process,omitempty"` // another for each process
	Boot    string `json:"boot,omitempty"`    // another for each machine, and each time that it boots
}

// Same says whether both are known to be the same process.
func (r AgentRun) Same(o AgentRun) bool { return r.Process != "" && r.Process == o.Process }

// Differs says whether both are known to be different processes.
func (r AgentRun) Differs(o AgentRun) bool {
	return r.Process != "" && o.Process != "" && r.Process != o.Process
}

// DuplicateAgent is an agent that came with an instance's identity while another one
// was connected as it.
type DuplicateAgent struct {
	Connection string    `json:"connection"` // of the agent that was there
	Address    string    `json:"address,omitempty"`
	At         time.Time `json:"at"`
	// Refused says that the agent that was there has answered: it still is. Until
	// then it is being asked, by the server that it is connected to.
	Refused bool `json:"refused,omitzero"`
	// ToldAt is when an event told of it last: one that goes on trying is told of
	// every now and then.
	ReportedAt time.Time `json:"toldAt,omitzero"`
}

// AgentRunHeader is the header of an agent's calls that holds its Process.
const AgentRunHeader = "X-Ashore-Agent-Run"

// MaxRun is the length of what an agent says of its run, in bytes.
const MaxRun = 64
