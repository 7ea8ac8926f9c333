package main

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/ashore/ashore/internal/api/apitest"
	"github.com/ashore/ashore/internal/client"
)

// output is what a command prints while it runs.
type output struct {
	mu    sync.Mutex
	text  strings.Builder // guarded by mu
	grown chan struct{}   // closed at each write; guarded by mu
}

func newOutput() *output { return &output{grown: make(chan struct{})} }

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.grown)
	o.grown = make(chan struct{})
	return o.text.Write(b)
}

// await waits until a text has been printed.
func (o *output) await(t *testing.T, text string) {
	t.Helper()
	late := time.After(time.Minute)
	for {
		o.mu.Lock()
		all, grown := o.text.String(), o.grown
		o.mu.Unlock()
		if strings.Contains(all, text) {
			return
		}
		select {
		case <-grown:
		case <-late:
			t.Fatalf("no %q after a minute in\n%s", text, all)
		}
	}
}

func TestWatch(t *testing.T) {
	a := apitest.Start(t)
	dir := installation(t, a)
	if _, err := a.Client.CreateCluster(t.Context(), &ecs.CreateClusterInput{ClusterName: aws.String("first")}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out, errs := newOutput(), newOutput()
	done := make(chan int, 1)
	go func() {
		done <- run(ctx, []string{"watch", "clusters", "tasks", "--data-dir", dir}, &terminal{out: out, err: errs})
	}()
	out.await(t, `"kind":"cluster","key":"first","value":{`)
	errs.await(t, "with 1 rows; changes follow")
	if _, err := a.Client.CreateCluster(t.Context(), &ecs.CreateClusterInput{ClusterName: aws.String("second")}); err != nil {
		t.Fatal(err)
	}
	out.await(t, `"kind":"cluster","key":"second","value":{`)
	cancel()
	if status := <-done; status != 0 {
		t.Errorf("status %d", status)
	}
	for wrong, want := range map[string]string{
		"instances --service web": "--service does not narrow down instances", "tasks --cluster a:b": `is no cluster of this installation`, "nothing": "must be one of",
	} {
		status, _, errs := ashore(t, nil, append([]string{"watch", "--data-dir", dir}, strings.Fields(wrong)...)...)
		if status == 0 || !strings.Contains(errs, want) {
			t.Errorf("ashore watch %s: status %d, %s", wrong, status, errs)
		}
	}
}

func TestRowLine(t *testing.T) {
	for value, want := range map[string]string{
		``: "7  task c/1  gone",
		`{"lastStatus":"RUNNING","desiredStatus":"RUNNING","healthStatus":"HEALTHY","containers":[{"networkBindings":[{"hostPort":32768,"containerPort":80,"protocol":"tcp"}]}]}`: "7  task c/1  RUNNING  HEALTHY  32768→80/tcp",
		`{"lastStatus":"RUNNING","desiredStatus":"STOPPED","healthStatus":"UNKNOWN","stopCode":"UserInitiated","stoppedReason":"a\nb"}`:                                           `7  task c/1  RUNNING  (to be STOPPED)  UserInitiated: a\nb`,
		`{"status":"ACTIVE","desiredCount":3,"runningCount":2,"pendingCount":1}`:                                                                                                  "7  task c/1  ACTIVE  2 of 3 running, 1 pending",
		`{"status":"ACTIVE","agentConnected":false,"runningTasksCount":2,"pendingTasksCount":0,"healthStatus":{"overallStatus":"OK"}}`:                                            "7  task c/1  ACTIVE  agent not connected  2 running, 0 pending",
	} {
		var is []byte
		if value != "" {
			is = []byte(value)
		}
		if got, err := rowLine(7, client.RowKey{Kind: "task", Key: "c/1"}, is, false); err != nil || got != want {
			t.Errorf("%s: %q, %v, not %q", value, got, err, want)
		}
	}
}
