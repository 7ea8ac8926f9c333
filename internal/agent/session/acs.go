package session

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/ashore/ashore/internal/pace"
	"github.com/ashore/ashore/internal/wire/acs"
	"github.com/ashore/ashore/internal/wire/line"
)

// Waits after the server said that the instance is deregistered. The host may be
// registered again at any moment (Move), which ends them.
const (
	inactiveMin = 10 * time.Second
	inactiveMax = 10 * time.Minute
	backoffMax  = 20 * time.Second // the stock agent waits 2 minutes, but late hosts count as lost
	stable      = time.Minute      // a connection that lasted this long resets the back-off
)

// runACS keeps a connection for orders open until the context ends.
func (s *Session) runACS(ctx context.Context) {
	b := &reconnect{
		wait:     pace.Backoff{Min: 250 * time.Millisecond, Max: backoffMax, Factor: 1.5},
		inactive: pace.Backoff{Min: inactiveMin, Max: inactiveMax},
	}
	for ctx.Err() == nil {
		b.began = time.Now()
		_, turn := s.api.currentServer()
		opened, err := s.serveACS(ctx, b.failures >= 3)
		if ctx.Err() != nil || !s.waitReconnect(ctx, b, turn, opened, err) {
			return
		}
	}
}

// reconnect decides when the connection for orders is opened again.
type reconnect struct {
	wait, inactive pace.Backoff
	began          time.Time
	failures       int // in a row
}

