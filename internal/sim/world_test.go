package sim

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/client"
	"github.com/ashore/ashore/internal/store/etcdtest"
	"github.com/ashore/ashore/internal/wire/acs"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"golang.org/x/sync/errgroup"
)

const (
	patience = time.Minute // bound of waits for a condition
	cluster  = "c"
)

// world is a fleet on servers that share one etcd.
type world struct {
	t       *testing.T
	seed    uint64
	dir     string
	servers []*Server
	clients []*client.Client
	hosts   []*Host
	gates   []*Gate // of the hosts, if there are gates
	etcd    *etcdtest.Etcd
	log     *slog.Logger
}

type size struct {
	servers, hosts int
	cpus           int
	memory         int64 // MiB
	journal        bool
	gates          bool // a gate for each host
	faults         Faults
	telemetry      time.Duration // between two messages; 0: the agent's own
	away           time.Duration // until a container engine counts as away
}

// newWorld starts everything and waits until every agent is connected. Neighboring hosts
// have different first servers.
func newWorld(t *testing.T, n size) *world {
	t.Helper()
	w := &world{t: t, seed: rand.Uint64()}
	t.Logf("seed %d", w.seed)
	dir, err := os.MkdirTemp("", "sim") // short: it has unix sockets
	if err != nil {
		t.Fatal(err)
	}
	w.dir = dir
	t.Cleanup(func() { os.RemoveAll(dir) })
	level := slog.LevelWarn
	if testing.Verbose() {
		level = slog.LevelInfo
	}
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: level}))
	w.etcd, w.log = etcdtest.Start(t, etcdtest.Options{}), log
	plane := &Plane{Etcd: []string{w.etcd.Endpoint()}, Dir: dir, Log: log}
	for i := range n.servers {
		s, err := plane.Start(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Errorf("server %d: %v", i, err)
			}
		})
		c := s.Client()
		t.Cleanup(c.Close)
		w.servers, w.clients = append(w.servers, s), append(w.clients, c)
	}
	if _, err := w.ecs(0).CreateCluster(t.Context(), &ecs.CreateClusterInput{ClusterName: aws.String(cluster)}); err != nil {
		t.Fatal(err)
	}
	for i := range n.hosts {
		w.host(i, n, log)
	}
	w.waitConnected(n.hosts)
	return w
}

func (w *world) host(i int, n size, log *slog.Logger) *Host {
	w.t.Helper()
	h := w.hostIn(cluster, i, n, log)
	w.hosts = append(w.hosts, h)
	return h
}

// hostIn starts a host of another cluster. It is not in w.hosts.
func (w *world) hostIn(cluster string, i int, n size, log *slog.Logger) *Host {
	w.t.Helper()
	name := fmt.Sprintf("sim-%04d", i)
	key, err := w.clients[i%len(w.clients)].CreateHostCredentials(w.t.Context(), name, client.HostTerms{Cluster: cluster})
	if err != nil {
		w.t.Fatal(err)
	}
	dir := filepath.Join(w.dir, fmt.Sprint(i))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		w.t.Fatal(err)
	}
	f := n.faults
	f.Seed = w.seed + uint64(i)
	cfg := HostConfig{
		Name: name, Dir: dir, Servers: URLs(i, w.servers...), Installation: w.servers[0].Installation(),
		Credentials: key, Cluster: cluster, Machine: NewMachine(n.cpus, n.memory, f), Journal: n.journal, Log: log,
		MetricsEvery: n.telemetry, EngineAway: n.away,
	}
	if n.gates {
		base := http.DefaultTransport.(*http.Transport).Clone()
		w.t.Cleanup(base.CloseIdleConnections)
		g := NewGate(base)
		cfg.Transport, w.gates = g, append(w.gates, g)
	}
	h := NewHost(cfg)
	h.Start()
	w.t.Cleanup(func() {
		if err := h.Close(); err != nil {
			w.t.Errorf("%s: %v", name, err)
		}
	})
	return h
}

// ecs returns a client of the API of server i.
func (w *world) ecs(i int) *ecs.Client { return w.clients[i%len(w.clients)].ECS }

// waitConnected waits until every server sees n connected agents.
func (w *world) waitConnected(n int) {
	w.t.Helper()
	for i := range w.servers {
		w.waitConnectedTo(i, n)
	}
}

// waitConnectedTo waits until one server sees n connected agents.
func (w *world) waitConnectedTo(server, n int) {
	w.t.Helper()
	w.eventually(fmt.Sprintf("%d agents are connected, says server %d", n, server), func() bool {
		got := 0
		for _, ci := range w.instances(server) {
			if ci.AgentConnected && aws.ToString(ci.Status) == "ACTIVE" {
				got++
			}
		}
		return got == n
	})
}

