package session

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/gobwas/ws"
	"github.com/google/uuid"

	"github.com/ashore/ashore/internal/agent/engine"
	"github.com/ashore/ashore/internal/agent/runtime"
	"github.com/ashore/ashore/internal/pace"
	"github.com/ashore/ashore/internal/wire/acs"
	"github.com/ashore/ashore/internal/wire/line"
	"github.com/ashore/ashore/internal/wire/tcs"
)

// runTCS keeps a telemetry connection open until the context ends.
func (s *Session) runTCS(ctx context.Context) {
	t := &telemetry{
		s: s, last: map[string]sample{}, status: tcs.StatusInitializing, changed: time.Now(),
		wait:     pace.Backoff{Min: time.Second, Max: time.Minute},
		inactive: pace.Backoff{Min: inactiveMin, Max: inactiveMax},
	}
	for ctx.Err() == nil {
		t.began = time.Now()
		opened, err := t.runConn(ctx)
		if ctx.Err() != nil || !t.waitReconnect(ctx, opened, err) {
			return
		}
	}
}

// waitReconnect waits after a connection was lost. It returns false if the context has
// ended.
func (t *telemetry) waitReconnect(ctx context.Context, opened bool, err error) bool {
	lasted := time.Since(t.began)
	if lasted >= stable {
		t.wait.Reset()
	}
	var d time.Duration
	switch {
	case errors.Is(err, errInactive):
		d = pace.Nearly(t.inactive.Next())
	case opened && reconnectsAtOnce(err, lasted) && isClosedWith(err, ws.StatusNormalClosure):
	default:
		d = pace.Nearly(t.wait.Next())
	}
	t.s.log.Debug("connection for telemetry lost", "err", err, "again", d.Round(time.Millisecond))
	return pace.Sleep(ctx, d) == nil
}

// telemetry collects what is sent. Only one connection uses it at a time.
type telemetry struct {
	s    *Session
	last map[string]sample // by container id; only sendAll uses it

	statusMu sync.Mutex // held while the host's status is read and sent
	status   string
	changed  time.Time

	wait, inactive pace.Backoff // of connections
	began          time.Time
}

// sample is what was last sent about a container.
type sample struct {
	runtime.Stats
	restarts int
}

// runConn runs one connection.
func (t *telemetry) runConn(ctx context.Context) (opened bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p, err := t.connect(ctx)
	if err != nil {
		return false, err
	}
	defer context.AfterFunc(ctx, p.conn.CloseNow)()
	p.expiry = startExpiry(p.conn)
	defer p.expiry.stop()
	p.start()
	err = p.conn.Each(p.receiveFrame)
	cancel()
	return true, p.close(err)
}

func (t *telemetry) connect(ctx context.Context) (*telemetryConn, error) {
	_, base, err := t.s.discoverEndpoints(ctx, false)
	if err != nil {
		return nil, err
	}
	id := t.s.Identity()
	q := url.Values{
		"agentHash": {"ashore"}, "agentVersion": {t.s.cfg.Version}, "cluster": {id.Cluster},
		"containerInstance": {id.InstanceArn}, "dockerVersion": {t.s.cfg.EngineName},
	}
	t.s.addRun(q)
	address := base + "ws?" + q.Encode()
	conn, _, err := t.s.dial(ctx, address)
	if err != nil {
		return nil, err
	}
	return &telemetryConn{t: t, ctx: ctx, conn: conn, id: id, address: address}, nil
}

// telemetryConn sends all telemetry periodically by one connection.
type telemetryConn struct {
	t       *telemetry
	ctx     context.Context
	conn    *line.Conn
	id      Identity
	address string // URL of the upgrade; frames are signed for it
	expiry  *expiry

	wg sync.WaitGroup // goroutines that call the engine and send

	mu     sync.Mutex // held while it sends, never while it calls the engine
	due    time.Time
	timer  *time.Timer
	closed bool
	err    error // why sending failed
}

