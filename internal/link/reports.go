package link

import (
	"context"
	"errors"
	"time"

	"github.com/ashore/ashore/internal/contain"
	"github.com/ashore/ashore/internal/control/report"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/identity"
	"github.com/ashore/ashore/internal/store"
	"github.com/ashore/ashore/internal/wire/acs"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// applyReports stores an agent's reports and returns the answer after the store has
// committed. The reader calls it, so an agent has only one such message under way. It
// refuses the reports that it can't store. The agent then submits these by API calls,
// which return the reason, or retries for as long as it takes.
func (x *session) applyReports(ctx context.Context, m *acs.ReportMessage) *acs.ReportAck {
	ack := &acs.ReportAck{MessageID: m.MessageID}
	now := time.Now().UTC().Truncate(time.Millisecond)
	var all []parsedReport
	seen := make(map[string]bool, len(m.Reports))
	for i := range m.Reports {
		r := &m.Reports[i]
		t, ok := x.parseReport(r)
		if !ok || seen[t.id] || i >= acs.MaxReports {
			ack.Refused = append(ack.Refused, r.TaskArn)
			continue
		}
		seen[t.id] = true
		if t.statement.Status == fleet.TaskStopped && x.s.store.Snapshot().Restored() != nil {
			x.noteEndedTask(t.id)
		}
		all = append(all, t)
	}
	oneByOne := false
	for len(all) > 0 {
		batch := all
		if oneByOne {
			batch = all[:1]
		}
		remaining, left, err := x.commitReports(ctx, batch, now)
		if errors.Is(err, errOneByOne) {
			oneByOne = true
			continue
		}
		if err != nil {
			x.log.Warn("link: reports not taken", "reports", len(remaining), "err", err)
			for _, t := range remaining {
				ack.Refused = append(ack.Refused, t.arn)
			}
			remaining = nil
		}
		for _, l := range left {
			x.log.Warn("link: a report is not taken", append(contain.Attrs(l.Err), "task", l.Item.id)...)
			ack.Refused = append(ack.Refused, l.Item.arn)
		}
		all = all[len(batch)-len(remaining):]
	}
	return ack
}

// parsedReport is a well-formed report.
type parsedReport struct {
	arn, id   string
	statement report.Statement
}

// errOneByOne: a deregistering instance ends with its last task, so the end of each task
// must see the ends before it.
var errOneByOne = errors.New("the instance is deregistering")

// errNotOurs refuses a host that reports about another host's task or instance.
var errNotOurs = errors.New("the task or instance is not the caller's")

// commitReports stores as many reports as fit into one transaction. It returns the rest,
// and those that it left out because of an error. It ignores reports of tasks that no
// longer exist.
func (x *session) commitReports(ctx context.Context, list []parsedReport, now time.Time) (remaining []parsedReport, left []store.LeftOut[parsedReport], err error) {
	ctx, cancel := context.WithTimeout(ctx, storeWait)
	defer cancel()
	return store.UpdateSome(ctx, x.s.store, list, func(tx *store.Tx) error {
		inst := tx.Snapshot().Instance(x.peer.cluster, x.peer.id)
		// The upgrade was authorized already. It is checked again here, against the
		// state on which this transaction commits.
		may, err := x.s.cfg.Auth.Decide(tx.Snapshot(), identity.Request{
			Caller: x.caller, Action: actionPoll, Resources: []string{x.s.site.InstanceARN(x.peer.cluster, x.peer.id)},
		})
		if err != nil {
			return err
		}
		if !may.Allowed {
			return errNotOurs
		}
		if len(list) > 1 && inst != nil && inst.Status == fleet.InstanceDeregistering {
			return errOneByOne
		}
		return nil
	}, func(tx *store.Tx, parsed parsedReport) error {
		snap := tx.Snapshot()
		t := snap.Task(x.peer.cluster, parsed.id)
		if t == nil {
			return store.Readable(snap, store.TaskKey(x.peer.cluster, parsed.id))
		}
		if t.Instance != x.peer.id {
			return errNotOurs
		}
		d, err := report.ReadDefinition(snap, t)
		if err != nil {
			return err
		}
		next := report.Apply(t, d, parsed.statement, now)
		if next == nil {
			return nil
		}
		return report.Put(tx, t, next)
	})
}

// parseReport parses a report. ok is false if it is not of a task of this instance.
func (x *session) parseReport(r *acs.TaskReport) (t parsedReport, ok bool) {
	cluster, id, ok := parseTaskARN(x.s.site, x.peer, r.TaskArn)
	if !ok || cluster != x.peer.cluster || !fleet.IsID(id) {
		return t, false // for example from before the host moved to another cluster
	}
	status := fleet.TaskStatus(r.Status)
	if status.Order() == 0 {
		return t, false
	}
	t = parsedReport{arn: r.TaskArn, id: id, statement: report.Statement{
		Status: status, Reason: r.Reason,
		PullStarted: r.PullStartedAt.Time(), PullStopped: r.PullStoppedAt.Time(), ExecutionStopped: r.ExecutionStoppedAt.Time(),
		Containers: make([]types.ContainerStateChange, len(r.Containers)),
	}}
	pulls := make([]fleet.ContainerPull, len(r.Pulls))
	for i, p := range r.Pulls {
		pulls[i] = fleet.ContainerPull{Name: p.ContainerName, Since: p.StartedAt.Time()}
	}
	t.statement.Pulls = &pulls
	for i := range r.Containers {
		c := &r.Containers[i]
		change := types.ContainerStateChange{
			ContainerName: &c.ContainerName, Status: &c.Status, RuntimeId: &c.RuntimeID, ExitCode: c.ExitCode,
			ImageDigest: &c.ImageDigest, Reason: &c.Reason,
		}
		for j := range c.NetworkBindings {
			change.NetworkBindings = append(change.NetworkBindings, bindingOf(&c.NetworkBindings[j]))
		}
		t.statement.Containers[i] = change
	}
	return t, true
}

func bindingOf(b *acs.NetworkBinding) types.NetworkBinding {
	out := types.NetworkBinding{BindIP: aws.String(b.BindIP), Protocol: types.TransportProtocol(b.Protocol)}
	if b.ContainerPortRange != "" {
		out.ContainerPortRange, out.HostPortRange = aws.String(b.ContainerPortRange), aws.String(b.HostPortRange)
	} else {
		out.ContainerPort, out.HostPort = aws.Int32(b.ContainerPort), aws.Int32(b.HostPort)
	}
	return out
}

// noteAcks stores acknowledgements that came with reports. They do not wake the loop: they
// only end repetitions, and the loop applies them at its next step.
func (x *session) noteAcks(ids []string) {
	if len(ids) == 0 {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.ackedIDs = append(x.ackedIDs, ids...)
}

// applyAcks ends the repetition of what was acknowledged.
func (x *session) applyAcks() {
	x.mu.Lock()
	ids := x.ackedIDs
	x.ackedIDs = nil
	x.mu.Unlock()
	for _, id := range ids {
		x.orders.markAcknowledged(id)
		x.strays.removeMessage(id)
	}
}

// queueAck makes the loop send an answer.
func (x *session) queueAck(a *acs.ReportAck) {
	x.mu.Lock()
	x.acks = append(x.acks, a)
	x.mu.Unlock()
	x.wakeLoop()
}

// sendAcks sends the queued answers.
func (x *session) sendAcks(ctx context.Context) error {
	x.mu.Lock()
	list := x.acks
	x.acks = nil
	x.mu.Unlock()
	for _, a := range list {
		if err := x.sendMessage(ctx, a); err != nil {
			return err
		}
	}
	return nil
}
