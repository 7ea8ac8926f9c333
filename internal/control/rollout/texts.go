package rollout

import (
	"fmt"
	"strings"
	"time"

	"github.com/ashore/ashore/internal/fleet"
)

// ReasonUnhealthy is the reason of stops that count as failures of a deployment.
const ReasonUnhealthy = "Task failed container health checks"

// ReasonInProgress returns the reason of a new deployment's state IN_PROGRESS.
func ReasonInProgress(deployment string) string {
	return fmt.Sprintf("ECS deployment ecs-svc/%s in progress.", deployment)
}

func reasonCompleted(deployment string) string {
	return fmt.Sprintf("ECS deployment ecs-svc/%s completed.", deployment)
}

func reasonRollback(deployment string) string {
	return fmt.Sprintf("ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/%s.", deployment)
}

func reasonRollbackAsked(deployment string) string {
	return fmt.Sprintf("ECS deployment stopped: rolling back to deploymentId ecs-svc/%s.", deployment)
}

const (
	reasonTripped = "ECS deployment circuit breaker: tasks failed to start."
	reasonStopped = "ECS deployment stopped by StopServiceDeployment."
)

func reasonScaling(deployment string) string {
	return fmt.Sprintf("Scaling activity initiated by (deployment ecs-svc/%s)", deployment)
}

func reasonDraining(service, instance string) string {
	return fmt.Sprintf("(service %s) container instance (%s) is draining", service, instance)
}

func reasonLost(service, instance string) string {
	return fmt.Sprintf("(service %s) lost host: container instance (%s) is out of contact", service, instance)
}

func reasonIneligible(service, instance string) string {
	return fmt.Sprintf("(service %s) container instance (%s) no longer meets the service's placement constraints", service, instance)
}

// The types of events.
const (
	info    = "INFO"
	warning = "WARN"
	failure = "ERROR"
)

// SetAsideEvent returns the event of a service that the scheduler can't handle for
// now.
func SetAsideEvent(text string) Event { return Event{Message: text, Type: failure} }

// tasksPerEvent is how many tasks an event names at most, as in ECS.
const tasksPerEvent = 10

// StartedEvents returns the events of tasks that were launched.
func StartedEvents(service string, tasks []string) []Event {
	return taskEvents(service, "started %d tasks", tasks, Event{})
}

// StoppedEvents returns the events of tasks that a service stopped.
func StoppedEvents(service string, tasks []string) []Event {
	return taskEvents(service, "stopped %d running tasks", tasks, Event{Type: info, Name: "TASKS_STOPPED"})
}

func taskEvents(service, verb string, tasks []string, like Event) []Event {
	var out []Event
	for len(tasks) > 0 {
		n := min(tasksPerEvent, len(tasks))
		var b strings.Builder
		fmt.Fprintf(&b, "(service %s) has "+verb+":", service, n)
		for _, t := range tasks[:n] {
			b.WriteString(" (task ")
			b.WriteString(t)
			b.WriteByte(')')
		}
		b.WriteByte('.')
		like.Message = b.String()
		out = append(out, like)
		tasks = tasks[n:]
	}
	return out
}

// UnplaceableEvent returns the event of a launch that found no host. detail names the
// closest match and what it lacks, in full sentences; it may be empty. reason is the
// reason of a failure, such as RESOURCE:CPU.
func UnplaceableEvent(service, reason, detail string) Event {
	return Event{Message: strings.TrimSpace(fmt.Sprintf("(service %s) was unable to place a task because no container instance met all of its requirements. %s", service, detail)),
		Type: failure, Name: "SERVICE_TASK_PLACEMENT_FAILURE", Reason: reason}
}

// stuckEvent has ECS's text. Of the names that ECS's documents list, this one of
// configuration errors comes nearest.
func stuckEvent(service string) Event {
	const reason = "was unable to stop or start tasks during a deployment because of the service deployment configuration. Update the minimumHealthyPercent or maximumPercent value and try again."
	return Event{Message: fmt.Sprintf("(service %s) %s", service, reason), Type: failure, Name: "SERVICE_TASK_CONFIGURATION_FAILURE", Reason: reason}
}

func steadyEvent(service string) Event {
	return Event{Message: fmt.Sprintf("(service %s) has reached a steady state.", service), Type: info, Name: "SERVICE_STEADY_STATE"}
}

func completedEvent(service, deployment string) Event {
	return Event{Message: fmt.Sprintf("(service %s) (deployment ecs-svc/%s) deployment completed.", service, deployment), Type: info, Name: "SERVICE_DEPLOYMENT_COMPLETED"}
}

func failedEvent(service, deployment, why string) Event {
	return Event{Message: fmt.Sprintf("(service %s) (deployment ecs-svc/%s) deployment failed: %s.", service, deployment, why), Type: failure, Name: "SERVICE_DEPLOYMENT_FAILED"}
}

func rollingBackEvent(service, deployment string) Event {
	return Event{Message: fmt.Sprintf("(service %s) rolling back to deployment ecs-svc/%s.", service, deployment), Type: info, Name: "SERVICE_DEPLOYMENT_IN_PROGRESS"}
}

func unhealthyTaskEvent(service, task string) Event {
	return Event{Message: fmt.Sprintf("(service %s) (task %s) failed container health checks.", service, task)}
}

func violatedEvent(service, task, instance string) Event {
	return Event{Message: fmt.Sprintf("(service %s) (task %s) on container instance (%s) no longer meets the service's placement constraints.", service, task, instance), Type: failure, Name: "SERVICE_DAEMON_PLACEMENT_CONSTRAINT_VIOLATED"}
}

func loopingEvent(service string, next time.Time) Event {
	return Event{Message: fmt.Sprintf("(service %s) has tasks that end by themselves within %d seconds of their start. They are replaced more and more slowly, the next one at %s.",
		service, int(fleet.EarlyEnd.Seconds()), next.UTC().Format(time.RFC3339))}
}

func impairedEvent(service string, next time.Time) Event {
	return Event{Message: fmt.Sprintf("(service %s) is unable to consistently start tasks successfully. The next try is at %s.", service, next.UTC().Format(time.RFC3339)), Type: warning, Name: "SERVICE_TASK_START_IMPAIRED"}
}