// addGoroutine counts a goroutine, unless the connection is closed.
func (p *telemetryConn) addGoroutine() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.wg.Add(1)
	}
	return !p.closed
}

func (p *telemetryConn) start() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.due = time.Now()
	p.timer = time.AfterFunc(0, p.sendAll)
	p.t.s.health.setSend(p.sendChanges)
}

// close waits for all goroutines. The context must have ended. It returns why the
// connection ended.
func (p *telemetryConn) close(err error) error {
	p.conn.CloseNow()
	defer p.wg.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.timer.Stop()
	p.t.s.health.setSend(nil)
	if p.err != nil {
		return p.err
	}
	return err
}

func (p *telemetryConn) receiveFrame(data []byte) {
	if _, err := tcs.Decode(data); err == nil {
		p.expiry.reset()
	}
}

func (p *telemetryConn) sendAll() {
	if !p.addGoroutine() {
		return
	}
	defer p.wg.Done()
	if p.t.s.statusDue.Swap(false) {
		p.sendStatus()
	}
	p.sendMessages(func() []tcs.Message {
		p.t.s.health.takeChanges()
		live := p.t.filterTasks(func(v engine.TaskView) bool { return v.Status != acs.StatusStopped })
		return buildHealth(p.id, live, tcs.Time{Time: p.t.s.api.now()})
	})
	samples := p.t.buildMetrics(p.ctx, p.id)
	p.sendMessages(func() []tcs.Message { return samples })
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.err != nil {
		return
	}
	p.due = nextDue(p.due, time.Now(), p.t.s.cfg.MetricsEvery)
	p.timer.Reset(time.Until(p.due))
}

// nextDue returns when to send after due. Times that have passed are left out: if a busy
// engine was slow, sending them late would keep it busy.
func nextDue(due, now time.Time, every time.Duration) time.Time {
	due = due.Add(every)
	if late := now.Sub(due); late >= 0 {
		due = due.Add(late.Truncate(every) + every)
	}
	return due
}

// sendChanges sends the health of the containers and of the host that has changed.
func (p *telemetryConn) sendChanges() {
	if !p.addGoroutine() {
		return
	}
	defer p.wg.Done()
	host := false
	p.sendMessages(func() []tcs.Message {
		changed := p.t.s.health.takeChanges()
		host = changed.host
		var tasks []engine.TaskView
		for arn := range changed.tasks {
			if v, ok := p.t.s.cfg.Engine.Task(arn); ok && v.Status != acs.StatusStopped {
				tasks = append(tasks, v)
			}
		}
		return buildHealth(p.id, tasks, tcs.Time{Time: p.t.s.api.now()})
	})
	if host {
		p.t.s.statusDue.Store(false)
		p.sendStatus()
	}
}

// sendStatus sends the host's own status in its own goroutine, since an engine that does
// not answer delays all other calls to it.
func (p *telemetryConn) sendStatus() {
	if !p.addGoroutine() {
		return
	}
	go func() {
		defer p.wg.Done()
		p.t.statusMu.Lock()
		defer p.t.statusMu.Unlock()
		status := p.t.buildInstanceStatus(p.ctx, p.id)
		p.sendMessages(func() []tcs.Message { return []tcs.Message{status} })
	}()
}

// sendMessages sends messages. If that fails, it closes the connection. It builds the
// messages while no others are sent, so that an older state never follows a newer one.
func (p *telemetryConn) sendMessages(messages func() []tcs.Message) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.err != nil || p.ctx.Err() != nil {
		return
	}
	for _, m := range messages() {
		if p.err = p.sendMessage(m); p.err != nil {
			p.conn.CloseNow()
			return
		}
	}
}

