package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/ashore/ashore/internal/client"
	"github.com/ashore/ashore/internal/hint"
	"github.com/ashore/ashore/internal/pace"
	"github.com/ashore/ashore/internal/sample"
	"github.com/ashore/ashore/internal/sample/image"
)

const (
	sampleFamily    = "ashore-sample"
	sampleContainer = "sample"
	startedByUp     = "ashore-up"
)

// runSample runs the sample task unless it already runs, waits for it and fetches its
// page.
func (r *upRun) runSample(ctx context.Context, api *client.Client) error {
	cluster := r.host.Cluster
	begun := time.Now()
	arn, err := findSample(ctx, api, cluster)
	if err != nil {
		return err
	}
	already := arn != ""
	if !already {
		if arn, err = r.startSample(ctx, api, cluster); err != nil {
			return err
		}
	}
	task, err := awaitRunning(ctx, api, cluster, arn)
	if err != nil {
		return err
	}
	took := time.Since(begun)
	name := lastPart(aws.ToString(task.TaskDefinitionArn))
	if aws.ToString(task.ContainerInstanceArn) != r.host.InstanceArn {
		r.printf("sample         task %s of %s runs on another host, %s\n", lastPart(arn), name, lastPart(aws.ToString(task.ContainerInstanceArn)))
		return nil
	}
	url, err := pageURL(task)
	if err != nil {
		return err
	}
	page, err := fetchPage(ctx, url)
	if err != nil {
		return err
	}
	if already {
		r.printf("sample         %s, task %s of %s, already runs\n", url, lastPart(arn), name)
	} else {
		r.printf("sample         %s, task %s of %s, RUNNING in %s\n", url, lastPart(arn), name, seconds(took))
	}
	r.printf("its page       %s\n", page)
	if !already {
		r.printf("first task     RUNNING and answering %s after the start of this command\n", seconds(time.Since(r.begun)))
	}
	return nil
}

// findSample returns the ARN of a sample task that should run, "" if there is none.
func findSample(ctx context.Context, api *client.Client, cluster string) (string, error) {
	l, err := api.ECS.ListTasks(ctx, &ecs.ListTasksInput{Cluster: &cluster, Family: aws.String(sampleFamily), DesiredStatus: types.DesiredStatusRunning})
	if err != nil || len(l.TaskArns) == 0 {
		return "", err
	}
	return l.TaskArns[0], nil
}

func (r *upRun) startSample(ctx context.Context, api *client.Client, cluster string) (string, error) {
	def, err := sampleDefinition(ctx, api, image.NameFor(r.admin.InstallationID))
	if err != nil {
		return "", err
	}
	// Ctrl-C may lose the answer although the task runs. Its mark finds the task.
	mark := fmt.Sprintf("%s/%d", startedByUp, time.Now().UnixNano())
	out, err := api.ECS.RunTask(ctx, &ecs.RunTaskInput{Cluster: &cluster, TaskDefinition: &def, StartedBy: &mark})
	if err != nil {
		undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		l, lerr := api.ECS.ListTasks(undo, &ecs.ListTasksInput{Cluster: &cluster, StartedBy: &mark})
		if lerr == nil {
			r.samples = append(r.samples, l.TaskArns...)
		}
		return "", errors.Join(err, lerr)
	}
	if len(out.Tasks) == 0 {
		var why []string
		for _, f := range out.Failures {
			why = append(why, aws.ToString(f.Reason)+" "+aws.ToString(f.Detail))
		}
		return "", hint.With(fmt.Errorf("the sample task found no place: %s", strings.TrimSpace(strings.Join(why, ", "))),
			"free some room by stopping tasks, or leave the sample out by --no-sample")
	}
	arn := aws.ToString(out.Tasks[0].TaskArn)
	r.samples = append(r.samples, arn)
	return arn, nil
}

