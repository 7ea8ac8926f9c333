package test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/coder/websocket"

	"github.com/ashore/ashore/internal/ashoretest"
	ecsmodel "github.com/ashore/ashore/internal/aws/model/ecs"
	"github.com/ashore/ashore/internal/aws/sigv4"
	"github.com/ashore/ashore/internal/client"
	"github.com/ashore/ashore/internal/local"
	of "github.com/ashore/ashore/test/installation"
)

const (
	// hostileMemory is the server's memory, by its cgroup.
	hostileMemory = 512 << 20
	// hostileTime is how long the attack lasts.
	hostileTime = 15 * time.Second
	// hostileHeads are open at once, unsigned.
	hostileHeads = 3000
	// hostileHosts attack with keys of their own.
	hostileHosts = 4
	// hostileServed is the number of signed calls that must be answered meanwhile, one
	// after the other. The time of each is only logged, because it depends on the
	// machine as well.
	hostileServed = 20
	// backTo is how much more memory than before the server may have afterwards, and
	// backIn is how soon.
	backTo = 64 << 20
	backIn = 3 * time.Minute
)

// attackedServer is a server process with little memory, under attack.
type attackedServer struct {
	*testing.T
	admin  local.Admin
	api    *client.Client
	cgroup string // a folder; empty if there can be none
	pid    int
	ctx    context.Context // context of the attack
	wg     sync.WaitGroup
	gone   atomic.Bool // the server has ended
}

// TestHostileInput attacks a server from all sides at once: with unsigned heads that
// announce bodies, bodies that never come, frames that are much larger in memory, and
// registrations and reports of the largest size. The server goes on serving callers
// with a key, within its memory, and returns that memory.
func TestHostileInput(t *testing.T) {
	b := newAttackedServer(t)
	before := b.memory()
	hosts := b.hosts()

	ctx, end := context.WithTimeout(t.Context(), hostileTime)
	defer end()
	b.ctx = ctx
	b.wg.Go(b.sendHeads)
	for _, h := range hosts {
		for _, beset := range []func(){h.stalledBodies, h.sendOrders, h.sendTelemetry, h.sendRegistrations, h.sendReports} {
			b.wg.Go(beset)
		}
	}
	var peak int64
	b.wg.Go(func() {
		for b.wait(50 * time.Millisecond) {
			peak = max(peak, b.memory())
		}
	})
	took := b.serve()
	b.wg.Wait()
	if b.gone.Load() || len(took) < hostileServed {
		t.Fatalf("%d signed calls were served; %d MiB at most", len(took), peak>>20)
	}

	slices.Sort(took)
	p50, p99, most := took[len(took)/2], took[len(took)*99/100], took[len(took)-1]
	t.Logf("%d signed calls: p50 %v, p99 %v, max %v", len(took), p50, p99, most)
	t.Logf("memory: %d MiB before, %d MiB at most", before>>20, peak>>20)
	if peak > hostileMemory {
		t.Errorf("the server has held %d MiB", peak>>20)
	}
	began := time.Now()
	after := b.memory()
	for ; after > before+backTo && time.Since(began) < backIn; after = b.memory() {
		time.Sleep(time.Second) // the runtime returns garbage in the background
	}
	t.Logf("memory: %d MiB after %v", after>>20, time.Since(began).Round(time.Second))
	if after > before+backTo {
		t.Errorf("%v later the server holds %d MiB, and held %d before", backIn, after>>20, before>>20)
	}
}