// sendMessage sends a frame. It is signed as a GET of the upgrade's URL with the frame as
// body.
func (p *telemetryConn) sendMessage(m tcs.Message) error {
	body, err := tcs.Encode(m)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(p.ctx, http.MethodGet, p.address, nil)
	if err != nil {
		return err
	}
	if err := p.t.s.api.sign(req, body); err != nil {
		return err
	}
	h := http.Header{"Host": {req.Host}}
	for _, k := range []string{"Authorization", "X-Amz-Date", "X-Amz-Content-Sha256"} {
		if v := req.Header.Get(k); v != "" {
			h.Set(k, v)
		}
	}
	return p.conn.Write(tcs.WithHeader(h, body))
}

// buildMetrics returns messages with samples of all running tasks.
func (t *telemetry) buildMetrics(ctx context.Context, id Identity) []tcs.Message {
	now := tcs.Time{Time: t.s.api.now()}
	metrics := t.sampleTasks(ctx, t.filterTasks(func(v engine.TaskView) bool { return v.Status == acs.StatusRunning }))
	var out []tcs.Message
	if len(metrics) == 0 {
		m := newMetadata(id)
		m.Fin, m.Idle = true, true
		out = append(out, &tcs.PublishMetricsRequest{Metadata: m, Timestamp: now})
	}
	for len(metrics) > 0 {
		n := min(len(metrics), tcs.MaxTasksPerMessage)
		m := newMetadata(id)
		m.Fin = n == len(metrics)
		out = append(out, &tcs.PublishMetricsRequest{Metadata: m, TaskMetrics: metrics[:n], Timestamp: now})
		metrics = metrics[n:]
	}
	return out
}

// filterTasks returns the engine's tasks for which fits is true.
func (t *telemetry) filterTasks(fits func(engine.TaskView) bool) []engine.TaskView {
	return slices.DeleteFunc(t.s.cfg.Engine.Tasks(), func(v engine.TaskView) bool { return !fits(v) })
}

func newMetadata(id Identity) tcs.Metadata {
	return tcs.Metadata{Cluster: id.Cluster, ContainerInstance: id.InstanceArn, MessageID: uuid.NewString()}
}

// buildHealth returns messages with the health of the tasks in live.
func buildHealth(id Identity, live []engine.TaskView, now tcs.Time) []tcs.Message {
	var out []tcs.Message
	for tasks := range slices.Chunk(taskHealth(live), tcs.MaxTasksPerMessage) {
		out = append(out, &tcs.PublishHealthRequest{Metadata: newMetadata(id), Tasks: tasks, Timestamp: now})
	}
	if n := len(out); n > 0 {
		out[n-1].(*tcs.PublishHealthRequest).Metadata.Fin = true
	}
	return out
}

func taskHealth(tasks []engine.TaskView) []tcs.TaskHealth {
	var out []tcs.TaskHealth
	for _, v := range tasks {
		th := tcs.TaskHealth{TaskArn: v.Arn, TaskDefinitionFamily: v.Family, TaskDefinitionVersion: v.Version}
		for _, c := range v.Containers {
			if !c.HasCheck || c.Status != acs.StatusRunning {
				continue
			}
			h := tcs.ContainerHealth{ContainerName: c.Name, HealthStatus: c.Health, StatusSince: tcs.Time{Time: c.HealthAt}}
			if h.HealthStatus == "" {
				h.HealthStatus = tcs.HealthUnknown
			}
			if c.HealthAt.IsZero() {
				h.StatusSince.Time = c.StartedAt
			}
			th.Containers = append(th.Containers, h)
		}
		if th.Containers != nil {
			out = append(out, th)
		}
	}
	return out
}

// buildInstanceStatus checks whether the container engine works. The caller holds
// statusMu.
func (t *telemetry) buildInstanceStatus(ctx context.Context, id Identity) tcs.Message {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	status := tcs.StatusOK
	if err := t.s.cfg.Engine.CheckHealth(ctx); err != nil {
		status = tcs.StatusImpaired
		t.s.log.Error("container runtime does not answer", "err", err)
	}
	now := tcs.Time{Time: t.s.api.now()}
	if status != t.status {
		t.status, t.changed = status, now.Time
	}
	return &tcs.PublishInstanceStatusRequest{
		Metadata:  tcs.InstanceStatusMetadata{Cluster: id.Cluster, ContainerInstance: id.InstanceArn, RequestID: uuid.NewString()},
		Statuses:  []tcs.InstanceStatus{{Type: tcs.StatusContainerRuntime, Status: status, LastUpdated: now, LastStatusChange: tcs.Time{Time: t.changed}}},
		Timestamp: now,
	}
}

