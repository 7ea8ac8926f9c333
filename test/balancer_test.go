package test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/ashore/ashore/internal/sample"
)

// A balancer sends requests to a service's tasks, as a load balancer does. It finds
// their ports by DescribeTasks, tries a new task before it counts it, and sends nothing
// more to a task that should stop.
type balancer struct {
	api     *ecs.Client
	service string
	targets atomic.Pointer[[]string]
	sent    atomic.Int64
	fewest  int // lowest number of targets at a time

	mu       sync.Mutex
	answered map[string]int // by container
	failed   []string
}

func (b *balancer) watch(ctx context.Context) error {
	known := map[string]bool{}
	for tick := time.NewTicker(100 * time.Millisecond); ; {
		tasks, err := tasksOf(ctx, b.api, b.service)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		}
		var targets []string
		for _, t := range tasks {
			for _, n := range t.Containers[0].NetworkBindings {
				target := net.JoinHostPort("127.0.0.1", strconv.Itoa(int(aws.ToInt32(n.HostPort))))
				if aws.ToString(t.LastStatus) != "RUNNING" || slices.Contains(targets, target) {
					continue
				}
				key := *t.TaskArn + target
				if !known[key] {
					_, err := get(ctx, target)
					known[key] = err == nil
				}
				if known[key] {
					targets = append(targets, target)
				}
			}
		}
		if b.targets.Load() != nil {
			b.fewest = min(b.fewest, len(targets))
		}
		b.targets.Store(&targets)
		select {
		case <-tick.C:
		case <-ctx.Done():
			tick.Stop()
			return nil
		}
	}
}

func (b *balancer) send(ctx context.Context, worker int) {
	for n := worker; ctx.Err() == nil; n++ {
		targets := b.targets.Load()
		if targets == nil || len(*targets) == 0 {
			time.Sleep(time.Millisecond)
			continue
		}
		target := (*targets)[n%len(*targets)]
		by, err := get(context.WithoutCancel(ctx), target)
		b.sent.Add(1)
		b.mu.Lock()
		if err != nil {
			b.failed = append(b.failed, fmt.Sprintf("%s %s: %v", time.Now().UTC().Format("15:04:05.000"), target, err))
		} else {
			b.answered[by]++
		}
		b.mu.Unlock()
	}
}

// alone opens a connection for each request.
var alone = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

var containerName = regexp.MustCompile(`container ([0-9a-f]+)`)

// get fetches the page and returns the container that answered.
func get(ctx context.Context, target string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+target+"/", nil)
	if err != nil {
		return "", err
	}
	res, err := alone.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	m := containerName.FindSubmatch(body)
	switch {
	case err != nil:
		return "", err
	case res.StatusCode != 200 || m == nil || !strings.Contains(string(body), sample.PageMark):
		return "", fmt.Errorf("%s: %.100s", res.Status, body)
	}
	return string(m[1]), nil
}
