package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ashore/ashore/internal/client"
	"github.com/ashore/ashore/internal/hint"
	"github.com/ashore/ashore/internal/plain"
)

// watchCommand prints rows of the state and what changes of them: a line each for
// people, or JSON.
type watchCommand struct {
	dataDir `kong:"embed"`
	Kinds   []string `arg:"" name:"kind" enum:"tasks,services,instances,clusters" help:"What to watch: ${enum}; several may be given."`
	Cluster string   `placeholder:"NAME" help:"Only this cluster's."`
	Service string   `placeholder:"NAME" help:"Of tasks and services: only this service's. Its cluster is default unless named."`
	JSON    bool     `help:"Print each row as a line of JSON. Default where the output is no terminal."`
}

func (watchCommand) Example() string {
	return "ashore watch tasks --cluster default --service web"
}

func (w *watchCommand) selected() ([]client.WatchSelect, error) {
	var out []client.WatchSelect
	for _, kind := range w.Kinds {
		one := client.WatchSelect{Kind: strings.TrimSuffix(kind, "s"), Where: map[string]string{}}
		if w.Cluster != "" {
			one.Where["cluster"] = w.Cluster
		}
		if w.Service != "" {
			if kind != "tasks" && kind != "services" {
				return nil, hint.With(fmt.Errorf("--service does not narrow down %s", kind), "watch them without it")
			}
			one.Where["service"] = w.Service
		}
		out = append(out, one)
	}
	return out, nil
}

func (w *watchCommand) Run(ctx context.Context, t *terminal) error {
	selected, err := w.selected()
	if err != nil {
		return err
	}
	a, err := w.admin()
	if err != nil {
		return err
	}
	c := client.New(a)
	defer c.Close()
	asJSON := w.JSON || !isTerminal(t.out)
	began := false
	err = c.Watch(ctx, selected, func(u client.WatchUpdate) error {
		keys := slices.SortedFunc(maps.Keys(u.Rows), func(a, b client.RowKey) int {
			return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Key, b.Key))
		})
		for _, k := range keys {
			line, err := rowLine(u.Revision, k, u.Rows[k], asJSON)
			if err != nil {
				return err
			}
			if _, err := fmt.Fprintln(t.out, line); err != nil {
				return err
			}
		}
		if !began {
			began = true
			t.note("note: this is the state at revision %d, with %d rows; changes follow", u.Revision, len(u.Rows))
		}
		return nil
	}, func(err error) { t.note("note: the connection has ended and is made again: %v", err) })
	var refused *client.Error
	switch {
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		return nil // it has been told to end
	case errors.As(err, &refused):
		return hint.With(errors.New(refused.Message), "see `ashore watch --help`")
	}
	return err
}

// rowLine is a row in one line; value is nil where there is none any more.
func rowLine(revision int64, k client.RowKey, value json.RawMessage, asJSON bool) (string, error) {
	if asJSON {
		b, err := json.Marshal(struct {
			Revision int64           `json:"revision"`
			Kind     string          `json:"kind"`
			Key      string          `json:"key"`
			Value    json.RawMessage `json:"value"`
		}{revision, k.Kind, k.Key, value})
		return string(b), err
	}
	what := "gone"
	if value != nil {
		var err error
		if what, err = rowText(value); err != nil {
			return "", fmt.Errorf("%s %s: %w", k.Kind, k.Key, err)
		}
	}
	return plain.Text(fmt.Sprintf("%d  %s %s  %s", revision, k.Kind, k.Key, what)), nil
}

// rowText is a row's value for people: the members that are of any of ECS's kinds of
// rows.
func rowText(value json.RawMessage) (string, error) {
	var v struct {
		LastStatus, DesiredStatus, HealthStatus any
		Status, StopCode, StoppedReason         string
		AgentConnected                          *bool
		DesiredCount, RunningCount              *int
		PendingCount                            int
		RunningTasksCount                       *int
		PendingTasksCount                       int
		Containers                              []struct {
			NetworkBindings []struct {
				HostPort, ContainerPort int
				Protocol                string
			}
		}
	}
	if err := json.Unmarshal(value, &v); err != nil {
		return "", err
	}
	var said []string
	add := func(when bool, format string, args ...any) {
		if when {
			said = append(said, fmt.Sprintf(format, args...))
		}
	}
	last, _ := v.LastStatus.(string)
	desired, _ := v.DesiredStatus.(string)
	health, _ := v.HealthStatus.(string) // an instance's is a structure
	add(last != "", "%s", last)
	add(desired != last, "(to be %s)", desired)
	add(health != "" && health != "UNKNOWN", "%s", health)
	add(v.Status != "", "%s", v.Status)
	if v.AgentConnected != nil {
		add(*v.AgentConnected, "agent connected")
		add(!*v.AgentConnected, "agent not connected")
	}
	if v.RunningCount != nil && v.DesiredCount != nil {
		add(true, "%d of %d running, %d pending", *v.RunningCount, *v.DesiredCount, v.PendingCount)
	}
	if v.RunningTasksCount != nil {
		add(true, "%d running, %d pending", *v.RunningTasksCount, v.PendingTasksCount)
	}
	for _, c := range v.Containers {
		for _, b := range c.NetworkBindings {
			add(true, "%d→%d/%s", b.HostPort, b.ContainerPort, cmp.Or(b.Protocol, "tcp"))
		}
	}
	add(v.StopCode != "", "%s: %s", v.StopCode, v.StoppedReason)
	return strings.Join(said, "  "), nil
}