func newAttackedServer(t *testing.T) *attackedServer {
	t.Helper()
	env, err := local.ThisEnv()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	l, err := local.NewLayout(env, filepath.Join(dir, "data"))
	if err != nil {
		t.Fatal(err)
	}
	address, err := of.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	b := &attackedServer{T: t, cgroup: memoryCgroup(t, hostileMemory)}
	args := []string{ashoretest.Binary(t), "server", "--data-dir", l.Data, "--listen", address, "--seal-key", filepath.Join(dir, "seal.key")}
	if b.cgroup != "" {
		args = append([]string{"sh", "-c", `echo $$ > "$0/cgroup.procs" && exec "$@"`, b.cgroup}, args...)
	}
	cmd := exec.Command(args[0], args[1:]...)
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	if b.cgroup == "" {
		cmd.Env = append(os.Environ(), fmt.Sprint("GOMEMLIMIT=", hostileMemory*3/4))
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	b.pid = cmd.Process.Pid
	t.Cleanup(func() {
		err := cmd.Process.Signal(syscall.SIGTERM)
		if err := errors.Join(err, cmd.Wait()); err != nil || t.Failed() {
			t.Errorf("the server: %v\n%s", err, said.String()[max(0, said.Len()-8000):])
		}
		if len(said.String()) > 4<<20 {
			t.Errorf("the server's log has %d bytes", said.Len())
		}
		if b.cgroup != "" {
			if err := os.Remove(b.cgroup); err != nil {
				t.Error(err)
			}
		}
	})
	deadline := time.Now().Add(time.Minute)
	for {
		if p, running, err := local.Running(l.PID("server")); err == nil && running && p.Ready {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the server does not come up")
		}
		time.Sleep(20 * time.Millisecond)
	}
	if b.admin, err = local.ReadAdmin(l); err != nil {
		t.Fatal(err)
	}
	b.api = client.New(b.admin)
	t.Cleanup(b.api.Close)
	if _, err := b.api.ECS.CreateCluster(t.Context(), &ecs.CreateClusterInput{}); err != nil {
		t.Fatal(err)
	}
	return b
}

// memoryCgroup makes a cgroup of this process's own with a memory limit, of either
// version. It returns "" if this process may not.
func memoryCgroup(t *testing.T, limit int64) string {
	t.Helper()
	for _, v := range []struct{ mount, file string }{{"/sys/fs/cgroup/memory", "memory.limit_in_bytes"}, {"/sys/fs/cgroup", "memory.max"}} {
		dir, err := os.MkdirTemp(v.mount, "ashore-test-")
		if err != nil {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, v.file), []byte(strconv.FormatInt(limit, 10)), 0); err == nil {
			return dir
		}
		if err := os.Remove(dir); err != nil {
			t.Error(err)
		}
	}
	t.Logf("without a cgroup: the server has GOMEMLIMIT instead")
	return ""
}

// memory returns the server's memory without the pages of files.
func (b *attackedServer) memory() int64 {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", b.pid))
	if err != nil {
		b.Error(err)
	}
	for line := range strings.Lines(string(data)) {
		if kib, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			n, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(kib), "kB")), 10, 64)
			if err != nil {
				b.Error(err)
			}
			return n << 10
		}
	}
	if !b.gone.Swap(true) { // killed, and not yet reaped
		b.Error("the server has ended")
	}
	return 0
}