const mib = 1 << 20

// sampleTasks samples each running container once. Values that need two samples are sent
// from the second sample on.
func (t *telemetry) sampleTasks(ctx context.Context, tasks []engine.TaskView) []tcs.TaskMetric {
	var out []tcs.TaskMetric
	live := map[string]sample{}
	for _, v := range tasks {
		tm := tcs.TaskMetric{TaskArn: v.Arn, TaskDefinitionFamily: v.Family, TaskDefinitionVersion: v.Version}
		for _, c := range v.Containers {
			if c.Status != acs.StatusRunning || c.RuntimeID == "" {
				continue
			}
			now, err := t.s.cfg.Engine.Stats(ctx, c.RuntimeID)
			if errors.Is(err, runtime.ErrUnreachable) || ctx.Err() != nil {
				return out // the other calls would fail too; those containers begin again
			}
			if err != nil {
				if !errors.Is(err, runtime.ErrNotFound) {
					t.s.log.Debug("no statistics", "container", c.Name, "err", err)
				}
				continue
			}
			before, two := t.last[c.RuntimeID]
			live[c.RuntimeID] = sample{now, c.Restarts}
			tm.ContainerMetrics = append(tm.ContainerMetrics, t.buildContainerMetric(v, c, now, before, two))
		}
		if tm.ContainerMetrics != nil {
			out = append(out, tm)
		}
	}
	t.last = live
	return out
}

func (t *telemetry) buildContainerMetric(v engine.TaskView, c engine.ContainerView, now runtime.Stats, before sample, two bool) tcs.ContainerMetric {
	m := tcs.ContainerMetric{ContainerName: c.Name}
	one := func(f float64) *tcs.StatsSet { return &tcs.StatsSet{Min: f, Max: f, SampleCount: 1, Sum: f} }
	count := func(n int64) *tcs.ULongStatsSet {
		return &tcs.ULongStatsSet{Min: n, Max: n, SampleCount: 1, Sum: n}
	}
	m.MemoryStatsSet = one(float64(now.Memory) / mib)
	m.StorageStatsSet = &tcs.StorageStatsSet{ReadSizeBytes: count(now.ReadBytes), WriteSizeBytes: count(now.WriteBytes)}
	span := now.At.Sub(before.At)
	if two && span > 0 && now.CPUs > 0 && now.CPU >= before.CPU {
		m.CPUStatsSet = one(100 * float64(now.CPU-before.CPU) / float64(now.CPUs) / float64(span))
	}
	if now.HasNetwork && (v.NetworkMode == "" || v.NetworkMode == "bridge") {
		n := &tcs.NetworkStatsSet{
			RxBytes: count(now.RxBytes), RxDropped: count(now.RxDropped), RxErrors: count(now.RxErrors), RxPackets: count(now.RxPackets),
			TxBytes: count(now.TxBytes), TxDropped: count(now.TxDropped), TxErrors: count(now.TxErrors), TxPackets: count(now.TxPackets),
		}
		if two && span > 0 {
			n.RxBytesPerSecond = one(float64(now.RxBytes-before.RxBytes) / span.Seconds())
			n.TxBytesPerSecond = one(float64(now.TxBytes-before.TxBytes) / span.Seconds())
		}
		m.NetworkStatsSet = n
	}
	if c.HasRestart {
		m.RestartStatsSet = &tcs.RestartStatsSet{RestartCount: int64(c.Restarts - before.restarts)}
	}
	return m
}
