package main

// platformCommands are the commands that need Linux: what runs the control
// plane and the agent, and what acts on this machine's processes and engine.
type platformCommands struct {
	Engine engineCommand `cmd:"" hidden:"" help:"Say whether a container engine answers."`
	Sample sampleCommand `cmd:"" hidden:"" help:"Run a tool of the sample image."`
}
