package session

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/ashore/ashore/internal/agent/engine"
	"github.com/ashore/ashore/internal/agent/runtime"
	"github.com/ashore/ashore/internal/pace"
)

// outbox delivers the engine's reports: each task's in their order, one at a
// time, those of different tasks side by side. A server that takes them by the
// connection for orders gets many in one message, one message at a time: what
// comes meanwhile makes up the next. Every other one is called for each.
type outbox struct {
	s *Session

	mu     sync.Mutex
	active map[string]bool // tasks with a report on its way
	wanted []string        // tasks that have one to send
	wake   chan struct{}
	kicked chan struct{} // closed and replaced to end all back-offs

	line    *orders  // the connection that takes reports, or nil
	flight  *flight  // the message on its way by it, or nil
	refused []string // active tasks whose report it did not take, to be called for
}

// parallelReports bounds the calls in flight.
const parallelReports = 10

func newOutbox(s *Session) *outbox {
	return &outbox{s: s, active: map[string]bool{}, wake: make(chan struct{}, 1), kicked: make(chan struct{})}
}

func (o *outbox) notify(arn string) {
	o.mu.Lock()
	o.wanted = append(o.wanted, arn)
	o.mu.Unlock()
	o.poke()
}

func (o *outbox) poke() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// kick tries at once what waits: the server was just reached.
func (o *outbox) kick() {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.kicked)
	o.kicked = make(chan struct{})
}

func (o *outbox) run(ctx context.Context) {
	slots := make(chan struct{}, parallelReports)
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, arn := range o.s.cfg.Engine.Unreported() { // those of before this registration
		o.notify(arn)
	}
	for {
		o.mu.Lock()
		f := o.boardLocked()
		if o.line == nil {
			for _, arn := range o.wanted {
				if o.active[arn] {
					continue // its worker will see it
				}
				o.active[arn] = true
				wg.Go(func() { o.deliver(ctx, arn, slots) })
			}
			o.wanted = nil
		}
		for _, arn := range o.refused {
			wg.Go(func() { o.deliver(ctx, arn, slots) })
		}
		o.refused = nil
		o.mu.Unlock()
		if f != nil {
			f.line.send(f.message())
		}
		select {
		case <-o.wake:
		case <-ctx.Done():
			return
		}
	}
}

// deliver empties one task's queue.
func (o *outbox) deliver(ctx context.Context, arn string, slots chan struct{}) {
	server := pace.Backoff{Min: 50 * time.Millisecond, Max: 30 * time.Second}
	refused := pace.Backoff{Min: time.Second, Max: 30 * time.Second, Factor: 1.3}
	for {
		// The end of the queue and of the worker are seen together, so that
		// no notice falls between.
		o.mu.Lock()
		r, ok := o.s.cfg.Engine.Next(arn)
		if !ok || ctx.Err() != nil {
			delete(o.active, arn)
			o.mu.Unlock()
			if ok {
				o.s.cfg.Engine.Undelivered(arn)
			}
			return
		}
		kicked := o.kicked
		o.mu.Unlock()
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			continue
		}
		err := o.s.submit(ctx, r)
		<-slots
		var api *APIError
		switch {
		case err == nil:
			server.Reset()
			refused.Reset()
			o.s.cfg.Engine.Delivered(arn, r.Seq)
			continue
		case ctx.Err() != nil:
			continue
		case errors.As(err, &api) && api.Code == "InvalidParameterException":
			o.s.log.Error("report refused for good, dropped", "task", arn, "status", r.Status, "err", err)
			o.s.cfg.Engine.Delivered(arn, r.Seq)
			continue
		}
		d := pace.Nearly(server.Next())
		if api != nil && !api.retryable() {
			d = pace.Nearly(refused.Next())
		}
		o.s.log.Warn("report not delivered, trying again", "task", arn, "status", r.Status, "err", err, "in", d.Round(time.Millisecond))
		timer := time.NewTimer(d)
		select {
		case <-timer.C:
		case <-kicked:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

type submitInput struct {
	Cluster            string            `json:"cluster"`
	Task               string            `json:"task"`
	Status             string            `json:"status"`
	Reason             string            `json:"reason"`
	PullStartedAt      seconds           `json:"pullStartedAt,omitzero"`
	PullStoppedAt      seconds           `json:"pullStoppedAt,omitzero"`
	ExecutionStoppedAt seconds           `json:"executionStoppedAt,omitzero"`
	Containers         []containerChange `json:"containers,omitempty"`
}

type containerChange struct {
	ContainerName   string    `json:"containerName"`
	RuntimeID       string    `json:"runtimeId,omitempty"`
	Status          string    `json:"status"`
	ExitCode        *int      `json:"exitCode,omitempty"`
	ImageDigest     string    `json:"imageDigest,omitempty"`
	Reason          string    `json:"reason,omitempty"`
	NetworkBindings []binding `json:"networkBindings,omitempty"`
}

type binding struct {
	BindIP        string `json:"bindIP"`
	ContainerPort int    `json:"containerPort"`
	HostPort      int    `json:"hostPort"`
	Protocol      string `json:"protocol"`
}

func bindingOf(p runtime.Port) binding {
	b := binding{BindIP: p.HostIP, ContainerPort: p.ContainerPort, HostPort: p.HostPort, Protocol: p.Protocol}
	if b.BindIP == "" {
		b.BindIP = "0.0.0.0"
	}
	return b
}

// submit makes the call.
func (s *Session) submit(ctx context.Context, r engine.Report) error {
	in := submitInput{
		Cluster: clusterOf(r.TaskArn, s.Identity().Cluster), Task: r.TaskArn, Status: r.Status, Reason: r.Reason,
		PullStartedAt: seconds(r.PullStartedAt), PullStoppedAt: seconds(r.PullStoppedAt), ExecutionStoppedAt: seconds(r.ExecutionStoppedAt),
	}
	for _, c := range r.Containers {
		change := containerChange{
			ContainerName: c.Name, RuntimeID: c.RuntimeID, Status: c.Status, ExitCode: c.ExitCode, ImageDigest: c.Digest, Reason: c.Reason,
		}
		for _, p := range c.Ports {
			change.NetworkBindings = append(change.NetworkBindings, bindingOf(p))
		}
		in.Containers = append(in.Containers, change)
	}
	return s.api.call(ctx, "SubmitTaskStateChange", in, nil)
}

// clusterOf is the cluster that a task's ARN names: a report may be older than
// the host's move.
func clusterOf(arn, otherwise string) string {
	if parts := strings.Split(arn, "/"); len(parts) == 3 {
		return parts[1]
	}
	return otherwise
}
