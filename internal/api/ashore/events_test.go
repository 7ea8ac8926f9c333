package ashore_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ashore/ashore/internal/api/apitest"
	"github.com/ashore/ashore/internal/client"
	"github.com/ashore/ashore/internal/identity"
	"github.com/ashore/ashore/internal/local"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// clientOf calls a as the owner of c.
func clientOf(t *testing.T, a *apitest.API, c identity.Credentials) *client.Client {
	out := client.New(local.Admin{Region: apitest.Site.Region, Endpoint: a.URL, AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey})
	t.Cleanup(out.Close)
	return out
}

func deny(t *testing.T, c *client.Client, in client.EventsInput, code string) {
	t.Helper()
	err := c.Events(t.Context(), in, func(client.EventLine) error { return nil }, func(err error) { t.Error(err) })
	var refused *client.Error
	if !errors.As(err, &refused) || refused.Code != code {
		t.Errorf("got %v, want %s", err, code)
	}
}

// TestStreamEvents follows a task's life over the wire, then reads the same once
// more from the past.
func TestStreamEvents(t *testing.T) {
	a := apitest.Start(t)
	ctx := t.Context()
	admin, err := identity.EnsureAdmin(ctx, a.Store, a.Sealer)
	if err != nil {
		t.Fatal(err)
	}
	c := clientOf(t, a, admin)
	before := a.Store.Snapshot().Revision()
	following, stop := context.WithCancel(ctx)
	defer stop()
	lines := make(chan string, 100)
	began := make(chan struct{}, 1)
	done := make(chan error, 1)
	go func() {
		done <- c.Events(following, client.EventsInput{Follow: true}, func(l client.EventLine) error {
			select {
			case began <- struct{}{}:
			default:
			}
			for _, e := range l.Events {
				lines <- summary(t, e)
			}
			return nil
		}, func(err error) { t.Error(err) })
	}()
	<-began
	if _, err := a.Client.CreateCluster(ctx, &ecs.CreateClusterInput{ClusterName: aws.String("c")}); err != nil {
		t.Fatal(err)
	}
	_, host := a.Register("web-1", "c")
	if _, err := a.Client.RegisterTaskDefinition(ctx, &ecs.RegisterTaskDefinitionInput{Family: aws.String("f"), ContainerDefinitions: []types.ContainerDefinition{
		{Name: aws.String("x"), Image: aws.String("x"), Memory: aws.Int32(10)}}}); err != nil {
		t.Fatal(err)
	}
	run, err := a.Client.RunTask(ctx, &ecs.RunTaskInput{Cluster: aws.String("c"), TaskDefinition: aws.String("f")})
	if err != nil {
		t.Fatal(err)
	}
	task := run.Tasks[0].TaskArn
	for _, status := range []string{"RUNNING", "STOPPED"} {
		if _, err := host.SubmitTaskStateChange(ctx, &ecs.SubmitTaskStateChangeInput{Cluster: aws.String("c"), Task: task, Status: &status,
			Containers: []types.ContainerStateChange{{ContainerName: aws.String("x"), Status: &status, ExitCode: aws.Int32(0)}}}); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{
		"ECS Container Instance State Change ACTIVE not connected",
		"ECS Container Instance State Change ACTIVE connected",
		"ECS Task State Change PENDING 1", "ECS Container Instance State Change ACTIVE connected",
		"ECS Task State Change RUNNING 2", "ECS Container Instance State Change ACTIVE connected",
		"ECS Task State Change STOPPED 3", "ECS Container Instance State Change ACTIVE connected",
	}
	var got []string
	for len(got) < len(want) {
		select {
		case l := <-lines:
			got = append(got, l)
		case <-ctx.Done():
			t.Fatalf("told %q", got)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("told\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	stop()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}

	past := func(in client.EventsInput) []string {
		t.Helper()
		var got []string
		in.After = &before
		if err := c.Events(ctx, in, func(l client.EventLine) error {
			for _, e := range l.Events {
				got = append(got, summary(t, e))
			}
			return nil
		}, func(err error) { t.Error(err) }); err != nil {
			t.Error(err)
		}
		return got
	}
	if got := past(client.EventsInput{}); !slices.Equal(got, want) {
		t.Errorf("of the past: %q", got)
	}
	if got := past(client.EventsInput{Cluster: "c", Task: *task}); !slices.Equal(got, []string{want[2], want[4], want[6]}) {
		t.Errorf("of the task: %q", got)
	}
	if got := past(client.EventsInput{Cluster: "other"}); len(got) != 0 {
		t.Errorf("of another cluster: %q", got)
	}
	if got := past(client.EventsInput{DetailTypes: []string{"ECS Deployment State Change"}}); len(got) != 0 {
		t.Errorf("of deployments: %q", got)
	}

	deny(t, c, client.EventsInput{After: aws.Int64(1 << 40)}, "InvalidParameterException")
	deny(t, c, client.EventsInput{DetailTypes: []string{"ECS Nothing"}}, "InvalidParameterException")
	deny(t, c, client.EventsInput{Task: "short"}, "InvalidParameterException")
	h, err := identity.CreateHost(ctx, a.Store, a.Sealer, "web-2")
	if err != nil {
		t.Fatal(err)
	}
	deny(t, clientOf(t, a, h), client.EventsInput{Follow: true}, "AccessDeniedException")
	// What lies before the server's start is not known to it: it says so.
	gap := false
	if err := c.Events(ctx, client.EventsInput{After: aws.Int64(0)}, func(l client.EventLine) error {
		gap = gap || l.Gap != nil && l.Gap.After == 0 && l.Gap.Through > 0
		return nil
	}, func(err error) { t.Error(err) }); err != nil || !gap {
		t.Errorf("no gap from the beginning: %v", err)
	}
}

func summary(t *testing.T, event json.RawMessage) string {
	t.Helper()
	var e struct {
		DetailType string `json:"detail-type"`
		Detail     struct {
			LastStatus, Status string
			Version            int64
			AgentConnected     bool
		}
	}
	if err := json.Unmarshal(event, &e); err != nil {
		t.Error(err)
	}
	switch {
	case e.Detail.LastStatus != "":
		return fmt.Sprintf("%s %s %d", e.DetailType, e.Detail.LastStatus, e.Detail.Version)
	case e.Detail.AgentConnected:
		return e.DetailType + " " + e.Detail.Status + " connected"
	}
	return e.DetailType + " " + e.Detail.Status + " not connected"
}
