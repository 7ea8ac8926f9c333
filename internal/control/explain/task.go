package explain

import (
	"fmt"
	"time"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// Host is what is known of a task's host. A nil Instance means that the host is gone.
type Host struct {
	ARN       string
	Instance  *fleet.Instance
	Connected bool
	// EngineAway: its agent can't reach its container engine.
	EngineAway bool
}

// OfTask explains a task by its records, its definition, which may be nil, and its
// host.
func OfTask(arn string, t *fleet.TaskState, d *fleet.TaskDefinition, host Host, now time.Time) *Explanation {
	e := &Explanation{Kind: KindTask, ARN: arn, Status: string(t.Status())}
	switch status := t.Status(); {
	case status == fleet.TaskStopped:
		e.addEnd(t)
		return e
	case t.Instance == "":
		e.addFinding(fmt.Sprintf("It waits for a host since %s: none had room when it was last tried.", formatTime(t.CreatedAt)),
			fmt.Sprintf("It is placed as soon as a container instance of the capacity provider %s has room.", t.CapacityProvider))
		return e
	}
	if t.Unknown {
		e.addFinding(fmt.Sprintf("The state was restored from a backup that does not have the task, and its host runs it (found at %s): what it is made of and takes is known by the host's word alone.", formatTime(t.CreatedAt)),
			"It runs on until it is stopped: `ashore unknown` lists such tasks, and stops or keeps all of them.")
	}
	e.addHost(t, host)
	if t.Stop != nil {
		e.addFinding(fmt.Sprintf("It is to stop since %s: %s (%s). What it holds is free when its host has reported it STOPPED.", formatTime(t.Stop.At), t.Stop.Reason, t.Stop.Code), "")
	}
	e.addProgress(t, host.Connected)
	e.addContainers(t)
	if t.Status() == fleet.TaskPending && t.Report != nil {
		e.addPending(t, d, now)
	}
	return e
}

// OfWithheld explains a task that came with a restored backup and may have run since.
func OfWithheld(arn string, t *fleet.TaskState) *Explanation {
	e := &Explanation{Kind: KindTask, ARN: arn, Status: string(t.Status())}
	e.addFinding("The state was restored from a backup in which the task had not started. Whether it has run since is not known, so it is not started: no task runs twice.",
		"`ashore unknown --keep` or `ashore unknown --stop` declares that the state holds, and starts it; or stop it.")
	return e
}

// addHost adds what the host's state means for the task.
func (e *Explanation) addHost(t *fleet.TaskState, h Host) {
	switch {
	case h.Instance == nil || h.Instance.Status == fleet.InstanceInactive:
		e.addFinding(fmt.Sprintf("Its container instance %s is gone.", h.ARN), "")
	case !h.Connected:
		e.addFinding(fmt.Sprintf("The agent of its container instance %s is not connected: what has become of the task since is not known here, and it keeps what it holds.", h.ARN),
			"Start the agent on the host and see that it can reach the server. The host goes on by itself then.")
	case h.EngineAway:
		e.addFinding(fmt.Sprintf("The container engine of its container instance %s does not answer the agent there: what has become of the task since is not known.", h.ARN),
			"Start the container engine on the host. The agent goes on by itself then.")
	case h.Instance.Status == fleet.InstanceDraining:
		help := "Set the container instance ACTIVE again to leave the task there."
		if t.Service() == "" {
			help = "A task that belongs to no service stays until it ends or is stopped."
		}
		e.addFinding(fmt.Sprintf("It is on the container instance %s, which is DRAINING.", h.ARN), help)
	default:
		e.addFinding(fmt.Sprintf("It is on the container instance %s, whose agent is connected.", h.ARN), "")
	}
	if h.Instance == nil || h.Instance.Duplicate == nil || !h.Instance.Duplicate.Refused {
		return
	}
	d := h.Instance.Duplicate
	from := ""
	if d.Address != "" {
		from = " from " + d.Address
	}
	e.addFinding(fmt.Sprintf("A second agent%s with the identity of the container instance was refused at %s.", from, formatTime(d.At)),
		"Two machines have one identity. On the one that is the copy, remove the agent's data folder, and give it credentials of its own.")
}

// addProgress adds how far a task has come that has not stopped.
func (e *Explanation) addProgress(t *fleet.TaskState, connected bool) {
	switch r := t.Report; {
	case r == nil && connected:
		e.addFinding(fmt.Sprintf("It was placed at %s; its host has the order, or gets it now, and has reported nothing yet.", formatTime(t.CreatedAt)), "")
	case r == nil:
		e.addFinding(fmt.Sprintf("It was placed at %s and its host has reported nothing yet.", formatTime(t.CreatedAt)), "")
	case !r.StartedAt.IsZero():
		e.addFinding(fmt.Sprintf("It runs since %s.", formatTime(r.StartedAt)), "")
	case !r.PullStartedAt.IsZero() && r.PullStoppedAt.IsZero() && len(r.Pulls) == 0:
		e.addFinding(fmt.Sprintf("Its host pulls images since %s.", formatTime(r.PullStartedAt)), "")
	case r.Status == fleet.TaskPending:
		e.addFinding("Its containers are being started.", "")
	}
}

// addContainers adds each container's state.
func (e *Explanation) addContainers(t *fleet.TaskState) {
	if t.Report == nil {
		return
	}
	for i := range t.Report.Containers {
		c := &t.Report.Containers[i]
		text := fmt.Sprintf("Container %s: %s", c.Name, c.Status)
		if c.ExitCode != nil {
			text += fmt.Sprintf(", exit code %d", *c.ExitCode)
		}
		if c.Reason != "" {
			text += ": " + c.Reason
		}
		var help string
		if health := healthOf(t, c.Name); health != "" && health != types.HealthStatusUnknown && t.Holds() {
			text += fmt.Sprintf(" (%s)", health)
			if health == types.HealthStatusUnhealthy {
				help = "Its health check fails: see the container's output on its host."
			}
		}
		e.addFinding(text, help)
	}
}

func healthOf(t *fleet.TaskState, container string) types.HealthStatus {
	if t.Health == nil {
		return ""
	}
	for _, h := range t.Health.Containers {
		if h.Name == container {
			return h.Status
		}
	}
	return ""
}

// addEnd adds why a task has ended.
func (e *Explanation) addEnd(t *fleet.TaskState) {
	r := t.Report
	reason := r.Reason
	if reason == "" {
		reason = "no reason was given"
	}
	help := ""
	if r.StopCode == types.TaskStopCodeTaskFailedToStart {
		help = "It never ran: mend what the reason names, and run it again."
	}
	e.addFinding(fmt.Sprintf("It stopped at %s: %s (%s).", formatTime(r.StoppedAt), reason, r.StopCode), help)
	if !r.StartedAt.IsZero() {
		e.addFinding(fmt.Sprintf("It had run since %s.", formatTime(r.StartedAt)), "")
	}
	e.addContainers(t)
}