// sampleDefinition returns the newest revision if it has the wanted content. Otherwise
// it registers one.
func sampleDefinition(ctx context.Context, api *client.Client, image string) (string, error) {
	want := types.ContainerDefinition{
		Name: aws.String(sampleContainer), Image: &image, Cpu: 32, Memory: aws.Int32(32), Essential: aws.Bool(true),
		PortMappings: []types.PortMapping{{ContainerPort: aws.Int32(8080), HostPort: aws.Int32(0), Protocol: types.TransportProtocolTcp}},
	}
	d, err := api.ECS.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{TaskDefinition: aws.String(sampleFamily)})
	if _, none := errors.AsType[*types.ClientException](err); err != nil && !none {
		return "", err
	}
	if err == nil && len(d.TaskDefinition.ContainerDefinitions) == 1 {
		has := d.TaskDefinition.ContainerDefinitions[0]
		if aws.ToString(has.Image) == image && has.Cpu == want.Cpu && aws.ToInt32(has.Memory) == 32 && len(has.PortMappings) == 1 {
			return aws.ToString(d.TaskDefinition.TaskDefinitionArn), nil
		}
	}
	out, err := api.ECS.RegisterTaskDefinition(ctx, &ecs.RegisterTaskDefinitionInput{
		Family: aws.String(sampleFamily), NetworkMode: types.NetworkModeBridge,
		ContainerDefinitions: []types.ContainerDefinition{want},
	})
	if err != nil {
		return "", err
	}
	return aws.ToString(out.TaskDefinition.TaskDefinitionArn), nil
}

func describeTask(ctx context.Context, api *client.Client, cluster, arn string) (types.Task, error) {
	d, err := api.ECS.DescribeTasks(ctx, &ecs.DescribeTasksInput{Cluster: &cluster, Tasks: []string{arn}})
	if err != nil {
		return types.Task{}, err
	}
	if len(d.Tasks) != 1 {
		return types.Task{}, fmt.Errorf("the task %s is gone", arn)
	}
	return d.Tasks[0], nil
}

func awaitRunning(ctx context.Context, api *client.Client, cluster, arn string) (types.Task, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, taskLimit, fmt.Errorf("the sample task did not run within %s", taskLimit))
	defer cancel()
	for wait := 10 * time.Millisecond; ; wait = min(wait*3/2, 500*time.Millisecond) {
		task, err := describeTask(ctx, api, cluster, arn)
		if err != nil {
			return task, err
		}
		switch aws.ToString(task.LastStatus) {
		case "RUNNING":
			return task, nil
		case "STOPPED":
			reason := aws.ToString(task.StoppedReason)
			for _, c := range task.Containers {
				if c.Reason != nil {
					reason += "; " + aws.ToString(c.Name) + ": " + *c.Reason
				}
			}
			return task, fmt.Errorf("the sample task stopped: %s", reason)
		}
		if pace.Sleep(ctx, wait) != nil {
			return task, context.Cause(ctx)
		}
	}
}

func pageURL(task types.Task) (string, error) {
	for _, c := range task.Containers {
		for _, b := range c.NetworkBindings {
			if aws.ToInt32(b.HostPort) != 0 {
				return fmt.Sprintf("http://127.0.0.1:%d/", *b.HostPort), nil
			}
		}
	}
	return "", fmt.Errorf("the sample task has no host port")
}

// fetchPage fetches the sample's page. It retries, because the container runs a moment
// before its program listens.
func fetchPage(ctx context.Context, url string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	h := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // without a proxy
	for {
		page, err := fetchOnce(ctx, h, url)
		if err == nil {
			return page, nil
		}
		if pace.Sleep(ctx, 20*time.Millisecond) != nil {
			return "", fmt.Errorf("the sample's page: %w", err)
		}
	}
}

func fetchOnce(ctx context.Context, h *http.Client, url string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	resp, err := h.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return "", err
	}
	if !strings.Contains(string(body), sample.PageMark) {
		return "", fmt.Errorf("%s answered %s, which is not the sample's", url, resp.Status)
	}
	return strings.TrimSpace(string(body)), nil
}

// stopTasks stops tasks and waits until they have stopped.
func stopTasks(ctx context.Context, api *client.Client, cluster string, arns []string, progress func(stopped int)) error {
	for _, arn := range arns {
		_, err := api.ECS.StopTask(ctx, &ecs.StopTaskInput{Cluster: &cluster, Task: &arn, Reason: aws.String("ashore down")})
		if err != nil {
			return fmt.Errorf("stop the task %s: %w", lastPart(arn), err)
		}
	}
	reported := time.Now()
	for i, arn := range arns {
		for wait := 20 * time.Millisecond; ; wait = min(wait*3/2, time.Second) {
			task, err := describeTask(ctx, api, cluster, arn)
			if err != nil {
				return err
			}
			if aws.ToString(task.LastStatus) == "STOPPED" {
				break
			}
			if time.Since(reported) >= progressEvery {
				reported = time.Now()
				progress(i)
			}
			if pace.Sleep(ctx, wait) != nil {
				return fmt.Errorf("the task %s is still %s: %w", lastPart(arn), aws.ToString(task.LastStatus), context.Cause(ctx))
			}
		}
	}
	return nil
}
