package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/ashore/ashore/internal/client"
	"github.com/ashore/ashore/internal/hint"
	"github.com/ashore/ashore/internal/plain"
)

// eventsCommand prints events, as lines for people or as EventBridge's JSON.
type eventsCommand struct {
	dataDir    `kong:"embed"`
	Follow     bool     `short:"f" help:"Go on with what is yet to happen, until interrupted."`
	Since      *int64   `placeholder:"REVISION" help:"Begin after this revision, as an earlier run has named it. Default: all that is known; with --follow, from now on."`
	Cluster    string   `placeholder:"NAME" help:"Only what happens in this cluster."`
	Service    string   `xor:"of" placeholder:"NAME" help:"Only this service, its deployments and its tasks."`
	Task       string   `xor:"of" placeholder:"ID" help:"Only this task."`
	DetailType []string `placeholder:"TYPE" help:"Only events of this type, such as \"ECS Task State Change\" or just task; may be given several times."`
	JSON       bool     `help:"Print each event as a line of JSON, as EventBridge has it. Default where the output is no terminal."`
}

func (eventsCommand) Example() string {
	return "ashore events --follow --service web"
}

// detailTypes maps short names to detail types.
var detailTypes = map[string]string{
	"task": "ECS Task State Change", "instance": "ECS Container Instance State Change", "health": "ECS Container Instance Health Change",
	"deployment": "ECS Deployment State Change", "service": "ECS Service Action", "duplicate": "Ashore Duplicate Agent Refused",
}

func (e *eventsCommand) Run(ctx context.Context, t *terminal) error {
	a, err := e.admin()
	if err != nil {
		return err
	}
	c := client.New(a)
	defer c.Close()
	in := client.EventsInput{Cluster: e.Cluster, Service: e.Service, Task: e.Task, After: e.Since, Follow: e.Follow}
	for _, name := range e.DetailType {
		if long, ok := detailTypes[name]; ok {
			name = long
		}
		in.DetailTypes = append(in.DetailTypes, name)
	}
	asJSON := e.JSON || !isTerminal(t.out)
	lastRevision := int64(-1)
	err = c.Events(ctx, in, func(l client.EventLine) error {
		if l.Gap != nil {
			t.note("note: what happened after revision %d up to %d is not known any more", l.Gap.After, l.Gap.Through)
		}
		for _, event := range l.Events {
			if err := printEvent(t.out, l.Revision, event, asJSON); err != nil {
				return err
			}
		}
		lastRevision = l.Revision
		return nil
	}, func(err error) { t.note("note: the connection has ended and is made again: %v", err) })
	if lastRevision >= 0 {
		t.note("note: to go on from here: --since %d", lastRevision)
	}
	var refused *client.Error
	switch {
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		return nil // the user has interrupted it
	case errors.As(err, &refused):
		return hint.With(errors.New(refused.Message), "see `ashore events --help`")
	}
	return err
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

func printEvent(w io.Writer, revision int64, event json.RawMessage, asJSON bool) error {
	if asJSON {
		_, err := fmt.Fprintf(w, "%s\n", event)
		return err
	}
	text, err := eventText(event)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%d  %s\n", revision, plain.Text(text))
	return err
}

// eventText returns an event as one line for people.
func eventText(event json.RawMessage) (string, error) {
	var e struct {
		DetailType string    `json:"detail-type"`
		Time       time.Time `json:"time"`
		Resources  []string  `json:"resources"`
		Detail     struct {
			LastStatus, DesiredStatus, StopCode, StoppedReason, Group, HealthStatus, TaskDefinitionArn string
			Status, StatusReason, OverallStatus                                                        string
			AgentConnected                                                                             bool
			RunningTasksCount, PendingTasksCount                                                       int
			EventName, DeploymentID, Reason                                                            string
			RemainingResources                                                                         []struct {
				Name         string
				IntegerValue int
			}
		} `json:"detail"`
	}
	if err := json.Unmarshal(event, &e); err != nil {
		return "", fmt.Errorf("an event: %w", err)
	}
	what := strings.Join(e.Resources, " ")
	if p := strings.SplitN(what, ":", 6); len(p) == 6 {
		what = p[5]
	}
	d := &e.Detail
	parts := []string{e.Time.Local().Format(time.TimeOnly), what}
	add := func(when bool, format string, args ...any) {
		if when {
			parts = append(parts, fmt.Sprintf(format, args...))
		}
	}
	switch e.DetailType {
	case "ECS Task State Change":
		add(true, "%s", d.LastStatus)
		add(d.DesiredStatus != d.LastStatus, "(to be %s)", d.DesiredStatus)
		add(d.HealthStatus != "" && d.HealthStatus != "UNKNOWN", "%s", d.HealthStatus)
		add(d.Group != "", "%s", d.Group)
		add(d.StopCode != "", "%s: %s", d.StopCode, d.StoppedReason)
	case "ECS Container Instance State Change":
		connected := "connected"
		if !d.AgentConnected {
			connected = "not connected"
		}
		add(true, "%s, agent %s, %d running, %d pending", d.Status, connected, d.RunningTasksCount, d.PendingTasksCount)
		for _, r := range d.RemainingResources {
			add(r.Name == "CPU" || r.Name == "MEMORY", "%s left %d", r.Name, r.IntegerValue)
		}
		add(d.StatusReason != "", "%s", d.StatusReason)
	case "ECS Container Instance Health Change":
		add(true, "health %s", d.OverallStatus)
	default:
		add(true, "%s", d.EventName)
		add(d.Reason != "", "%s", d.Reason)
		add(d.Reason == "" && d.DeploymentID != "", "%s", d.DeploymentID)
	}
	return strings.Join(parts, "  "), nil
}
