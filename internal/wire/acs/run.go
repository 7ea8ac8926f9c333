package acs

// Parameters of an upgrade by which our agent says which run it is, as it does in
// its calls by fleet.AgentRunHeader. The stock agent says nothing of it.
const (
	RunParameter  = "agentRun"
	BootParameter = "agentBoot"
)