// waitReconnect waits after a connection was lost. It returns false if the context has
// ended.
func (s *Session) waitReconnect(ctx context.Context, b *reconnect, turn int64, opened bool, err error) bool {
	lasted := time.Since(b.began)
	if opened {
		b.failures = 0
		b.inactive.Reset()
		if lasted >= stable {
			b.wait.Reset()
		}
	} else {
		b.failures++
		if !errors.Is(err, errInactive) && s.api.switchServer(turn) {
			s.log.Info("going over to another server")
		}
	}
	var d time.Duration
	switch {
	case errors.Is(err, errInactive) || strings.Contains(errText(err), acs.InactiveInstanceException):
		d = pace.Nearly(b.inactive.Next())
	case opened && reconnectsAtOnce(err, lasted):
		b.wait.Reset()
	default:
		d = pace.Nearly(b.wait.Next())
	}
	s.log.Warn("connection for orders lost", "err", err, "again", d.Round(time.Millisecond))
	return pace.Sleep(ctx, d) == nil
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// serveACS runs one connection. opened reports that the connection was opened. Its stack is
// small while it waits for messages, which is most of the time.
func (s *Session) serveACS(ctx context.Context, rediscover bool) (opened bool, err error) {
	o, err := s.connectACS(ctx, rediscover)
	if err != nil {
		return false, err
	}
	defer o.close()
	o.start()
	return true, o.conn.Each(o.receiveFrame)
}

// connectACS opens a connection.
func (s *Session) connectACS(ctx context.Context, rediscover bool) (*acsConn, error) {
	base, _, err := s.discoverEndpoints(ctx, rediscover)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	id, first, turn := s.id, !s.everConnected, s.endpoints.turn
	s.mu.Unlock()
	q := url.Values{
		"agentHash": {"ashore"}, "agentVersion": {s.cfg.Version}, "clusterArn": {id.Cluster},
		"containerInstanceArn": {id.InstanceArn}, "dockerVersion": {"DockerVersion: " + s.cfg.EngineName},
		"protocolVersion": {"2"}, "seqNum": {"1"}, "sendCredentials": {"false"},
	}
	if first {
		q.Set("sendCredentials", "true")
	}
	s.addRun(q)
	conn, header, err := s.dial(ctx, base+"ws?"+q.Encode())
	if err != nil {
		return nil, err
	}
	extensions := header.Values(acs.ExtensionsHeader)
	return &acsConn{
		Session: s, conn: conn, ctx: ctx, id: id, turn: turn,
		inventories: slices.Contains(extensions, acs.ExtensionsVersion),
		reports:     slices.Contains(extensions, acs.ReportsVersion),
		acks:        slices.Contains(extensions, acs.ReportsVersion) && slices.Contains(extensions, acs.AcksVersion),
		ranges:      slices.Contains(extensions, acs.RangesVersion),
		accounts:    slices.Contains(extensions, acs.AccountsVersion),
	}, nil
}

// addRun adds to an upgrade's query which run of the agent and which boot of the machine
// it comes from.
func (s *Session) addRun(q url.Values) {
	q.Set(acs.RunParameter, s.api.run)
	if s.cfg.Boot != "" {
		q.Set(acs.BootParameter, s.cfg.Boot)
	}
}

// acsConn is one connection with what its message handlers need.
type acsConn struct {
	*Session
	conn                 *line.Conn
	ctx                  context.Context
	id                   Identity
	turn                 int64          // number of the server's turn, see client.turn
	inventories, reports bool           // extensions that the server knows
	acks                 bool           // it also takes acknowledgements with reports
	ranges               bool           // it also takes port ranges in reports
	accounts             bool           // it wants a full account of each task
	expiry               *expiry        // set by start
	probe                *probe         // set by start; nil if there is no other server
	unbind               func() bool    // separates the connection from the context
	wg                   sync.WaitGroup // goroutines that wait for the journal
}

// start reports that the connection is open and sends the inventory.
func (o *acsConn) start() {
	o.unbind = context.AfterFunc(o.ctx, o.conn.CloseNow)
	o.setConnected(true)
	o.log.Info("connected for orders", "instance", o.id.InstanceArn)
	o.outbox.retryAll()
	if o.inventories {
		o.sendInventory(o.id)
	}
	if o.reports {
		o.outbox.attach(o)
	}
	o.expiry = startExpiry(o.conn)
	if o.inventories {
		o.probe = o.startProbe(o.conn, o.turn)
	}
}

func (o *acsConn) close() {
	o.expiry.stop()
	o.probe.stop()
	if o.reports {
		o.outbox.detach(o)
	}
	o.wg.Wait()
	o.setConnected(false)
	o.unbind()
	o.conn.CloseNow()
}

// receiveFrame decodes a frame and handles its message.
func (o *acsConn) receiveFrame(data []byte) {
	m, err := acs.Decode(data)
	switch {
	case errors.Is(err, acs.ErrUnknownType):
		o.log.Warn("message not understood", "err", err)
	case err != nil:
		o.log.Error("message cannot be read", "err", err)
	default:
		o.expiry.reset()
		o.handleMessage(m)
	}
}

func (o *acsConn) sendMessage(m acs.Message) {
	data, err := acs.Encode(m)
	if err == nil {
		err = o.conn.Write(data)
	}
	if err != nil && o.ctx.Err() == nil {
		o.log.Warn("message could not be sent", "type", acs.TypeOf(m), "err", err)
	}
}

// acknowledge acknowledges a payload that is journaled. If the server allows that, the
// acknowledgement goes with the next reports.
func (o *acsConn) acknowledge(cluster, instance, message string) {
	ack := &acs.AckRequest{Cluster: cluster, ContainerInstance: instance, MessageID: message}
	if !o.acks || !o.outbox.queueAck(o, ack) {
		o.sendMessage(ack)
	}
}

func (o *acsConn) sendInventory(id Identity) {
	tasks, stones := o.cfg.Engine.Inventory()
	for i := range tasks {
		if t := &tasks[i]; o.accounts {
			t.Account = o.buildAccount(t.TaskArn)
		}
	}
	o.mu.Lock()
	latest := o.latest
	o.mu.Unlock()
	o.sendMessage(&acs.InventoryMessage{
		MessageID: uuid.NewString(), ClusterArn: id.Cluster, ContainerInstanceArn: id.InstanceArn,
		LatestSeqNum: latest, Tasks: tasks, Tombstones: stones,
	})
}

// buildAccount returns the account of a task, or nil if the task has ended.
func (o *acsConn) buildAccount(arn string) *acs.TaskAccount {
	a, ok := o.cfg.Engine.Account(arn)
	if !ok {
		return nil
	}
	return &acs.TaskAccount{
		Family: a.Family, Version: a.Version, LaunchType: a.LaunchType,
		CPU: a.Needs.CPU, Memory: a.Needs.Memory, TCP: a.Needs.TCP, UDP: a.Needs.UDP, GPUs: a.GPUs,
		Report: buildTaskReport(&a.Report, true),
	}
}

func (o *acsConn) handleMessage(m acs.Message) {
	switch m := m.(type) {
	case *acs.HeartbeatMessage:
		o.sendMessage(&acs.HeartbeatAckRequest{MessageID: m.MessageID})
		o.statusDue.Store(true) // TCS reports the instance's health
	case *acs.PayloadMessage:
		o.handlePayload(m)
	case *acs.IAMRoleCredentialsMessage:
		o.handleRoleCredentials(m)
	case *acs.TaskManifestMessage:
		o.handleTaskManifest(m)
	case *acs.TaskStopVerificationAck:
		o.handleStopVerified(m)
	case *acs.ReportAck:
		o.outbox.finishBatch(m.MessageID, m.Refused, false)
	case *acs.StageUpdateMessage:
		o.sendNack(m.ClusterArn, m.ContainerInstanceArn, m.MessageID)
	case *acs.PerformUpdateMessage:
		o.sendNack(m.ClusterArn, m.ContainerInstanceArn, m.MessageID)
	default:
		o.log.Debug("message ignored", "type", acs.TypeOf(m))
	}
}

func (o *acsConn) sendNack(cluster, instance, id string) {
	o.sendMessage(&acs.NackRequest{Cluster: cluster, ContainerInstance: instance, MessageID: id, Reason: "Updates are disabled"})
}

// handlePayload passes the tasks to the engine, those to stop first. It acknowledges the
// payload once all of them are journaled.
func (o *acsConn) handlePayload(m *acs.PayloadMessage) {
	if m.MessageID == "" || m.ClusterArn == "" || m.ContainerInstanceArn == "" {
		o.log.Error("payload without message id, cluster or instance ignored")
		return
	}
	if own := o.Identity().InstanceArn; m.ContainerInstanceArn != own {
		o.log.Error("payload for another instance ignored", "instance", m.ContainerInstanceArn, "own", own)
		return
	}
	o.advanceSequence(m.SeqNum)
	for _, b := range m.Bad {
		o.cfg.Engine.Reject(b.Arn, b.Err)
	}
	tasks := m.Tasks
	slices.SortStableFunc(tasks, func(a, b acs.Task) int { return strings.Compare(b.DesiredStatus, a.DesiredStatus) })
	var commits []func() error
	var roles []*acs.Credentials
	for _, t := range tasks {
		for _, r := range []struct {
			role string
			c    *acs.Credentials
		}{{acs.RoleTaskApplication, t.RoleCredentials}, {acs.RoleTaskExecution, t.ExecutionRoleCredentials}} {
			if r.c != nil {
				o.creds.put(t.Arn, r.role, *r.c)
				roles = append(roles, r.c)
			}
		}
		commits = append(commits, o.cfg.Engine.Accept(t))
	}
	o.wg.Go(func() {
		ok := len(m.Bad) == 0
		for _, commit := range commits {
			if err := commit(); err != nil {
				o.log.Error("order could not be journaled", "err", err)
				ok = false
			}
		}
		for _, c := range roles {
			o.sendMessage(&acs.IAMRoleCredentialsAckRequest{MessageID: m.MessageID, CredentialsID: c.CredentialsID, Expiration: c.Expiration})
		}
		if ok {
			o.acknowledge(m.ClusterArn, m.ContainerInstanceArn, m.MessageID)
		}
	})
}

func (o *acsConn) handleRoleCredentials(m *acs.IAMRoleCredentialsMessage) {
	if m.MessageID == "" || m.TaskArn == "" || m.RoleType == "" || m.RoleCredentials == nil || m.RoleCredentials.CredentialsID == "" {
		o.log.Error("credentials message lacks a member, ignored", "task", m.TaskArn)
		return
	}
	o.pruneCredentials()
	if !o.cfg.Engine.HasTask(m.TaskArn) {
		o.log.Warn("credentials for an unknown task", "task", m.TaskArn)
		return
	}
	o.creds.put(m.TaskArn, m.RoleType, *m.RoleCredentials)
	o.sendMessage(&acs.IAMRoleCredentialsAckRequest{MessageID: m.MessageID, CredentialsID: m.RoleCredentials.CredentialsID, Expiration: m.RoleCredentials.Expiration})
}

// handleTaskManifest asks the server about tasks that run here and are not in the
// manifest. None of them stops before the server confirms it.
func (o *acsConn) handleTaskManifest(m *acs.TaskManifestMessage) {
	if !o.advanceSequence(m.Timeline) {
		o.log.Info("old manifest ignored", "timeline", m.Timeline)
		return
	}
	o.mu.Lock()
	o.manifest = m.MessageID
	o.mu.Unlock()
	o.sendMessage(&acs.AckRequest{Cluster: m.ClusterArn, ContainerInstance: m.ContainerInstanceArn, MessageID: m.MessageID})
	listed := map[string]bool{}
	for _, t := range m.Tasks {
		if t.DesiredStatus == acs.StatusRunning {
			listed[t.TaskArn] = true
		}
	}
	var stop []acs.ManifestTask
	for _, arn := range o.cfg.Engine.ListWanted() {
		if !listed[arn] {
			stop = append(stop, acs.ManifestTask{TaskArn: arn, TaskClusterArn: m.ClusterArn, DesiredStatus: acs.StatusStopped})
		}
	}
	if len(stop) > 0 {
		o.sendMessage(&acs.TaskStopVerificationMessage{MessageID: m.MessageID, StopCandidates: stop})
	}
}

func (o *acsConn) handleStopVerified(m *acs.TaskStopVerificationAck) {
	o.mu.Lock()
	valid := m.MessageID != "" && m.MessageID == o.manifest
	if valid {
		o.manifest = ""
	}
	o.mu.Unlock()
	if !valid {
		o.log.Warn("verification for no current manifest ignored", "message", m.MessageID)
		return
	}
	for _, t := range m.StopTasks {
		if t.DesiredStatus != acs.StatusStopped || !o.cfg.Engine.HasTask(t.TaskArn) {
			continue
		}
		commit := o.cfg.Engine.Accept(acs.Task{Arn: t.TaskArn, DesiredStatus: acs.StatusStopped})
		o.wg.Go(func() {
			if err := commit(); err != nil {
				o.log.Error("order could not be journaled", "err", err)
			}
		})
	}
}
