package power

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	docker "github.com/moby/moby/client"
	"golang.org/x/sys/unix"

	"github.com/ashore/ashore/internal/ashoretest"
	"github.com/ashore/ashore/internal/client"
	"github.com/ashore/ashore/internal/local"
	"github.com/ashore/ashore/test/witness"
)

const (
	diskSize = 1 << 30
	image    = "localhost/ashore/witness:power"
	service  = "kept"
	// readyLimit bounds a boot until the agent accepts orders. All processes together
	// have two cores.
	readyLimit = 2 * time.Minute
)

// site is a machine with a Docker Engine of its own and an Ashore. Their data and the
// seal key are on the disk that can lose them.
type site struct {
	*machine
	Docker  *docker.Client
	Witness string         // a folder on a disk that is not cut
	API     *client.Client // set when Ready has first returned
	Admin   local.Admin

	engine   string // for DOCKER_HOST
	endpoint string // the API's, for this test
	data     string
}

// install makes the machine run an Ashore with this data folder from its next boot on.
func (s *site) install(data string) {
	if s.API != nil {
		s.API.Close()
	}
	s.data, s.API = data, nil
	s.Run = []program{
		{Name: "dockerd", Log: s.path("log", "dockerd"), Args: []string{"dockerd",
			"--config-file", s.path("daemon.json"), "--host", s.engine, "--data-root", s.mounted("docker"), "--exec-root", "/run/docker", "--pidfile", "/run/docker.pid",
			"--storage-driver", "overlay2", "--bridge", "none", "--iptables=false", "--ip-forward=false", "--ip-masq=false"}},
		{Name: "ashore", Log: s.path("log", "ashore"), After: s.path("docker.sock"), Args: []string{ashoretest.Binary(s.t), "up", "--no-sample",
			"--data-dir", s.mounted(data), "--listen", s.To, "--seal-key", s.mounted(data + ".key")},
			Env: []string{"DOCKER_HOST=" + s.engine, "ECS_ENGINE_TASK_CLEANUP_WAIT_DURATION=1m"}},
	}
}

