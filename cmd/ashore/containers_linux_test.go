package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	dockerclient "github.com/moby/moby/client"

	"github.com/ashore/ashore/internal/agent/engine"
)

// dock is the part of an engine's API that removes containers.
type dock struct {
	t      *testing.T
	client *dockerclient.Client

	mu       sync.Mutex
	timeouts map[string]int    // stop timeouts in the containers' settings at the engine
	stuck    map[string]string // containers that can't be stopped, and why
	hold     int               // stops don't end before this many are under way
	stopping int
	all      chan struct{} // closed when hold is reached
	log      []string
}

func newDock(t *testing.T) *dock {
	d := &dock{t: t, timeouts: map[string]int{}, stuck: map[string]string{}, all: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1.41/containers/{id}/json", func(w http.ResponseWriter, r *http.Request) {
		config := map[string]any{}
		d.mu.Lock()
		if s, ok := d.timeouts[r.PathValue("id")]; ok {
			config["StopTimeout"] = s
		}
		d.mu.Unlock()
		if err := json.NewEncoder(w).Encode(map[string]any{"Id": r.PathValue("id"), "Config": config}); err != nil {
			t.Error(err)
		}
	})
	mux.HandleFunc("POST /v1.41/containers/{id}/stop", d.stop)
	mux.HandleFunc("DELETE /v1.41/containers/{id}", func(w http.ResponseWriter, r *http.Request) {
		d.note("remove %s", r.PathValue("id"))
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("/_ping", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Api-Version", "1.41") })
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	var err error
	if d.client, err = dockerclient.New(dockerclient.WithHost("tcp://"+strings.TrimPrefix(server.URL, "http://")), dockerclient.WithVersion("1.41")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.client.Close() })
	return d
}

func (d *dock) note(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.log = append(d.log, fmt.Sprintf(format, args...))
}

func (d *dock) stop(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	d.note("stop %s in %s", id, r.URL.Query().Get("t"))
	d.mu.Lock()
	if d.stopping++; d.stopping == d.hold {
		close(d.all)
	}
	hold, why := d.hold, d.stuck[id]
	d.mu.Unlock()
	if why != "" {
		http.Error(w, fmt.Sprintf(`{"message":%q}`, why), http.StatusInternalServerError)
		return
	}
	if hold > 0 {
		select {
		case <-d.all:
		case <-time.After(time.Minute):
			d.t.Errorf("not %d stops at once", hold)
		}
	}
	w.WriteHeader(http.StatusNoContent)
}

// boxOf returns a running container of a task. dependsOn are other containers of the
// task.
func boxOf(task, name string, stopTimeout int, dependsOn ...string) container.Summary {
	var deps []map[string]string
	for _, n := range dependsOn {
		deps = append(deps, map[string]string{"containerName": n, "condition": "START"})
	}
	outline, err := json.Marshal(map[string]any{"containers": []map[string]any{
		{"name": "other", "stopTimeout": 99}, {"name": name, "stopTimeout": stopTimeout, "dependsOn": deps},
	}})
	if err != nil {
		panic(err)
	}
	return container.Summary{ID: task + "-" + name, Names: []string{"/" + task + "-" + name}, State: container.StateRunning, Labels: map[string]string{
		engine.LabelTask: "arn:aws:ecs:us-east-1:000000000000:task/default/" + task, engine.LabelContainer: name, engine.LabelOutline: string(outline),
	}}
}

func (d *dock) removeAll(all ...container.Summary) (string, error) {
	var out bytes.Buffer
	err := removeAll(d.t.Context(), &terminal{out: &out, err: &out}, d.client, all)
	return out.String(), err
}

// Each container has its own stop timeout: from its settings at the engine, from its
// labels, or ECS's default.
func TestContainersHaveTheirOwnTimeToStop(t *testing.T) {
	d := newDock(t)
	d.timeouts["a-set"] = 7
	ended := boxOf("d", "ended", 3)
	ended.State = container.StateExited
	out, err := d.removeAll(boxOf("a", "set", 120), boxOf("b", "labelled", 120), boxOf("c", "silent", 0), ended, container.Summary{ID: "none", State: container.StateRunning})
	if err != nil || out != "removed 5 containers\n" {
		t.Errorf("%q, %v", out, err)
	}
	slices.Sort(d.log)
	want := []string{"remove a-set", "remove b-labelled", "remove c-silent", "remove d-ended", "remove none",
		"stop a-set in 7", "stop b-labelled in 120", "stop c-silent in 30", "stop none in 30"}
	if !slices.Equal(d.log, want) {
		t.Errorf("%q", d.log)
	}
}

// Many containers stop at once, so all together take the time of the slowest one. The
// command prints its progress.
func TestContainersStopTogether(t *testing.T) {
	d := newDock(t)
	d.hold = parallelStops
	var all []container.Summary
	for i := range parallelStops {
		all = append(all, boxOf(fmt.Sprint(i), "main", 1))
	}
	out, err := d.removeAll(all...)
	if err != nil || !strings.HasSuffix(out, fmt.Sprintf("removed %d containers\n", parallelStops)) {
		t.Errorf("%q, %v", out, err)
	}
}

func TestContainersStopAfterTheirDependents(t *testing.T) {
	d := newDock(t)
	_, err := d.removeAll(boxOf("t", "db", 1), boxOf("t", "app", 1, "db", "cache"), boxOf("t", "cache", 1, "db"))
	want := []string{"stop t-app in 1", "remove t-app", "stop t-cache in 1", "remove t-cache", "stop t-db in 1", "remove t-db"}
	if err != nil || !slices.Equal(d.log, want) {
		t.Errorf("%q, %v", d.log, err)
	}
	d.log = nil // a circle of dependencies: nothing waits for ever
	if _, err := d.removeAll(boxOf("t", "a", 1, "b"), boxOf("t", "b", 1, "a")); err != nil || len(d.log) != 4 {
		t.Errorf("%q, %v", d.log, err)
	}
}

// A container that can't be stopped is named in the error. Other tasks' containers are
// still removed.
func TestContainersGoOnWhereOneFails(t *testing.T) {
	d := newDock(t)
	d.stuck["b-main"] = "cannot stop"
	out, err := d.removeAll(boxOf("a", "main", 1), boxOf("b", "main", 1), boxOf("c", "main", 1))
	if err == nil || !strings.Contains(err.Error(), "stop the container b-main: ") || !strings.Contains(out, "removed 2 containers\n") {
		t.Errorf("%q, %v", out, err)
	}
}

func TestRemovalShowsHowFarItIs(t *testing.T) {
	var out bytes.Buffer
	d := &removal{stops: make(chan struct{}, 2)}
	d.stops <- struct{}{}
	d.removed.Store(3)
	ticks := make(chan time.Time)
	stop := d.report(&terminal{out: &out}, 60, ticks)
	ticks <- time.Now()
	stop()
	if want := "  3 of 60 containers are removed, 1 are being stopped\n"; out.String() != want {
		t.Errorf("%q, not %q", out.String(), want)
	}
}
