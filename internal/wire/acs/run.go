package acs

// Query parameters of an upgrade that identify our agent's process and its boot. In API
// calls fleet.AgentRunHeader has the same role. The stock agent does not send them.
const (
	RunParameter  = "agentRun"
	BootParameter = "agentBoot"
)
