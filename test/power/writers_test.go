package power

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// ledger has the promises that the writers got.
type ledger struct {
	site *site

	mu       sync.Mutex
	tasks    map[string]string // ARN → the name of the acknowledged call
	clusters []string
	families []string // family:revision
	desired  int32    // of the service, as acknowledged last
	asked    int32    // of the service, as asked for last: with an answer or without
	unknown  int      // calls without a token and without an answer
	wrong    []string // answers that are not allowed
}

// write runs the writers until ctx is done. Each makes random changes, one call after
// the other.
func (l *ledger) write(ctx context.Context) (wait func()) {
	var all sync.WaitGroup
	for i, next := range []func(context.Context, *rand.Rand, string){l.runTaskWithToken, l.runTaskWithToken, l.runTaskWithoutToken, l.makeCluster, l.register, l.scale} {
		all.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(i), 1))
			for n := 0; ctx.Err() == nil; n++ {
				next(ctx, rng, fmt.Sprintf("w%d-%d", i, n))
				pause(ctx, time.Duration(rng.IntN(400))*time.Millisecond)
			}
		})
	}
	return all.Wait
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// call bounds one call, and records an answer that is not allowed.
func (l *ledger) call(ctx context.Context, f func(context.Context) error) error {
	short, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return f(short)
}

func (l *ledger) note(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
}

func (l *ledger) runTask(ctx context.Context, rng *rand.Rand, name string, token *string) (arn string, err error) {
	family, boxes := "once", []string{"main"}
	if rng.IntN(2) == 0 {
		family, boxes = "before", []string{"migrate", "main"}
	}
	in := &ecs.RunTaskInput{TaskDefinition: &family, LaunchType: types.LaunchTypeExternal, ClientToken: token, Overrides: &types.TaskOverride{}}
	for _, box := range boxes {
		in.Overrides.ContainerOverrides = append(in.Overrides.ContainerOverrides, types.ContainerOverride{Name: aws.String(box),
			Environment: []types.KeyValuePair{{Name: aws.String("WITNESS"), Value: aws.String(name + "." + box)}}})
	}
	for {
		err := l.call(ctx, func(ctx context.Context) error {
			out, err := l.site.API.ECS.RunTask(ctx, in, callOnce)
			if err == nil && len(out.Tasks) == 1 {
				arn = *out.Tasks[0].TaskArn
			} else if err == nil && *out.Failures[0].Reason != "AGENT" {
				l.note(func() { l.wrong = append(l.wrong, name+": not placed: "+*out.Failures[0].Reason) })
			}
			return err
		})
		if arn != "" || token == nil || ctx.Err() != nil {
			return arn, err
		}
		pause(ctx, time.Duration(50+rng.IntN(50))*time.Millisecond)
	}
}

// runTaskWithToken runs a task with a token until the call is acknowledged.
func (l *ledger) runTaskWithToken(ctx context.Context, rng *rand.Rand, name string) {
	if arn, _ := l.runTask(ctx, rng, name, &name); arn != "" {
		l.note(func() { l.tasks[arn] = name })
	}
}

// runTaskWithoutToken runs a task without a token. Without an answer its fate is
// unknown, but it is never more than one task.
func (l *ledger) runTaskWithoutToken(ctx context.Context, rng *rand.Rand, name string) {
	arn, err := l.runTask(ctx, rng, name, nil)
	l.note(func() {
		if arn != "" {
			l.tasks[arn] = name
		} else if err != nil {
			l.unknown++
		}
	})
}

func (l *ledger) makeCluster(ctx context.Context, _ *rand.Rand, name string) {
	if err := l.call(ctx, func(ctx context.Context) error {
		_, err := l.site.API.ECS.CreateCluster(ctx, &ecs.CreateClusterInput{ClusterName: &name}, callOnce)
		return err
	}); err == nil {
		l.note(func() { l.clusters = append(l.clusters, name) })
	}
}

func (l *ledger) register(ctx context.Context, rng *rand.Rand, _ string) {
	family := fmt.Sprint("family-", rng.IntN(5))
	_ = l.call(ctx, func(ctx context.Context) error {
		out, err := l.site.API.ECS.RegisterTaskDefinition(ctx, &ecs.RegisterTaskDefinitionInput{Family: &family, ContainerDefinitions: []types.ContainerDefinition{
			{Name: aws.String("main"), Image: aws.String(image), Memory: aws.Int32(16)}}}, callOnce)
		if err == nil {
			l.note(func() {
				l.families = append(l.families, fmt.Sprintf("%s:%d", *out.TaskDefinition.Family, out.TaskDefinition.Revision))
			})
		}
		return err
	})
}

// scale changes the count of the service's tasks until that is acknowledged.
func (l *ledger) scale(ctx context.Context, rng *rand.Rand, _ string) {
	want := int32(1 + rng.IntN(4))
	l.note(func() { l.asked = want })
	for ctx.Err() == nil {
		err := l.call(ctx, func(ctx context.Context) error {
			_, err := l.site.API.ECS.UpdateService(ctx, &ecs.UpdateServiceInput{Service: aws.String(service), DesiredCount: &want}, callOnce)
			return err
		})
		if err == nil {
			l.note(func() { l.desired = want })
			break
		}
		pause(ctx, 50*time.Millisecond)
	}
	pause(ctx, time.Duration(rng.IntN(3000))*time.Millisecond)
}