// wait returns false when the attack is over.
func (b *attackedServer) wait(d time.Duration) bool {
	select {
	case <-b.ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// serve makes signed calls, reads and writes, and returns the time of each.
func (b *attackedServer) serve() (took []time.Duration) {
	for i := 0; b.wait(20*time.Millisecond) && !b.gone.Load(); i++ {
		began := time.Now()
		var err error
		if i%4 == 0 {
			_, err = b.api.ECS.CreateCluster(b.ctx, &ecs.CreateClusterInput{ClusterName: aws.String(fmt.Sprint("c", i%40))})
		} else {
			_, err = b.api.ECS.DescribeClusters(b.ctx, &ecs.DescribeClustersInput{})
		}
		if b.ctx.Err() != nil {
			break
		}
		if err != nil {
			b.Errorf("a signed call after %v: %v", time.Since(began), err)
		}
		took = append(took, time.Since(began))
	}
	return took
}

func (b *attackedServer) address() string { return strings.TrimPrefix(b.admin.Endpoint, "http://") }

// sendHeads repeatedly opens thousands of unsigned calls at once that announce a body of a
// MiB.
func (b *attackedServer) sendHeads() {
	head := "POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: " + ecsmodel.Model.Shape + ".ListTasks\r\nContent-Length: 1048576\r\n\r\n{"
	for b.wait(0) {
		var open []net.Conn
		for range hostileHeads {
			c, err := net.DialTimeout("tcp", b.address(), 5*time.Second)
			if err != nil {
				continue // the backlog is full
			}
			open = append(open, c)
			_, _ = io.WriteString(c, head) // the server may have refused it already
		}
		b.wait(3 * time.Second)
		for _, c := range open {
			c.Close()
		}
	}
}

// hostileHost is a host whose key attacks the server.
type hostileHost struct {
	*attackedServer
	signer   sigv4.Signer
	instance string
	task     string
}

func (b *attackedServer) hosts() (all []*hostileHost) {
	b.Helper()
	_, err := b.api.ECS.RegisterTaskDefinition(b.Context(), &ecs.RegisterTaskDefinitionInput{
		Family: aws.String("wide"), NetworkMode: types.NetworkModeBridge,
		ContainerDefinitions: []types.ContainerDefinition{{Name: aws.String("main"), Image: aws.String("busybox"), Memory: aws.Int32(16),
			PortMappings: []types.PortMapping{{ContainerPortRange: aws.String("1-65535"), Protocol: "udp"}}}},
	})
	if err != nil {
		b.Fatal(err)
	}
	for i := range hostileHosts {
		k, err := b.api.CreateHostCredentials(b.Context(), fmt.Sprint("hostile-", i), client.HostTerms{})
		if err != nil {
			b.Fatal(err)
		}
		h := &hostileHost{attackedServer: b, signer: sigv4.Signer{AccessKeyID: k.AccessKeyID, SecretAccessKey: k.SecretAccessKey, Region: b.admin.Region, Service: "ecs"}}
		b.ctx = b.Context()
		answer, err := h.call("RegisterContainerInstance", h.registration())
		if err != nil {
			b.Fatal(err)
		}
		h.instance = between(answer, `"containerInstanceArn":"`, `"`)
		conn, err := h.dial("/acs/ws", "clusterArn", "containerInstanceArn")
		if err != nil {
			b.Fatal(err)
		}
		out, err := b.api.ECS.StartTask(b.Context(), &ecs.StartTaskInput{TaskDefinition: aws.String("wide"), ContainerInstances: []string{h.instance}})
		if err != nil {
			b.Fatal(err)
		}
		if len(out.Tasks) != 1 {
			b.Fatalf("%s: %s", *out.Failures[0].Reason, aws.ToString(out.Failures[0].Detail))
		}
		h.task = *out.Tasks[0].TaskArn
		if err := conn.CloseNow(); err != nil {
			b.Fatal(err)
		}
		all = append(all, h)
	}
	return all
}

func between(s, begin, end string) string {
	_, s, _ = strings.Cut(s, begin)
	s, _, _ = strings.Cut(s, end)
	return s
}

// call makes a call as the host and returns its answer.
func (h *hostileHost) call(operation, body string) (string, error) {
	r, err := http.NewRequestWithContext(h.ctx, http.MethodPost, h.admin.Endpoint+"/", strings.NewReader(body))
	if err != nil {
		return "", err
	}
	r.Header.Set("X-Amz-Target", ecsmodel.Model.Shape+"."+operation)
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	h.signer.Sign(r, []byte(body))
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	return string(answer), err
}

// dial opens one of the host's websockets.
func (h *hostileHost) dial(path, cluster, instance string) (*websocket.Conn, error) {
	q := url.Values{cluster: {"default"}, instance: {h.instance}, "agentVersion": {"1.0.0"}}
	r, err := http.NewRequestWithContext(h.ctx, http.MethodGet, h.admin.Endpoint+path+"?"+q.Encode(), nil)
	if err != nil {
		return nil, err
	}
	h.signer.Sign(r, nil)
	conn, _, err := websocket.Dial(h.ctx, r.URL.String(), &websocket.DialOptions{HTTPHeader: r.Header})
	return conn, err
}

// sendFrames sends frames over a websocket. It opens the websocket again when it is closed.
func (h *hostileHost) sendFrames(path, cluster, instance string, frames ...string) {
	for h.wait(100 * time.Millisecond) {
		conn, err := h.dial(path, cluster, instance)
		if err != nil {
			continue
		}
		go func() { // heartbeats and orders: they are ignored
			for {
				if _, _, err := conn.Read(h.ctx); err != nil {
					return
				}
			}
		}()
		for i := 0; err == nil; i++ {
			err = conn.Write(h.ctx, websocket.MessageText, []byte(frames[i%len(frames)]))
		}
		_ = conn.CloseNow()
	}
}

// sendOrders and telemetry send frames of millions of empty elements, of the largest
// allowed size.
func (h *hostileHost) sendOrders() {
	const n = 2_700_000
	h.sendFrames("/acs/ws", "clusterArn", "containerInstanceArn",
		`{"type":"InventoryMessage","message":{"tasks":[`+strings.Repeat("{},", n)+`{}]}}`,
		`{"type":"ReportMessage","message":{"messageId":"m","reports":[`+strings.Repeat("{},", n)+`{}]}}`)
}

func (h *hostileHost) sendTelemetry() {
	h.sendFrames("/tcs/ws", "cluster", "containerInstance",
		`{"type":"PublishHealthRequest","message":{"tasks":[`+strings.Repeat("{},", 600_000)+`{}]}}`)
}

// stalledBodies begins calls in the host's name, and never ends them.
func (h *hostileHost) stalledBodies() {
	for h.wait(0) {
		var open []net.Conn
		for range 100 {
			r, err := http.NewRequest(http.MethodPost, h.admin.Endpoint+"/", nil)
			if err != nil {
				h.Error(err)
				return
			}
			r.Header.Set("X-Amz-Target", ecsmodel.Model.Shape+".ListTasks")
			h.signer.Sign(r, []byte("{}"))
			c, err := net.DialTimeout("tcp", h.address(), 5*time.Second)
			if err != nil {
				continue
			}
			open = append(open, c)
			var head strings.Builder
			fmt.Fprintf(&head, "POST / HTTP/1.1\r\nHost: %s\r\nContent-Length: 1048576\r\n", r.URL.Host)
			if err := r.Header.Write(&head); err != nil {
				h.Error(err)
			}
			_ = c.SetWriteDeadline(time.Now().Add(time.Second)) // the server may not read it
			_, _ = io.WriteString(c, head.String()+"\r\n"+strings.Repeat(" ", 1<<20-1))
		}
		h.wait(3 * time.Second)
		for _, c := range open {
			c.Close()
		}
	}
}

// registration returns a registration of the largest size.
func (h *hostileHost) registration() string {
	attributes := []string{`{"name":"ecs.capability.network.container-port-range"}`, `{"name":"com.amazonaws.ecs.capability.docker-remote-api.1.18"}`}
	for i := range 198 {
		attributes = append(attributes, fmt.Sprintf(`{"name":"ecs.%s%03d","value":"%s"}`, strings.Repeat("x", 100), i, strings.Repeat("v", 128)))
	}
	arn := ""
	if h.instance != "" {
		arn = `"containerInstanceArn":"` + h.instance + `",`
	}
	return `{` + arn + `"attributes":[` + strings.Join(attributes, ",") + `],"totalResources":[{"name":"CPU","type":"INTEGER","integerValue":4096},{"name":"MEMORY","type":"INTEGER","integerValue":8192}]}`
}

func (h *hostileHost) sendRegistrations() {
	for h.wait(0) {
		_, _ = h.call("RegisterContainerInstance", h.registration()) // soon it is refused
	}
}

// sendReports sends reports of the host's task of the largest size, a different one each
// time.
func (h *hostileHost) sendReports() {
	one := `{"bindIP":"0.0.0.0","containerPort":1,"hostPort":%d,"protocol":"udp"},`
	var bindings strings.Builder
	for i := range 12_000 {
		fmt.Fprintf(&bindings, one, 1+i)
	}
	for i := 0; h.wait(0); i++ {
		body := fmt.Sprintf(`{"cluster":"default","task":"%s","status":"RUNNING","reason":"%s","containers":[{"containerName":"main","status":"RUNNING","reason":"%d","networkBindings":[%s{"hostPortRange":"%d-65535","protocol":"udp"}]}]}`,
			h.task, strings.Repeat("r", 100_000), i, bindings.String(), 1+i%60000)
		_, _ = h.call("SubmitTaskStateChange", body) // soon it is refused
	}
}
