package session

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
	"github.com/google/uuid"

	"github.com/ashore/ashore/internal/link/acs"
	"github.com/ashore/ashore/internal/pace"
)

// Waits after the server said that the instance is deregistered. The host may be
// registered anew at any moment (Move), which ends them.
const (
	inactiveMin = 10 * time.Second
	inactiveMax = 10 * time.Minute
	backoffMax  = 20 * time.Second // the stock agent's is 2 minutes: hosts that are back late count as lost
	stable      = time.Minute      // a connection this old resets the back-off
)

// runACS keeps the socket for orders up.
func (s *Session) runACS(ctx context.Context) {
	wait := pace.Backoff{Min: 250 * time.Millisecond, Max: backoffMax, Factor: 1.5}
	inactive := pace.Backoff{Min: inactiveMin, Max: inactiveMax}
	failures := 0
	for ctx.Err() == nil {
		began := time.Now()
		_, turn := s.api.server()
		met, err := s.serveACS(ctx, failures >= 3)
		if ctx.Err() != nil {
			return
		}
		lived := time.Since(began)
		if met {
			failures = 0
			inactive.Reset()
			if lived >= stable {
				wait.Reset()
			}
		} else {
			failures++
			if !errors.Is(err, errInactive) && s.api.another(turn) {
				s.log.Info("going over to another server")
			}
		}
		var d time.Duration
		switch {
		case errors.Is(err, errInactive) || strings.Contains(errText(err), acs.InactiveInstanceException):
			d = pace.Nearly(inactive.Next())
		case met && atOnce(err, lived):
			wait.Reset()
		default:
			d = pace.Nearly(wait.Next())
		}
		s.log.Warn("connection for orders lost", "err", err, "again", d.Round(time.Millisecond))
		if pace.Sleep(ctx, d) != nil {
			return
		}
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// serveACS is one connection's life. met tells that it came about.
func (s *Session) serveACS(ctx context.Context, rediscover bool) (met bool, err error) {
	base, _, err := s.discover(ctx, rediscover)
	if err != nil {
		return false, err
	}
	s.mu.Lock()
	id, first := s.id, !s.everMet
	s.mu.Unlock()
	q := url.Values{
		"agentHash": {"ashore"}, "agentVersion": {s.cfg.Version}, "clusterArn": {id.Cluster},
		"containerInstanceArn": {id.InstanceArn}, "dockerVersion": {"DockerVersion: " + s.cfg.EngineName},
		"protocolVersion": {"2"}, "seqNum": {"1"}, "sendCredentials": {"false"},
	}
	if first {
		q.Set("sendCredentials", "true")
	}
	conn, header, err := s.dial(ctx, base+"ws?"+q.Encode())
	if err != nil {
		return false, err
	}
	defer conn.CloseNow()
	s.connection(true)
	defer s.connection(false)
	s.log.Info("connected for orders", "instance", id.InstanceArn)
	s.outbox.kick()

	line := &orders{Session: s, conn: conn, ctx: ctx}
	defer line.wg.Wait()
	extensions := header.Values(acs.ExtensionsHeader)
	if slices.Contains(extensions, acs.ExtensionsVersion) {
		line.inventory(id)
	}
	if slices.Contains(extensions, acs.ReportsVersion) {
		s.outbox.attach(line)
		defer s.outbox.detach(line)
	}
	life := hold(conn)
	defer life.stop()
	for {
		_, data, err := conn.Read(ctx)
		if err != nil {
			return true, err
		}
		m, err := acs.Decode(data)
		if errors.Is(err, acs.ErrUnknownType) {
			s.log.Warn("message not understood", "err", err)
			continue
		}
		if err != nil {
			s.log.Error("message cannot be read", "err", err)
			continue
		}
		life.touch()
		line.handle(m)
	}
}

// orders is one connection as its messages' handlers see it.
type orders struct {
	*Session
	conn *websocket.Conn
	ctx  context.Context
	wg   sync.WaitGroup // acknowledgements that wait for the journal
}

func (o *orders) send(m acs.Message) {
	data, err := acs.Encode(m)
	if err == nil {
		err = write(o.ctx, o.conn, data)
	}
	if err != nil && o.ctx.Err() == nil {
		o.log.Warn("message could not be sent", "type", acs.TypeOf(m), "err", err)
	}
}

func (o *orders) inventory(id Identity) {
	tasks, stones := o.cfg.Engine.Inventory()
	o.mu.Lock()
	latest := o.latest
	o.mu.Unlock()
	o.send(&acs.InventoryMessage{
		MessageID: uuid.NewString(), ClusterArn: id.Cluster, ContainerInstanceArn: id.InstanceArn,
		LatestSeqNum: latest, Tasks: tasks, Tombstones: stones,
	})
}

func (o *orders) handle(m acs.Message) {
	switch m := m.(type) {
	case *acs.HeartbeatMessage:
		o.send(&acs.HeartbeatAckRequest{MessageID: m.MessageID})
		select { // TCS tells of the instance's health
		case o.beat <- struct{}{}:
		default:
		}
	case *acs.PayloadMessage:
		o.payload(m)
	case *acs.IAMRoleCredentialsMessage:
		o.roleCredentials(m)
	case *acs.TaskManifestMessage:
		o.taskManifest(m)
	case *acs.TaskStopVerificationAck:
		o.stopVerified(m)
	case *acs.ReportAck:
		o.outbox.landed(m.MessageID, m.Refused, false)
	case *acs.StageUpdateMessage:
		o.nack(m.ClusterArn, m.ContainerInstanceArn, m.MessageID)
	case *acs.PerformUpdateMessage:
		o.nack(m.ClusterArn, m.ContainerInstanceArn, m.MessageID)
	default:
		o.log.Debug("message ignored", "type", acs.TypeOf(m))
	}
}

func (o *orders) nack(cluster, instance, id string) {
	o.send(&acs.NackRequest{Cluster: cluster, ContainerInstance: instance, MessageID: id, Reason: "Updates are disabled"})
}

// payload hands tasks to the engine, those that shall stop first, and
// acknowledges once all of them are journaled.
func (o *orders) payload(m *acs.PayloadMessage) {
	if m.MessageID == "" || m.ClusterArn == "" || m.ContainerInstanceArn == "" {
		o.log.Error("payload without message id, cluster or instance ignored")
		return
	}
	if own := o.Identity().InstanceArn; m.ContainerInstanceArn != own {
		o.log.Error("payload for another instance ignored", "instance", m.ContainerInstanceArn, "own", own)
		return
	}
	o.raise(m.SeqNum)
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
			o.send(&acs.IAMRoleCredentialsAckRequest{MessageID: m.MessageID, CredentialsID: c.CredentialsID, Expiration: c.Expiration})
		}
		if ok {
			o.send(&acs.AckRequest{Cluster: m.ClusterArn, ContainerInstance: m.ContainerInstanceArn, MessageID: m.MessageID})
		}
	})
}

