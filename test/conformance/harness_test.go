// Package conformance states what the API of Amazon ECS does, case by case, through the
// SDK. It runs against a control plane of ours in this process, with simulated hosts,
// or against any other endpoint of ECS, including AWS's own:
//
//	go test ./test/conformance -args -endpoint https://ecs.us-east-1.amazonaws.com -region us-east-1 [-hosts CLUSTER] [-image IMAGE]
//
// The key is in AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN. -hosts
// names a cluster there with container instances that accept tasks. Cases are not
// selected if the endpoint lacks something that they need; the last line counts these
// cases.
//
// Each case cites its source: a public page, or a member of the API's model as "model:
// RunTaskInput.count".
package conformance

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/smithy-go"
)

var (
	endpoint = flag.String("endpoint", "", "an endpoint of ECS; empty: one of ours, made for the run")
	region   = flag.String("region", "us-east-1", "the region of -endpoint")
	hosts    = flag.String("hosts", "", "a cluster at -endpoint that has container instances")
	image    = flag.String("image", "public.ecr.aws/docker/library/busybox:latest", "an image with a sleep command that the hosts can have")
)

// Need is what a case needs besides the API.
type Need int

const (
	Nothing Need = iota
	Hosts        // a cluster with connected container instances
	Fleet        // hosts that the case itself creates: only where the suite runs them
)

// Case is one statement about the API.
type Case struct {
	Name  string
	Cite  string
	Needs Need
	Run   func(c *C)
}

// C is the context of a running case.
type C struct {
	*testing.T
	ECS *ecs.Client
	at  *target
}

// patience bounds each wait of a case.
const patience = time.Minute

var selected, left atomic.Int64

// run runs the cases that the target supports, each as a subtest.
func run(t *testing.T, cases []Case) {
	at := findTarget(t)
	seen := map[string]bool{}
	for _, c := range cases {
		if seen[c.Name] {
			t.Errorf("two cases are called %q", c.Name)
		}
		seen[c.Name] = true
		if err := cited(c.Cite); err != nil {
			t.Errorf("%s: %v", c.Name, err)
		}
		if c.Needs > at.has {
			left.Add(1)
			continue
		}
		selected.Add(1)
		t.Run(c.Name, func(t *testing.T) { c.Run(&C{t, at.client, at}) })
	}
}

// Ctx returns a context that bounds the case's calls.
func (c *C) Ctx() context.Context { return c.T.Context() }

var unique atomic.Int64

// Unique returns a name that nothing else at the endpoint has.
func (c *C) Unique(prefix string) string {
	return fmt.Sprintf("%s-%x-%d-%d", prefix, time.Now().Unix(), os.Getpid(), unique.Add(1))
}

// OK fails the case on an error.
func (c *C) OK(err error) {
	c.Helper()
	if err != nil {
		c.Fatal(err)
	}
}

// Refused fails the case unless err is the API's error with that code. The message must
// contain each of the words, in upper or lower case.
func (c *C) Refused(err error, code string, words ...string) {
	c.Helper()
	var e smithy.APIError
	if !errors.As(err, &e) {
		c.Fatalf("got %v, want %s", err, code)
	}
	if e.ErrorCode() != code {
		c.Fatalf("got %s (%s), want %s", e.ErrorCode(), e.ErrorMessage(), code)
	}
	for _, w := range words {
		if !strings.Contains(strings.ToLower(e.ErrorMessage()), strings.ToLower(w)) {
			c.Errorf("the message %q does not say %q", e.ErrorMessage(), w)
		}
	}
}

// Cluster creates a cluster and returns its name. The cluster is deleted at the end.
func (c *C) Cluster(change ...func(*ecs.CreateClusterInput)) string {
	c.Helper()
	in := &ecs.CreateClusterInput{ClusterName: aws.String(c.Unique("conformance"))}
	for _, f := range change {
		f(in)
	}
	_, err := c.ECS.CreateCluster(c.Ctx(), in)
	c.OK(err)
	c.Cleanup(func() {
		c.endServices(*in.ClusterName)
		_, err := c.ECS.DeleteCluster(context.Background(), &ecs.DeleteClusterInput{Cluster: in.ClusterName})
		var gone *types.ClusterNotFoundException
		if err != nil && !errors.As(err, &gone) {
			c.Errorf("cleaning up: %v", err)
		}
	})
	return *in.ClusterName
}

