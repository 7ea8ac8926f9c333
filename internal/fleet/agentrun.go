package fleet

import "time"

// AgentRun distinguishes one run of an agent from other runs with the same identity:
// from the agent's earlier runs, and from a run on a machine whose disk is a copy. The
// stock agent does not send it.
type AgentRun struct {
	Process string `json:"process,omitempty"` // different for each process
	Boot    string `json:"boot,omitempty"`    // different for each machine, and for each boot
}

// Same says whether both runs are certainly the same process.
func (r AgentRun) Same(o AgentRun) bool { return r.Process != "" && r.Process == o.Process }

// Differs says whether both runs are certainly different processes.
func (r AgentRun) Differs(o AgentRun) bool {
	return r.Process != "" && o.Process != "" && r.Process != o.Process
}

// DuplicateAgent is an agent that came with an instance's identity while another agent
// was connected with it.
type DuplicateAgent struct {
	Connection string    `json:"connection"` // of the agent that was connected first
	Address    string    `json:"address,omitempty"`
	At         time.Time `json:"at"`
	// Refused says that the first agent has answered and is still there. Until then the
	// server with its connection is asking it.
	Refused bool `json:"refused,omitzero"`
	// ReportedAt is when an event last reported the duplicate. While the duplicate goes
	// on trying, an event reports it from time to time.
	ReportedAt time.Time `json:"toldAt,omitzero"`
}

// AgentRunHeader is the header of an agent's calls that has the agent's Process.
const AgentRunHeader = "X-Ashore-Agent-Run"

// MaxRun is the longest Process of an AgentRun in bytes.
const MaxRun = 64