func newSite(t *testing.T, rng *rand.Rand) *site {
	t.Helper()
	m := newMachine(t, rng, diskSize)
	engine := "unix://" + m.path("docker.sock")
	c, err := docker.New(docker.WithHost(engine))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go relay(l, "unix", m.path("api.sock"))
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	m.To = "127.0.0.1:4700"
	s := &site{machine: m, Docker: c, Witness: m.path("witness"), engine: engine, endpoint: "http://" + l.Addr().String()}
	if err := errors.Join(os.Mkdir(s.Witness, 0o755), os.WriteFile(m.path("daemon.json"), []byte("{}"), 0o600)); err != nil {
		t.Fatal(err)
	}
	s.install("ashore")
	t.Cleanup(func() {
		if t.Failed() {
			s.show()
		}
		if s.API != nil {
			s.API.Close()
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// show logs the last parts of all logs.
func (s *site) show() {
	paths := []string{s.path("log", "dockerd"), s.path("log", "ashore")}
	if s.cmd != nil {
		paths = append(paths, s.Seen(s.data, "log", "server.log"), s.Seen(s.data, "log", "agent.log"))
	}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			s.t.Log(err)
			continue
		}
		s.t.Logf("%s:\n%s", path, b[max(0, len(b)-8000):])
	}
}

// Ready waits until the agent accepts orders.
func (s *site) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	if err := s.Await("started", readyLimit); err != nil {
		return err
	}
	for {
		err := s.ready(ctx)
		if err == nil {
			return nil
		}
		if fault := s.Fault(); fault != nil {
			return errors.Join(fault, err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not ready within %s: %w", readyLimit, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (s *site) ready(ctx context.Context) error {
	if s.API == nil {
		admin, err := local.ReadAdmin(local.Layout{Data: s.Seen(s.data)})
		if err != nil {
			return err
		}
		admin.Endpoint = s.endpoint
		s.Admin, s.API = admin, client.New(admin)
	}
	hosts, err := s.API.ECS.ListContainerInstances(ctx, &ecs.ListContainerInstancesInput{}, callOnce)
	if err != nil {
		return err
	}
	if len(hosts.ContainerInstanceArns) != 1 {
		return fmt.Errorf("%d hosts", len(hosts.ContainerInstanceArns))
	}
	out, err := s.API.ECS.DescribeContainerInstances(ctx, &ecs.DescribeContainerInstancesInput{ContainerInstances: hosts.ContainerInstanceArns}, callOnce)
	if err != nil {
		return err
	}
	if !out.ContainerInstances[0].AgentConnected {
		return errors.New("the agent is not connected")
	}
	return nil
}

// callOnce makes the SDK call only once, and without a token of its own.
func callOnce(o *ecs.Options) { o.RetryMaxAttempts, o.IdempotencyTokenProvider = 1, nil }

// prepare boots the machine for the first time. It returns when the definitions, the
// image and the service exist and are on disk, because the engine syncs no image.
func (s *site) prepare(t *testing.T, ctx context.Context) {
	t.Helper()
	if err := s.Boot(); err != nil {
		t.Fatal(err)
	}
	if err := s.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	if err := witness.Load(ctx, s.Docker, s.dir, image); err != nil {
		t.Fatal(err)
	}
	box := func(name string, command ...string) types.ContainerDefinition {
		return types.ContainerDefinition{
			Name: &name, Image: aws.String(image), Essential: aws.Bool(true), Cpu: 1, Memory: aws.Int32(16), Command: command,
			MountPoints: []types.MountPoint{{SourceVolume: aws.String("witness"), ContainerPath: aws.String("/witness")}},
		}
	}
	before, after := box("migrate", "/program", "ends"), box("main", "/program", "ends")
	before.Essential = aws.Bool(false)
	after.DependsOn = []types.ContainerDependency{{ContainerName: before.Name, Condition: types.ContainerConditionComplete}}
	for family, boxes := range map[string][]types.ContainerDefinition{
		"once": {box("main", "/program", "ends")}, "before": {after, before}, "stays": {box("main")},
	} {
		if _, err := s.API.ECS.RegisterTaskDefinition(ctx, s.definition(family, boxes...)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.API.ECS.CreateService(ctx, &ecs.CreateServiceInput{ServiceName: aws.String(service), DesiredCount: aws.Int32(2),
		TaskDefinition: aws.String("stays"), LaunchType: types.LaunchTypeExternal}); err != nil {
		t.Fatal(err)
	}
	s.sync(t)
}

// sync makes everything durable that the machine has written.
func (s *site) sync(t *testing.T) {
	t.Helper()
	root, err := os.Open(s.Seen())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(unix.Syncfs(int(root.Fd())), root.Close()); err != nil {
		t.Fatal(err)
	}
}

func (s *site) definition(family string, boxes ...types.ContainerDefinition) *ecs.RegisterTaskDefinitionInput {
	return &ecs.RegisterTaskDefinitionInput{
		Family: &family, NetworkMode: types.NetworkModeNone, RequiresCompatibilities: []types.Compatibility{types.CompatibilityExternal},
		Volumes:              []types.Volume{{Name: aws.String("witness"), Host: &types.HostVolumeProperties{SourcePath: &s.Witness}}},
		ContainerDefinitions: boxes,
	}
}

// dropSamples removes the engine's copies of the sample's image.
func (s *site) dropSamples(ctx context.Context) error {
	all, err := s.Docker.ImageList(ctx, docker.ImageListOptions{Filters: make(docker.Filters).Add("reference", "localhost/ashore/sample")})
	if err != nil {
		return err
	}
	for _, i := range all.Items {
		if _, err := s.Docker.ImageRemove(ctx, i.ID, docker.ImageRemoveOptions{Force: true}); err != nil {
			return err
		}
	}
	return nil
}
