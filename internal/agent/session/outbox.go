package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/ashore/ashore/internal/agent/engine"
	"github.com/ashore/ashore/internal/pace"
)

// outbox delivers the engine's reports. The reports of one task go in order, one at a
// time; those of different tasks go in parallel. A server that accepts reports by the
// connection for orders gets many in one message, and one message at a time: the reports
// that come meanwhile make up the next. Other servers get an API call for each report.
// While there is nothing to send, the outbox has no goroutine.
type outbox struct {
	s     *Session
	slots chan struct{}  // limits the parallel calls
	wg    sync.WaitGroup // sending goroutines; started under mu while ctx is set

	mu       sync.Mutex
	ctx      context.Context // nil while it is stopped
	active   map[string]bool // tasks whose report is being sent
	waiting  []string        // tasks with reports to send
	retryNow chan struct{}   // closed and replaced to end all back-offs

	conn          *acsConn     // the connection that takes reports, or nil
	batch         *reportBatch // the batch that is being sent, or nil
	batches       int64        // number of batches so far
	acks          acks         // to send with the next batch
	batchStarting bool         // sendBatch is about to run
	refused       []string     // active tasks whose report the server refused; they need calls
}

// parallelReports limits the parallel calls.
const parallelReports = 10

func newOutbox(s *Session) *outbox {
	return &outbox{s: s, slots: make(chan struct{}, parallelReports), active: map[string]bool{}, retryNow: make(chan struct{})}
}

// start sends reports until the context ends. It begins with those that an earlier
// registration has left.
func (o *outbox) start(ctx context.Context) {
	o.mu.Lock()
	o.ctx = ctx
	o.mu.Unlock()
	for _, arn := range o.s.cfg.Engine.TasksWithReports() {
		o.enqueue(arn)
	}
}

// wait waits for the sending goroutines. The context must have ended.
func (o *outbox) wait() {
	o.mu.Lock()
	o.ctx = nil
	o.mu.Unlock()
	o.wg.Wait()
}

func (o *outbox) enqueue(arn string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.waiting = append(o.waiting, arn)
	o.startSendingLocked()
}

// retryAll ends all back-offs, since the server was just reached.
func (o *outbox) retryAll() {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.retryNow)
	o.retryNow = make(chan struct{})
}

// startSendingLocked starts to send what can be sent now.
func (o *outbox) startSendingLocked() {
	ctx := o.ctx
	if ctx == nil || ctx.Err() != nil {
		return
	}
	if o.conn != nil && o.batch == nil && len(o.waiting) > 0 && !o.batchStarting {
		o.batchStarting = true
		o.wg.Go(o.sendBatch)
	}
	if o.conn == nil {
		for _, arn := range o.waiting {
			if o.active[arn] {
				continue // its worker will see it
			}
			o.active[arn] = true
			o.wg.Go(func() { o.deliverReports(ctx, arn) })
		}
		o.waiting = nil
	}
	for _, arn := range o.refused {
		o.wg.Go(func() { o.deliverReports(ctx, arn) })
	}
	o.refused = nil
}

// deliverReports sends all reports of one task by API calls.
func (o *outbox) deliverReports(ctx context.Context, arn string) {
	server := pace.Backoff{Min: 50 * time.Millisecond, Max: 30 * time.Second}
	refused := pace.Backoff{Min: time.Second, Max: 30 * time.Second, Factor: 1.3}
	for {
		// The end of the queue and of this goroutine happen under one lock, so that no
		// enqueue is missed in between.
		o.mu.Lock()
		r, ok := o.s.cfg.Engine.NextReport(arn)
		if !ok || ctx.Err() != nil {
			delete(o.active, arn)
			o.mu.Unlock()
			if ok {
				o.s.cfg.Engine.MarkUndelivered(arn)
			}
			return
		}
		retryNow := o.retryNow
		o.mu.Unlock()
		select {
		case o.slots <- struct{}{}:
		case <-ctx.Done():
			continue
		}
		err := o.s.submitReport(ctx, r)
		<-o.slots
		var api *APIError
		switch {
		case err == nil:
			server.Reset()
			refused.Reset()
			o.s.cfg.Engine.MarkDelivered(arn, r.Seq)
			continue
		case ctx.Err() != nil:
			continue
		case errors.As(err, &api) && api.Code == "InvalidParameterException":
			o.s.log.Error("report refused for good, dropped", "task", arn, "status", r.Status, "err", err)
			o.s.cfg.Engine.MarkDelivered(arn, r.Seq)
			continue
		}
		d := pace.Nearly(server.Next())
		if api != nil && !api.isRetryable() {
			d = pace.Nearly(refused.Next())
		}
		o.s.log.Warn("report not delivered, trying again", "task", arn, "status", r.Status, "err", err, "in", d.Round(time.Millisecond))
		timer := time.NewTimer(d)
		select {
		case <-timer.C:
		case <-retryNow:
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
	BindIP             string `json:"bindIP"`
	ContainerPort      int    `json:"containerPort,omitempty"`
	HostPort           int    `json:"hostPort,omitempty"`
	ContainerPortRange string `json:"containerPortRange,omitempty"`
	HostPortRange      string `json:"hostPortRange,omitempty"`
	Protocol           string `json:"protocol"`
}

func toBinding(p engine.Binding) binding {
	b := binding{BindIP: cmp.Or(p.HostIP, "0.0.0.0"), Protocol: p.Protocol}
	if p.Count > 1 {
		b.ContainerPortRange, b.HostPortRange = formatRange(p.ContainerPort, p.Count), formatRange(p.HostPort, p.Count)
	} else {
		b.ContainerPort, b.HostPort = p.ContainerPort, p.HostPort
	}
	return b
}

// formatRange returns a range of count ports in ECS's format.
func formatRange(first, count int) string { return fmt.Sprintf("%d-%d", first, first+count-1) }

// submitReport sends a report by an API call.
func (s *Session) submitReport(ctx context.Context, r engine.Report) error {
	in := submitInput{
		Cluster: clusterOf(r.TaskArn, s.Identity().Cluster), Task: r.TaskArn, Status: r.Status, Reason: r.Reason,
		PullStartedAt: seconds(r.PullStartedAt), PullStoppedAt: seconds(r.PullStoppedAt), ExecutionStoppedAt: seconds(r.ExecutionStoppedAt),
	}
	for _, c := range r.Containers {
		change := containerChange{
			ContainerName: c.Name, RuntimeID: c.RuntimeID, Status: c.Status, ExitCode: c.ExitCode, ImageDigest: c.Digest, Reason: c.Reason,
		}
		for _, p := range c.Ports {
			change.NetworkBindings = append(change.NetworkBindings, toBinding(p))
		}
		in.Containers = append(in.Containers, change)
	}
	return s.api.call(ctx, "SubmitTaskStateChange", in, nil)
}

// clusterOf returns the cluster in a task's ARN, since a report may be older than the
// host's move to another cluster.
func clusterOf(arn, otherwise string) string {
	if parts := strings.Split(arn, "/"); len(parts) == 3 {
		return parts[1]
	}
	return otherwise
}
