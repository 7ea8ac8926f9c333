package main

// platformCommands are the commands that need Linux. They run the control plane and the
// agent, or they act on this machine's processes and engine.
type platformCommands struct {
	Up        upCommand        `cmd:"" help:"Start control plane, agent and a sample on this machine."`
	Down      downCommand      `cmd:"" help:"Stop control plane and agent."`
	Host      hostCommand      `cmd:"" help:"Machines as container instances."`
	Backup    backupCommand    `cmd:"" help:"Save the state to a file."`
	Restore   restoreCommand   `cmd:"" help:"Put a backup into an empty installation."`
	Server    serverCommand    `cmd:"" help:"Run the control plane alone."`
	Agent     agentCommand     `cmd:"" help:"Run this host's agent alone."`
	Sim       simCommand       `cmd:"" help:"Run simulated hosts."`
	Supervise superviseCommand `cmd:"" hidden:"" help:"Start server and agent again, should one end."`
	Engine    engineCommand    `cmd:"" hidden:"" help:"Say whether a container engine answers."`
	Sample    sampleCommand    `cmd:"" hidden:"" help:"Run a tool of the sample image."`
}
