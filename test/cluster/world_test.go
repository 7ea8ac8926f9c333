//go:build linux

package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/ashore/ashore/internal/agent"
	"github.com/ashore/ashore/internal/ashoretest"
	"github.com/ashore/ashore/internal/client"
	"github.com/ashore/ashore/internal/local"
	"github.com/ashore/ashore/test/cluster/lan"
)

const (
	clusterName = "c"
	servers     = 3
	members     = 3
	serverPort  = 4700
	// patience is how long a test waits for a condition.
	patience = 3 * time.Minute
)

// size is the size of a world.
type size struct {
	hosts, clients int
	cpus           int   // of each host
	memory         int64 // MiB
}

// world is three etcd members, three servers, hosts and clients.
type world struct {
	t       *testing.T
	ctx     context.Context // lasts as long as the test and its clean-up
	dir     string
	lan     *lan.Lan
	members []*process
	servers []*process
	hosts   []*host
	clients []*caller
	admin   local.Admin
	ledger  *ledger
	apis    [servers]*ecs.Client
	etcd    *clientv3.Client // an observer's client, never cut off
}

func newWorld(t *testing.T, n size) *world {
	t.Helper()
	binary := ashoretest.Binary(t)
	dir, err := os.MkdirTemp("", "cl") // short, because it has unix sockets
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, ctx: context.WithoutCancel(t.Context()), dir: dir, ledger: &ledger{starts: map[string][]string{}, kept: map[string]bool{}}}
	t.Cleanup(w.close)
	if w.lan, err = lan.New(w.ctx); err != nil {
		t.Fatal(err)
	}
	w.startMembers()
	w.startServers(binary)
	for range n.clients {
		c, err := newCaller(w)
		if err != nil {
			t.Fatal(err)
		}
		w.clients = append(w.clients, c)
	}
	if _, err := w.api(0).CreateCluster(w.ctx, &ecs.CreateClusterInput{ClusterName: aws.String(clusterName)}); err != nil {
		t.Fatal(err)
	}
	for i := range n.hosts {
		w.addHost(i, n)
	}
	for i := range servers {
		w.awaitConnected(i, n.hosts)
	}
	return w
}