// endServices deletes a cluster's services.
func (c *C) endServices(cluster string) {
	ctx := context.Background()
	out, err := c.ECS.ListServices(ctx, &ecs.ListServicesInput{Cluster: &cluster, MaxResults: aws.Int32(100)})
	if err != nil {
		return // the cluster was deleted
	}
	for _, arn := range out.ServiceArns {
		if _, err := c.ECS.DeleteService(ctx, &ecs.DeleteServiceInput{Cluster: &cluster, Service: &arn, Force: aws.Bool(true)}); err != nil {
			c.Errorf("cleaning up: %v", err)
		}
	}
}

// Sleeper registers a task definition and returns family:revision. Its one container,
// "main", sleeps for an hour. It is deregistered at the end.
func (c *C) Sleeper(change ...func(*ecs.RegisterTaskDefinitionInput)) string {
	c.Helper()
	in := &ecs.RegisterTaskDefinitionInput{
		Family: aws.String(c.Unique("conformance")), NetworkMode: types.NetworkModeBridge,
		ContainerDefinitions: []types.ContainerDefinition{{
			Name: aws.String("main"), Image: image,
			Cpu: 16, Memory: aws.Int32(16), Essential: aws.Bool(true), Command: []string{"sleep", "3600"},
		}},
	}
	for _, f := range change {
		f(in)
	}
	out, err := c.ECS.RegisterTaskDefinition(c.Ctx(), in)
	c.OK(err)
	ref := fmt.Sprintf("%s:%d", *out.TaskDefinition.Family, out.TaskDefinition.Revision)
	c.Cleanup(func() {
		if _, err := c.ECS.DeregisterTaskDefinition(context.Background(), &ecs.DeregisterTaskDefinitionInput{TaskDefinition: &ref}); err != nil {
			var already *types.ClientException // the case has deleted it
			if !errors.As(err, &already) {
				c.Errorf("cleaning up: %v", err)
			}
		}
	})
	return ref
}

// Run starts tasks in a cluster and returns their ARNs. They are stopped at the end.
func (c *C) Run(cluster, definition string, count int, change ...func(*ecs.RunTaskInput)) []string {
	c.Helper()
	in := &ecs.RunTaskInput{Cluster: &cluster, TaskDefinition: &definition, Count: aws.Int32(int32(count))}
	for _, f := range change {
		f(in)
	}
	out, err := c.ECS.RunTask(c.Ctx(), in)
	c.OK(err)
	var arns []string
	for _, t := range out.Tasks {
		arns = append(arns, *t.TaskArn)
	}
	c.StopAtEnd(cluster, arns...)
	if len(arns) != count {
		why := ""
		for _, f := range out.Failures {
			why += "; " + aws.ToString(f.Reason) + ": " + aws.ToString(f.Detail)
		}
		c.Fatalf("%d of %d tasks were placed%s", len(arns), count, why)
	}
	return arns
}

// StopAtEnd stops tasks at the end of the case, and waits until they have stopped.
func (c *C) StopAtEnd(cluster string, arns ...string) {
	c.Cleanup(func() {
		for _, arn := range arns {
			if _, err := c.ECS.StopTask(context.Background(), &ecs.StopTaskInput{Cluster: &cluster, Task: &arn}); err != nil {
				c.Errorf("cleaning up: %v", err)
			}
		}
		for some := range slices.Chunk(arns, 100) {
			w := ecs.NewTasksStoppedWaiter(c.ECS, pollOften)
			if err := w.Wait(context.Background(), &ecs.DescribeTasksInput{Cluster: &cluster, Tasks: some}, patience); err != nil {
				c.Errorf("cleaning up: %v", err)
			}
		}
	})
}

// pollOften makes a waiter poll often, because our hosts are fast.
func pollOften(o *ecs.TasksStoppedWaiterOptions) {
	o.MinDelay, o.MaxDelay = 20*time.Millisecond, time.Second
}

// Eventually calls ok until it returns true, with growing pauses.
func (c *C) Eventually(what string, ok func() bool) {
	c.Helper()
	until := time.Now().Add(patience)
	for pause := 5 * time.Millisecond; !ok(); pause = min(2*pause, time.Second) {
		if time.Now().After(until) {
			c.Fatalf("in vain waited until %s", what)
		}
		time.Sleep(pause)
	}
}
