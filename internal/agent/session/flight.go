package session

import (
	"slices"
	"strconv"
	"time"

	"github.com/ashore/ashore/internal/agent/engine"
	"github.com/ashore/ashore/internal/wire/acs"
)

// reportBatch is a message with reports that is being sent.
type reportBatch struct {
	id      string
	conn    *acsConn
	reports []engine.Report // one for each task
	acks    []string        // ids of the server's messages that it acknowledges
	timer   *time.Timer
}

// batchTimeout is how long the answer to a batch may take, as long as for a call.
const batchTimeout = callTimeout

// attach makes reports go by a connection.
func (o *outbox) attach(conn *acsConn) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.conn = conn
	o.startSendingLocked()
}

// detach ends that. The batch that is being sent may have arrived or not. Its reports are
// sent again, which does no harm.
func (o *outbox) detach(conn *acsConn) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.conn != conn {
		return
	}
	o.conn = nil
	o.dequeueAcksLocked() // the server repeats its orders on a new connection
	if f := o.batch; f != nil {
		f.timer.Stop()
		o.batch = nil
		for i := range f.reports {
			arn := f.reports[i].TaskArn
			o.s.cfg.Engine.MarkUndelivered(arn)
			delete(o.active, arn)
			o.waiting = append(o.waiting, arn)
		}
	}
	o.startSendingLocked()
}

// sendBatch sends the next batch with all reports so far.
func (o *outbox) sendBatch() {
	o.mu.Lock()
	o.batchStarting = false
	f := o.nextBatchLocked()
	o.mu.Unlock()
	if f != nil {
		f.conn.sendMessage(f.message())
	}
}

// nextBatchLocked returns the next batch. It returns nil if there is none, or if one is
// being sent.
func (o *outbox) nextBatchLocked() *reportBatch {
	if o.conn == nil || o.batch != nil || len(o.waiting) == 0 {
		return nil
	}
	o.batches++
	f := &reportBatch{id: strconv.FormatInt(o.batches, 10), conn: o.conn}
	n := 0
	for ; n < len(o.waiting) && len(f.reports) < acs.MaxReports; n++ {
		arn := o.waiting[n]
		if o.active[arn] {
			continue // its current sender will send the next report as well
		}
		if r, ok := o.s.cfg.Engine.NextReport(arn); ok {
			o.active[arn] = true
			f.reports = append(f.reports, r)
		}
	}
	if o.waiting = o.waiting[n:]; len(o.waiting) == 0 {
		o.waiting = nil
	}
	if len(f.reports) == 0 {
		return nil
	}
	for _, ack := range o.dequeueAcksLocked() {
		f.acks = append(f.acks, ack.MessageID)
	}
	f.timer = time.AfterFunc(batchTimeout, func() {
		o.s.log.Warn("reports were not acknowledged, submitting them one by one", "reports", len(f.reports))
		o.finishBatch(f.id, nil, true)
	})
	o.batch = f
	return f
}

// finishBatch processes the server's answer. The refused reports, or all of them, are
// submitted by API calls.
func (o *outbox) finishBatch(id string, refused []string, all bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	f := o.batch
	if f == nil || f.id != id {
		return
	}
	f.timer.Stop()
	o.batch = nil
	for i := range f.reports {
		r := &f.reports[i]
		if all || slices.Contains(refused, r.TaskArn) {
			o.refused = append(o.refused, r.TaskArn)
			continue
		}
		// If a report is added now, its task is either still active, and the report is
		// found here; or it is not, and the next batch has the report.
		if o.s.cfg.Engine.MarkDelivered(r.TaskArn, r.Seq) {
			o.waiting = append(o.waiting, r.TaskArn)
		}
		delete(o.active, r.TaskArn)
	}
	o.startSendingLocked()
}

func (f *reportBatch) message() *acs.ReportMessage {
	id := f.conn.Identity()
	m := &acs.ReportMessage{MessageID: f.id, ClusterArn: id.Cluster, ContainerInstanceArn: id.InstanceArn, Reports: make([]acs.TaskReport, len(f.reports)), Acks: f.acks}
	for i := range f.reports {
		m.Reports[i] = buildTaskReport(&f.reports[i], f.conn.ranges)
	}
	return m
}

// buildTaskReport returns a report in the form of messages. Without ranges, each port has
// its own binding.
func buildTaskReport(r *engine.Report, ranges bool) acs.TaskReport {
	t := acs.TaskReport{
		TaskArn: r.TaskArn, Status: r.Status, Reason: r.Reason,
		PullStartedAt: acs.MillisOf(r.PullStartedAt), PullStoppedAt: acs.MillisOf(r.PullStoppedAt), ExecutionStoppedAt: acs.MillisOf(r.ExecutionStoppedAt),
	}
	for _, p := range r.Pulls {
		t.Pulls = append(t.Pulls, acs.Pull{ContainerName: p.Container, StartedAt: acs.MillisOf(p.Since)})
	}
	for _, c := range r.Containers {
		cr := acs.ContainerReport{ContainerName: c.Name, RuntimeID: c.RuntimeID, Status: c.Status, ImageDigest: c.Digest, Reason: c.Reason}
		if c.ExitCode != nil {
			code := int32(*c.ExitCode)
			cr.ExitCode = &code
		}
		for _, p := range c.Ports {
			if !ranges {
				cr.NetworkBindings = append(cr.NetworkBindings, splitPorts(p)...)
				continue
			}
			b := toBinding(p)
			cr.NetworkBindings = append(cr.NetworkBindings, acs.NetworkBinding{
				BindIP: b.BindIP, ContainerPort: int32(b.ContainerPort), HostPort: int32(b.HostPort),
				ContainerPortRange: b.ContainerPortRange, HostPortRange: b.HostPortRange, Protocol: b.Protocol,
			})
		}
		t.Containers = append(t.Containers, cr)
	}
	return t
}

// splitPorts returns a binding for each port of a binding, for servers that do not know
// ranges.
func splitPorts(b engine.Binding) []acs.NetworkBinding {
	n := max(b.Count, 1)
	b.Count = 1
	list := make([]acs.NetworkBinding, n)
	for i := range list {
		one := toBinding(b)
		list[i] = acs.NetworkBinding{BindIP: one.BindIP, ContainerPort: int32(one.ContainerPort), HostPort: int32(one.HostPort), Protocol: one.Protocol}
		b.ContainerPort++
		b.HostPort++
	}
	return list
}