func (w *world) instances(server int) []types.ContainerInstance {
	w.t.Helper()
	var out []types.ContainerInstance
	pages := ecs.NewListContainerInstancesPaginator(w.ecs(server), &ecs.ListContainerInstancesInput{Cluster: aws.String(cluster)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(w.t.Context())
		if err != nil {
			w.t.Fatal(err)
		}
		if len(page.ContainerInstanceArns) == 0 {
			continue
		}
		d, err := w.ecs(server).DescribeContainerInstances(w.t.Context(), &ecs.DescribeContainerInstancesInput{
			Cluster: aws.String(cluster), ContainerInstances: page.ContainerInstanceArns,
			Include: []types.ContainerInstanceField{types.ContainerInstanceFieldContainerInstanceHealth},
		})
		if err != nil {
			w.t.Fatal(err)
		}
		out = append(out, d.ContainerInstances...)
	}
	return out
}

// need is what a task of a family needs.
type need struct {
	cpu, memory int32
	port        int32 // fixed; 0: none
	command     []string
	image       string // default: sim
	check       bool   // it has a health check
}

func (w *world) family(name string, n need) {
	w.t.Helper()
	c := types.ContainerDefinition{
		Name: aws.String("main"), Image: aws.String(cmp.Or(n.image, "sim")), Essential: aws.Bool(true), Cpu: n.cpu, Memory: aws.Int32(n.memory), Command: n.command,
	}
	if n.port > 0 {
		c.PortMappings = []types.PortMapping{{ContainerPort: aws.Int32(n.port), HostPort: aws.Int32(n.port)}}
	}
	if n.check {
		c.HealthCheck = &types.HealthCheck{Command: []string{"CMD", "true"}} // the simulated program decides the result
	}
	w.define(name, c)
}

func (w *world) define(family string, containers ...types.ContainerDefinition) {
	w.t.Helper()
	_, err := w.ecs(0).RegisterTaskDefinition(w.t.Context(), &ecs.RegisterTaskDefinitionInput{
		Family: aws.String(family), ContainerDefinitions: containers, NetworkMode: types.NetworkModeBridge,
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// run starts tasks through one server. It returns their ARNs and how many could not be
// placed.
func (w *world) run(ctx context.Context, server int, family string, count int) (arns []string, failed int, err error) {
	out, err := w.ecs(server).RunTask(ctx, &ecs.RunTaskInput{Cluster: aws.String(cluster), TaskDefinition: aws.String(family), Count: aws.Int32(int32(count))})
	if err != nil {
		return nil, 0, err
	}
	for _, t := range out.Tasks {
		arns = append(arns, *t.TaskArn)
	}
	return arns, len(out.Failures), nil
}

func (w *world) mustRun(server int, family string, count int) []string {
	w.t.Helper()
	var arns []string
	for len(arns) < count {
		n := min(10, count-len(arns))
		got, failed, err := w.run(w.t.Context(), server, family, n)
		if err != nil || failed > 0 {
			w.t.Fatalf("RunTask: %d failures, %v", failed, err)
		}
		arns = append(arns, got...)
	}
	return arns
}

// status returns a server's view of tasks.
func (w *world) status(server int, arns []string) map[string]types.Task {
	w.t.Helper()
	out := map[string]types.Task{}
	for len(arns) > 0 {
		n := min(100, len(arns))
		d, err := w.ecs(server).DescribeTasks(w.t.Context(), &ecs.DescribeTasksInput{Cluster: aws.String(cluster), Tasks: arns[:n]})
		if err != nil {
			w.t.Fatal(err)
		}
		for _, t := range d.Tasks {
			out[*t.TaskArn] = t
		}
		arns = arns[n:]
	}
	return out
}

// waitStatus waits until all tasks have a status.
func (w *world) waitStatus(server int, arns []string, want string) {
	w.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		var late []string
		for arn, t := range w.status(server, arns) {
			if aws.ToString(t.LastStatus) != want {
				late = append(late, fmt.Sprintf("%s %s (%s)", arn, aws.ToString(t.LastStatus), aws.ToString(t.StoppedReason)))
			}
		}
		if len(late) == 0 {
			return
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("%d of %d tasks are not %s, such as %s", len(late), len(arns), want, late[0])
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (w *world) eventually(what string, ok func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(patience); !ok(); {
		if time.Now().After(deadline) {
			w.t.Fatalf("never: %s", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// startedOnce checks the machines' counts: each container was started exactly once, and
// their number is as expected.
func (w *world) startedOnce(want int) {
	w.t.Helper()
	got := 0
	for _, h := range w.hosts {
		for name, n := range h.Machine().Starts() {
			got++
			if n != 1 {
				w.t.Errorf("%s was started %d times", name, n)
			}
		}
	}
	if got != want {
		w.t.Errorf("%d containers were started, not %d", got, want)
	}
}

// countStarts counts the containers that were started.
func (w *world) countStarts() int {
	n := 0
	for _, h := range w.hosts {
		n += len(h.Machine().Starts())
	}
	return n
}

// checkHost compares an agent's view of its tasks with its machine's resources. Every task
// counts that the agent has and that has not ended. The server may only reuse the
// resources of an ended task after the agent has reported the end.
func (w *world) checkHost(ctx context.Context, h *Host, n size, needs map[string]need) error {
	s, err := h.State(ctx)
	if err != nil {
		return err
	}
	var cpu, memory int32
	ports := map[int32]string{}
	for _, t := range s.Tasks {
		if t.Status == acs.StatusStopped {
			continue
		}
		x := needs[t.Family]
		cpu += x.cpu
		memory += x.memory
		if x.port > 0 {
			if other := ports[x.port]; other != "" {
				return fmt.Errorf("%s: port %d was given to %s and %s", h.cfg.Name, x.port, other, t.Arn)
			}
			ports[x.port] = t.Arn
		}
	}
	if cpu > int32(n.cpus)*1024 || int64(memory) > n.memory {
		return fmt.Errorf("%s was given tasks of %d CPU units and %d MiB and has %d and %d", h.cfg.Name, cpu, memory, n.cpus*1024, n.memory)
	}
	return nil
}

// checkHosts checks every host at the same time.
func (w *world) checkHosts(n size, needs map[string]need) {
	w.t.Helper()
	var g errgroup.Group
	g.SetLimit(16)
	var mu sync.Mutex
	for _, h := range w.hosts {
		g.Go(func() error {
			if err := w.checkHost(w.t.Context(), h, n, needs); err != nil {
				mu.Lock()
				defer mu.Unlock()
				w.t.Error(err)
			}
			return nil
		})
	}
	_ = g.Wait() // errors are in t
}
