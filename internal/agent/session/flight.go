package session

import (
	"slices"
	"strconv"
	"time"

	"github.com/ashore/ashore/internal/agent/engine"
	"github.com/ashore/ashore/internal/wire/acs"
)

// flight is a message with reports on its way to the server.
type flight struct {
	id      string
	line    *orders
	reports []engine.Report // one a task
	acks    []string        // messages of the server that it acknowledges
	late    *time.Timer
}

// flightTimeout is how long the answer may take: as long as a call.
const flightTimeout = callTimeout

// attach lets reports go by a connection.
func (o *outbox) attach(line *orders) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.line = line
	o.sendLocked()
}

// detach ends that. What is on its way may have arrived or not: it goes again,
// which does no harm.
func (o *outbox) detach(line *orders) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.line != line {
		return
	}
	o.line = nil
	o.waitingAcksLocked() // a new connection gets its orders anew
	if f := o.flight; f != nil {
		f.late.Stop()
		o.flight = nil
		for i := range f.reports {
			arn := f.reports[i].TaskArn
			o.s.cfg.Engine.MarkUndelivered(arn)
			delete(o.active, arn)
			o.wanted = append(o.wanted, arn)
		}
	}
	o.sendLocked()
}

// depart sends the next message, with all that has come by now.
func (o *outbox) depart() {
	o.mu.Lock()
	o.boarding = false
	f := o.boardLocked()
	o.mu.Unlock()
	if f != nil {
		f.line.send(f.message())
	}
}

// boardLocked makes up the next message, unless one is on its way.
func (o *outbox) boardLocked() *flight {
	if o.line == nil || o.flight != nil || len(o.wanted) == 0 {
		return nil
	}
	o.flights++
	f := &flight{id: strconv.FormatInt(o.flights, 10), line: o.line}
	n := 0
	for ; n < len(o.wanted) && len(f.reports) < acs.MaxReports; n++ {
		arn := o.wanted[n]
		if o.active[arn] {
			continue // who has its report on the way will see that there is more
		}
		if r, ok := o.s.cfg.Engine.NextReport(arn); ok {
			o.active[arn] = true
			f.reports = append(f.reports, r)
		}
	}
	if o.wanted = o.wanted[n:]; len(o.wanted) == 0 {
		o.wanted = nil
	}
	if len(f.reports) == 0 {
		return nil
	}
	for _, ack := range o.waitingAcksLocked() {
		f.acks = append(f.acks, ack.MessageID)
	}
	f.late = time.AfterFunc(flightTimeout, func() {
		o.s.log.Warn("reports were not acknowledged, submitting them one by one", "reports", len(f.reports))
		o.landed(f.id, nil, true)
	})
	o.flight = f
	return f
}

// landed takes the server's answer: what it refused, or everything, is to be
// submitted by calls.
func (o *outbox) landed(id string, refused []string, all bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	f := o.flight
	if f == nil || f.id != id {
		return
	}
	f.late.Stop()
	o.flight = nil
	for i := range f.reports {
		r := &f.reports[i]
		if all || slices.Contains(refused, r.TaskArn) {
			o.refused = append(o.refused, r.TaskArn)
			continue
		}
		// A report that comes now finds the task either still active, and is
		// seen here, or active no more, and is seen by the next message.
		if o.s.cfg.Engine.MarkDelivered(r.TaskArn, r.Seq) {
			o.wanted = append(o.wanted, r.TaskArn)
		}
		delete(o.active, r.TaskArn)
	}
	o.sendLocked()
}

func (f *flight) message() *acs.ReportMessage {
	id := f.line.Identity()
	m := &acs.ReportMessage{MessageID: f.id, ClusterArn: id.Cluster, ContainerInstanceArn: id.InstanceArn, Reports: make([]acs.TaskReport, len(f.reports)), Acks: f.acks}
	for i := range f.reports {
		m.Reports[i] = taskReport(&f.reports[i], f.line.ranges)
	}
	return m
}

// taskReport is a report as messages carry it. Without ranges each port is told
// by itself.
func taskReport(r *engine.Report, ranges bool) acs.TaskReport {
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
				cr.NetworkBindings = append(cr.NetworkBindings, portsOf(p)...)
				continue
			}
			b := bindingOf(p)
			cr.NetworkBindings = append(cr.NetworkBindings, acs.NetworkBinding{
				BindIP: b.BindIP, ContainerPort: int32(b.ContainerPort), HostPort: int32(b.HostPort),
				ContainerPortRange: b.ContainerPortRange, HostPortRange: b.HostPortRange, Protocol: b.Protocol,
			})
		}
		t.Containers = append(t.Containers, cr)
	}
	return t
}

// portsOf is a binding port by port, for a server that takes no ranges.
func portsOf(b engine.Binding) []acs.NetworkBinding {
	n := max(b.Count, 1)
	b.Count = 1
	list := make([]acs.NetworkBinding, n)
	for i := range list {
		one := bindingOf(b)
		list[i] = acs.NetworkBinding{BindIP: one.BindIP, ContainerPort: int32(one.ContainerPort), HostPort: int32(one.HostPort), Protocol: one.Protocol}
		b.ContainerPort++
		b.HostPort++
	}
	return list
}