func (o *orders) roleCredentials(m *acs.IAMRoleCredentialsMessage) {
	if m.MessageID == "" || m.TaskArn == "" || m.RoleType == "" || m.RoleCredentials == nil || m.RoleCredentials.CredentialsID == "" {
		o.log.Error("credentials message lacks a member, ignored", "task", m.TaskArn)
		return
	}
	o.forgetCredentials()
	if !o.cfg.Engine.Knows(m.TaskArn) {
		o.log.Warn("credentials for an unknown task", "task", m.TaskArn)
		return
	}
	o.creds.put(m.TaskArn, m.RoleType, *m.RoleCredentials)
	o.send(&acs.IAMRoleCredentialsAckRequest{MessageID: m.MessageID, CredentialsID: m.RoleCredentials.CredentialsID, Expiration: m.RoleCredentials.Expiration})
}

// taskManifest asks about tasks that run here and are not listed. Nothing stops
// before the server confirms it.
func (o *orders) taskManifest(m *acs.TaskManifestMessage) {
	if !o.raise(m.Timeline) {
		o.log.Info("old manifest ignored", "timeline", m.Timeline)
		return
	}
	o.mu.Lock()
	o.manifest = m.MessageID
	o.mu.Unlock()
	o.send(&acs.AckRequest{Cluster: m.ClusterArn, ContainerInstance: m.ContainerInstanceArn, MessageID: m.MessageID})
	listed := map[string]bool{}
	for _, t := range m.Tasks {
		if t.DesiredStatus == acs.StatusRunning {
			listed[t.TaskArn] = true
		}
	}
	var stop []acs.ManifestTask
	for _, arn := range o.cfg.Engine.Wanted() {
		if !listed[arn] {
			stop = append(stop, acs.ManifestTask{TaskArn: arn, TaskClusterArn: m.ClusterArn, DesiredStatus: acs.StatusStopped})
		}
	}
	if len(stop) > 0 {
		o.send(&acs.TaskStopVerificationMessage{MessageID: m.MessageID, StopCandidates: stop})
	}
}

func (o *orders) stopVerified(m *acs.TaskStopVerificationAck) {
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
		if t.DesiredStatus != acs.StatusStopped || !o.cfg.Engine.Knows(t.TaskArn) {
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
