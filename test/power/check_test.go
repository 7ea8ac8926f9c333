package power

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	docker "github.com/moby/moby/client"

	"github.com/ashore/ashore/test/installation"
)

// readStarts returns how often containers have written that they started: by the call and
// the container's name, and for the service's containers by their ids.
func (s *site) readStarts() (map[string]int, error) {
	b, err := os.ReadFile(s.path("witness", "starts"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // no container has written yet
		return nil, err
	}
	all := map[string]int{}
	for _, line := range strings.Fields(string(b)) {
		call, _, _ := strings.Cut(line, "/")
		all[call]++
	}
	return all, nil
}

// startedTwice names everything that was started more than once.
func (s *site) startedTwice() (out []string, err error) {
	all, err := s.readStarts()
	for call, n := range all {
		if n > 1 {
			out = append(out, fmt.Sprintf("%s was started %d times", call, n))
		}
	}
	return out, err
}

// tally is the result of a run.
type tally struct {
	ran, notStarted, died int // acknowledged tasks: ended by themselves, never started, ended with the machine
	reasons               map[string]int
}

// awaitEnd waits until every acknowledged task has ended and the service has its count.
// wrong lists what contradicts the promises.
func (l *ledger) awaitEnd(ctx context.Context) (t tally, wrong []string, err error) {
	for {
		t, wrong, again, err := l.checkEnd(ctx)
		if err != nil || again == "" {
			return t, wrong, err
		}
		select {
		case <-ctx.Done():
			return t, append(wrong, again), nil
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func (l *ledger) checkEnd(ctx context.Context) (t tally, wrong []string, again string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t.reasons = map[string]int{}
	bad := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	starts, err := l.site.readStarts()
	if err != nil {
		return t, nil, "", err
	}
	for call, n := range starts {
		if n > 1 {
			bad("%s was started %d times", call, n)
		}
	}
	api := l.site.API.ECS
	arns := []string{}
	for arn := range l.tasks {
		arns = append(arns, arn)
	}
	slices.Sort(arns)
	if n := len(slices.Compact(slices.Clone(arns))); n != len(l.tasks) {
		bad("%d calls were answered with %d tasks", len(l.tasks), n)
	}
	for some := range slices.Chunk(arns, 100) {
		out, err := api.DescribeTasks(ctx, &ecs.DescribeTasksInput{Tasks: some})
		if err != nil {
			return t, nil, "", err
		}
		for _, f := range out.Failures {
			bad("%s (%s) was acknowledged and is %s", *f.Arn, l.tasks[*f.Arn], *f.Reason)
		}
		for _, task := range out.Tasks {
			call := l.tasks[*task.TaskArn]
			if *task.LastStatus != "STOPPED" {
				again = fmt.Sprintf("%s (%s) is %s", call, *task.TaskArn, *task.LastStatus)
				continue
			}
			started, ended, why := 0, 0, aws.ToString(task.StoppedReason)
			for _, c := range task.Containers {
				n := starts[call+"."+*c.Name]
				started += n
				// The witness ends with status 3 after it has written.
				if c.ExitCode != nil && *c.ExitCode == 3 {
					ended++
					if n == 0 {
						bad("%s.%s ended as a program does that ran, and did not run", call, *c.Name)
					}
				} else if c.Reason != nil {
					why += " / " + *c.Reason
				}
			}
			switch {
			case ended == len(task.Containers):
				t.ran++
			case why == "":
				bad("%s has stopped without a reason", call)
			case started == 0:
				t.notStarted++
				t.reasons[why]++
			default:
				t.died++
				t.reasons[why]++
			}
		}
	}
	clusters := map[string]bool{}
	for pages := ecs.NewListClustersPaginator(api, &ecs.ListClustersInput{}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return t, nil, "", err
		}
		for _, arn := range page.ClusterArns {
			clusters[arn[strings.LastIndexByte(arn, '/')+1:]] = true
		}
	}
	for _, name := range l.clusters {
		if !clusters[name] {
			bad("cluster %s was acknowledged and is gone", name)
		}
	}
	for _, f := range l.families {
		if _, err := api.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{TaskDefinition: &f}); err != nil {
			bad("definition %s was acknowledged: %v", f, err)
		}
	}
	waits, err := l.service(ctx)
	if err != nil {
		return t, nil, "", err
	}
	if waits != "" {
		again = waits
	}
	return t, wrong, again, nil
}

// service returns what the service lacks, "" if nothing.
func (l *ledger) service(ctx context.Context) (string, error) {
	out, err := l.site.API.ECS.DescribeServices(ctx, &ecs.DescribeServicesInput{Services: []string{service}})
	if err != nil {
		return "", err
	}
	if len(out.Services) != 1 || *out.Services[0].Status != "ACTIVE" {
		return "the service is gone", nil
	}
	run, err := l.site.Docker.ContainerList(ctx, docker.ContainerListOptions{
		Filters: make(docker.Filters).Add("label", installation.Label+"="+l.site.Admin.InstallationID)})
	if err != nil {
		return "", err
	}
	// The writer may have ended before the last answer came.
	if s := out.Services[0]; s.DesiredCount != l.desired && s.DesiredCount != l.asked ||
		s.RunningCount != s.DesiredCount || s.PendingCount != 0 || len(run.Items) != int(s.DesiredCount) {
		return fmt.Sprintf("the service wants %d, was told to want %d, runs %d, of which %d wait; %d containers run", s.DesiredCount, l.desired, s.RunningCount, s.PendingCount, len(run.Items)), nil
	}
	return "", nil
}
