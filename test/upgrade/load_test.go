//go:build linux

package upgrade

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/smithy-go"
)

// load runs and stops tasks and changes a service, one call after the other in each of
// its two goroutines. It notes what was acknowledged.
type load struct {
	s *scene

	mu      sync.Mutex
	done    map[string]int    // calls that were acknowledged, by operation; guarded by mu
	running []string          // tasks that nobody has stopped; guarded by mu
	stopped map[string]string // tasks that were stopped: the reason; guarded by mu
	last    string            // what the service was last said to be; guarded by mu
	err     error             // why it ended early; guarded by mu
}

// most is how many tasks of the load run at once.
const most = 4

// start begins. The returned function ends it: a call that is under way is still
// acknowledged.
func (s *scene) start(definitions [2]string) (*load, func()) {
	l := &load{s: s, done: map[string]int{}, stopped: map[string]string{}}
	ctx, cancel := context.WithCancel(s.ctx)
	var all sync.WaitGroup
	for _, f := range []func(context.Context) error{l.tasks, func(ctx context.Context) error { return l.service(ctx, definitions) }} {
		all.Go(func() {
			if err := f(ctx); err != nil && ctx.Err() == nil {
				l.mu.Lock()
				l.err = errors.Join(l.err, err)
				l.mu.Unlock()
			}
		})
	}
	return l, func() { cancel(); all.Wait() }
}

// acknowledged repeats a call until it is acknowledged: a server is away for a while.
func acknowledged[In, Out any](l *load, operation string, call func(context.Context, *In, ...func(*ecs.Options)) (*Out, error), in *In) (*Out, error) {
	for {
		out, err := call(l.s.ctx, in)
		if err == nil {
			l.mu.Lock()
			l.done[operation]++
			l.mu.Unlock()
			return out, nil
		}
		var api smithy.APIError
		if errors.As(err, &api) && api.ErrorFault() == smithy.FaultClient {
			return nil, fmt.Errorf("%s: %w", operation, err)
		}
		if err := pause(l.s.ctx); err != nil {
			return nil, err
		}
	}
}

// pause is the load's pace.
func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(100 * time.Millisecond):
		return nil
	}
}

func (l *load) tasks(ctx context.Context) error {
	for n := 0; ; n++ {
		in := &ecs.RunTaskInput{TaskDefinition: aws.String(loadFamily), ClientToken: aws.String(fmt.Sprint("load-", n)), Tags: tags}
		out, err := acknowledged(l, "RunTask", l.s.api().RunTask, in)
		if err != nil {
			return err
		}
		if len(out.Tasks) == 0 { // the agent is away, or what it was to stop meanwhile is in the way
			if err := pause(ctx); err != nil {
				return err
			}
			continue
		}
		l.mu.Lock()
		l.done["placed"]++
		l.running = append(l.running, *out.Tasks[0].TaskArn)
		stop := ""
		if len(l.running) > most {
			stop = l.running[0]
		}
		l.mu.Unlock()
		if stop != "" {
			reason := fmt.Sprint("number ", n)
			if _, err := acknowledged(l, "StopTask", l.s.api().StopTask, &ecs.StopTaskInput{Task: &stop, Reason: &reason}); err != nil {
				return err
			}
			l.mu.Lock()
			l.running, l.stopped[stop] = l.running[1:], reason
			l.mu.Unlock()
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
}

func (l *load) service(ctx context.Context, definitions [2]string) error {
	for n := 1; ; n++ {
		definition, desired := definitions[n%2], int32(1+n%3)
		if _, err := acknowledged(l, "UpdateService", l.s.api().UpdateService, &ecs.UpdateServiceInput{
			Service: aws.String(rolling), TaskDefinition: &definition, DesiredCount: &desired}); err != nil {
			return err
		}
		l.mu.Lock()
		l.last = fmt.Sprint(desired, " of ", definition)
		l.mu.Unlock()
		for range 10 { // a deployment takes seconds
			if err := pause(ctx); err != nil {
				return err
			}
		}
	}
}

// goesOn waits until calls of each kind were acknowledged since now.
func (l *load) goesOn() {
	l.s.Helper()
	l.mu.Lock()
	before := maps.Clone(l.done)
	l.mu.Unlock()
	l.s.until("the load goes on", func() string {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.err != nil {
			l.s.Fatal(l.err)
		}
		for _, operation := range []string{"placed", "StopTask", "UpdateService"} {
			if l.done[operation] == before[operation] {
				return "no " + operation
			}
		}
		return ""
	})
}

// check compares what is there after the load with what was acknowledged.
func (l *load) check() {
	s := l.s
	s.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	s.Logf("acknowledged: %v", l.done)
	for _, arn := range l.running {
		s.await(arn, "RUNNING")
	}
	for arn, reason := range l.stopped {
		s.await(arn, "STOPPED")
		out := must[ecs.DescribeTasksOutput](s)(s.api().DescribeTasks(s.ctx, &ecs.DescribeTasksInput{Tasks: []string{arn}}))
		if is := out.Tasks[0]; aws.ToString(is.StoppedReason) != reason || is.StopCode != types.TaskStopCodeUserInitiated {
			s.Errorf("%s was stopped as %q and says %q (%s)", arn, reason, aws.ToString(is.StoppedReason), is.StopCode)
		}
	}
	s.stable(rolling)
	is := must[ecs.DescribeServicesOutput](s)(s.api().DescribeServices(s.ctx, &ecs.DescribeServicesInput{Services: []string{rolling}})).Services[0]
	if got := fmt.Sprint(is.DesiredCount, " of ", *is.TaskDefinition); got != l.last {
		s.Errorf("the service is %s, last said %s", got, l.last)
	}
}