// place adds a place, or fails the test.
func (w *world) place(name string) *lan.Place {
	w.t.Helper()
	p, err := w.lan.Add(w.ctx, name)
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

func (w *world) startMembers() {
	w.t.Helper()
	var places []*lan.Place
	var initial []string
	for i := range members {
		p := w.place(fmt.Sprintf("etcd%d", i))
		u := at(p.Addr, peerPort)
		places, initial = append(places, p), append(initial, p.Name+"="+u.String())
	}
	for _, p := range places {
		m, err := newProcess(w.dir, p.Name, p, role{Member: &memberSpec{
			Name: p.Name, Dir: filepath.Join(w.dir, p.Name), Addr: p.Addr, Initial: strings.Join(initial, ","),
		}})
		if err == nil {
			err = m.start()
		}
		if err != nil {
			w.t.Fatal(err)
		}
		w.members = append(w.members, m)
	}
	onlooker, err := w.lan.AddLocalAddress(w.ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	_ = onlooker // this process's connections come from the first address
	if w.etcd, err = clientv3.New(clientv3.Config{Endpoints: w.endpoints(), DialTimeout: patience, Logger: zap.NewNop()}); err != nil {
		w.t.Fatal(err)
	}
	w.eventually("etcd has a leader", func() error {
		_, err := w.etcd.Get(w.ctx, "x")
		return err
	})
}

func (w *world) endpoints() (out []string) {
	for _, m := range w.members {
		u := at(m.place.Addr, clientPort)
		out = append(out, u.String())
	}
	return out
}

// startServers starts one server, which creates the installation, and then the others.
func (w *world) startServers(binary string) {
	w.t.Helper()
	for i := range servers {
		p := w.place(fmt.Sprintf("server%d", i))
		if err := p.Forward(w.ctx, serverPort); err != nil {
			w.t.Fatal(err)
		}
		data := filepath.Join(w.dir, p.Name)
		s := &process{name: p.Name, place: p, log: filepath.Join(w.dir, p.Name+".log"), argv: []string{
			binary, "server", "--data-dir", data, "--listen", fmt.Sprintf("127.0.0.1:%d", serverPort),
			"--etcd-endpoints", strings.Join(w.endpoints(), ","), "--seal-key", filepath.Join(w.dir, "seal.key"),
		}}
		if err := s.start(); err != nil {
			w.t.Fatal(err)
		}
		w.servers = append(w.servers, s)
		w.awaitServer(i)
		if i > 0 {
			continue
		}
		l, err := local.NewLayout(local.Env{Root: true, Getenv: os.Getenv}, data)
		if err != nil {
			w.t.Fatal(err)
		}
		if w.admin, err = local.ReadAdmin(l); err != nil {
			w.t.Fatal(err)
		}
	}
}

// url returns the network address of server i.
func (w *world) url(i int) string {
	u := at(w.servers[i%servers].place.Addr, serverPort)
	return u.String()
}

// awaitServer waits until a server answers.
func (w *world) awaitServer(i int) {
	w.t.Helper()
	h := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	w.eventually(w.servers[i].name+" answers", func() error {
		res, err := h.Get(w.url(i) + "/healthz")
		if err == nil {
			err = res.Body.Close()
		}
		return err
	})
}

// api returns a client of one server, with an address that is never cut off. The client
// is cached, because to create one takes longer than a call.
func (w *world) api(i int) *ecs.Client {
	if w.apis[i] == nil {
		a := w.admin
		a.Endpoint = w.url(i)
		w.apis[i] = client.New(a).ECS
	}
	return w.apis[i]
}

func (w *world) addHost(i int, n size) {
	w.t.Helper()
	a := w.admin
	a.Endpoint = w.url(0)
	c := client.New(a)
	defer c.Close()
	name := fmt.Sprintf("host%d", i)
	key, err := c.CreateHostCredentials(w.ctx, name, client.HostTerms{Cluster: clusterName})
	if err != nil {
		w.t.Fatal(err)
	}
	h, err := newHost(w.dir, w.place(name), newMachine(name, n.cpus, n.memory, w.ledger), agent.Settings{
		Server: w.url(i), Others: []string{w.url(i + 1), w.url(i + 2)}, Cluster: clusterName,
		InstallationID: a.InstallationID, Region: a.Region, Account: a.Account,
	}, key)
	if err != nil {
		w.t.Fatal(err)
	}
	w.hosts = append(w.hosts, h)
}

// awaitConnected waits until n agents are connected, as one server sees it.
func (w *world) awaitConnected(server, n int) {
	w.t.Helper()
	w.eventually(fmt.Sprintf("%d agents are connected, says server %d", n, server), func() error {
		got, err := w.agents(server)
		if err == nil && len(got) != n {
			err = fmt.Errorf("%v are", got)
		}
		return err
	})
}

// agents returns the ids of the connected agents, as one server sees it.
func (w *world) agents(server int) (out []string, err error) {
	api := w.api(server)
	l, err := api.ListContainerInstances(w.ctx, &ecs.ListContainerInstancesInput{Cluster: aws.String(clusterName)})
	if err != nil || len(l.ContainerInstanceArns) == 0 {
		return nil, err
	}
	d, err := api.DescribeContainerInstances(w.ctx, &ecs.DescribeContainerInstancesInput{
		Cluster: aws.String(clusterName), ContainerInstances: l.ContainerInstanceArns,
	})
	if err != nil {
		return nil, err
	}
	for _, ci := range d.ContainerInstances {
		if ci.AgentConnected && aws.ToString(ci.Status) == "ACTIVE" {
			out = append(out, *ci.ContainerInstanceArn)
		}
	}
	return out, nil
}

// need is what a task of a family needs.
type need struct {
	cpu, memory int32
	port        int32 // a fixed port; 0: none
	service     bool  // a family for services, not for RunTask
}

func definition(name string, n need) *ecs.RegisterTaskDefinitionInput {
	c := types.ContainerDefinition{
		Name: aws.String("main"), Image: aws.String("sim"), Essential: aws.Bool(true), Cpu: n.cpu, Memory: aws.Int32(n.memory),
	}
	if n.port > 0 {
		c.PortMappings = []types.PortMapping{{ContainerPort: aws.Int32(n.port), HostPort: aws.Int32(n.port)}}
	}
	return &ecs.RegisterTaskDefinitionInput{
		Family: aws.String(name), ContainerDefinitions: []types.ContainerDefinition{c}, NetworkMode: types.NetworkModeBridge,
	}
}

func (w *world) family(name string, n need) {
	w.t.Helper()
	if _, err := w.api(0).RegisterTaskDefinition(w.ctx, definition(name, n)); err != nil {
		w.t.Fatal(err)
	}
}

// eventually waits until f returns nil.
func (w *world) eventually(what string, f func() error) {
	w.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		err := f()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			w.ledger.report(w.t)
			w.t.Fatalf("never: %s: %v", what, err)
		}
	}
}

// close stops everything, and shows the logs if the test has failed.
func (w *world) close() {
	for _, h := range w.hosts {
		h.agent.kill()
	}
	for _, p := range append(w.servers, w.members...) {
		p.kill()
	}
	var errs []error
	for _, h := range w.hosts {
		errs = append(errs, h.engine.Close(), h.machine.Close())
	}
	if w.etcd != nil {
		_ = w.etcd.Close() // the error only says that its context has ended
	}
	if w.lan != nil {
		errs = append(errs, w.lan.Close())
	}
	if w.t.Failed() {
		w.t.Logf("logs and data are kept in %s", w.dir)
	} else {
		errs = append(errs, os.RemoveAll(w.dir))
	}
	if err := errors.Join(errs...); err != nil {
		w.t.Error(err)
	}
}
