package explain

import (
	"fmt"
	"time"

	"github.com/ashore/ashore/internal/control/rollout"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// Service is the input of an explanation of a service.
type Service struct {
	*fleet.Service
	State                      *fleet.ServiceState
	Running, Pending, Stopping int
	Deployments                []Deployment // deployments that are not done, the newest first
	Now                        time.Time
}

// Deployment is one of a service's deployments with its tasks. Revision is nil if it
// is deleted. Failed is the task that failed last, if any did.
type Deployment struct {
	*fleet.Deployment
	State                      *fleet.DeploymentState
	Revision                   *fleet.ServiceRevision
	Running, Pending, Stopping int
	Failed                     *fleet.TaskState
	// Crashes describe the newest tasks that ended early. Crashed is the last of
	// them, if it is known.
	Crashes rollout.Crashes
	Crashed *fleet.TaskState
}

// OfService explains a service.
func OfService(arn string, s *Service) *Explanation {
	e := &Explanation{Kind: KindService, ARN: arn, Status: string(s.Status)}
	count := fmt.Sprintf("%d of its tasks run, %d are pending, %d are stopping.", s.Running, s.Pending, s.Stopping)
	switch {
	case s.Status == fleet.ServiceInactive:
		e.addFinding(fmt.Sprintf("It was deleted at %s.", formatTime(s.DeletedAt)), "")
		return e
	case s.Status == fleet.ServiceDraining:
		e.addFinding("It was deleted, and becomes INACTIVE when its tasks have stopped. "+count, "")
	case s.Scheduling == types.SchedulingStrategyDaemon:
		e.addFinding("It wants one task on each container instance that suits it. "+count, "")
	default:
		e.addFinding(fmt.Sprintf("It wants %d tasks. %s", s.DesiredCount, count), "")
	}
	if s.State != nil && s.State.Service == s.ID && s.State.Steady {
		e.addFinding(fmt.Sprintf("It is in its steady state since %s.", formatTime(s.State.SteadyAt)), "")
	}
	for i := range s.Deployments {
		e.addDeployment(s, &s.Deployments[i])
	}
	return e
}

func (e *Explanation) addDeployment(s *Service, d *Deployment) {
	role := "ACTIVE"
	if d.ID == s.Service.Deployment {
		role = "PRIMARY"
	}
	text := fmt.Sprintf("Deployment ecs-svc/%s, %s", d.ID, role)
	if d.Revision != nil {
		text += fmt.Sprintf(", of %s:%d", d.Revision.Family, d.Revision.Revision)
	}
	text += fmt.Sprintf(": %d tasks run, %d are pending, %d are stopping", d.Running, d.Pending, d.Stopping)
	st := d.State
	if st == nil {
		e.addFinding(text+"; nothing has been done for it yet.", "")
		return
	}
	if st.Rollout != "" {
		text += fmt.Sprintf("; %s", st.Rollout)
		if st.Reason != "" {
			text += ": " + st.Reason
		}
	}
	e.addFinding(text, "")
	if st.Stuck {
		e.addStuck(s.Service)
	}
	if u := st.Unplaced; u != nil {
		text := fmt.Sprintf("At %s a task found no host, %d times in a row by then: %s", formatTime(u.At), u.Tries, u.Reason)
		if u.Detail != "" {
			text += ": " + u.Detail
		}
		if u.Zone != "" {
			text += fmt.Sprintf(" (in the zone %s, where it would even the tasks out)", u.Zone)
		}
		e.addFinding(text, "It is tried again when something changes that it waits for.")
	}
	if d.Failed != nil {
		e.addFinding(fmt.Sprintf("Its task %s failed at %s: %s", d.Failed.ID, formatTime(d.Failed.Report.StoppedAt), d.Failed.Report.Reason), "")
	}
	if wait := st.NextTry.Sub(s.Now); wait > 0 {
		e.addFinding(fmt.Sprintf("Its tasks keep failing to start: the next is tried at %s, in %s.", formatTime(st.NextTry), wait.Round(time.Second)),
			"Mend what the reason names. An update of the service to another task definition, or with forceNewDeployment, is tried at once.")
	}
	e.addCrashes(s, d)
}

// addStuck adds that minimum and maximum let no task be replaced. Room on hosts does
// not help then.
func (e *Explanation) addStuck(s *fleet.Service) {
	minimum, maximum := aws.ToInt32(s.Configuration.MinimumHealthyPercent), aws.ToInt32(s.Configuration.MaximumPercent)
	text := fmt.Sprintf("Its deployment configuration lets no task stop and none start beside the others: minimumHealthyPercent is %d, rounded up to whole tasks, and maximumPercent %d, rounded down.", minimum, maximum)
	help := "Update the service to a lower minimumHealthyPercent."
	if s.Scheduling != types.SchedulingStrategyDaemon && s.DesiredCount > 0 {
		low, high := rollout.Unstick(s.DesiredCount)
		help = fmt.Sprintf("Update the service to a maximumPercent of at least %d, or to a minimumHealthyPercent of at most %d.", high, low)
	}
	e.addFinding(text, help)
	e.Placement = []Placement{{Refused: "the service's minimumHealthyPercent and maximumPercent let none start"}}
}

// addCrashes adds when the replacements of tasks that keep ending early will be
// launched.
func (e *Explanation) addCrashes(s *Service, d *Deployment) {
	c := &d.Crashes
	waiting, next := c.Delayed(s.Now)
	if waiting == 0 {
		return
	}
	e.addFinding(fmt.Sprintf("Its tasks keep ending by themselves within %d seconds of their start. They are replaced more and more slowly: %d of them not yet, the next at %s, in %s.",
		int(fleet.EarlyEnd.Seconds()), waiting, formatTime(next), next.Sub(s.Now).Round(time.Second)),
		"Mend what ends them. An update of the service to another task definition, or with forceNewDeployment, is carried out at once.")
	if t := d.Crashed; t != nil {
		text := fmt.Sprintf("Its task %s ended at %s: %s", t.ID, formatTime(t.Report.StoppedAt), t.Report.Reason)
		for i := range t.Report.Containers {
			if k := &t.Report.Containers[i]; k.ExitCode != nil {
				text += fmt.Sprintf("; container %s: exit code %d", k.Name, *k.ExitCode)
			}
		}
		e.addFinding(text, "See what it printed, on its host.")
	}
}
