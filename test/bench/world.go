package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"runtime/pprof"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"golang.org/x/sync/errgroup"

	apiecs "github.com/ashore/ashore/internal/api/ecs"
	"github.com/ashore/ashore/internal/client"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/frontdoor"
	"github.com/ashore/ashore/internal/local"
	"github.com/ashore/ashore/internal/server"
	"github.com/ashore/ashore/internal/store"
)

// These are the sizes of the world for the measurement of reads.
const (
	bigCluster   = "production"
	clusters     = 200
	instances    = 5000
	racks        = 100 // an attribute of instances
	families     = 1000
	revisions    = 4 // of each family; the first one is INACTIVE
	runningTasks = 95_000
	stoppedTasks = 5_000
	starters     = 1000 // different values of startedBy
)

func familyName(i int) string { return fmt.Sprintf("family-%04d", i) }

// world is a data folder of that size.
type world struct {
	dir      string
	ids      []string // of the instances
	instance string   // ARN of one of them
	tasks    []string // ARNs of some of them
}

func (w *world) clusters(n int) []string {
	names := []string{bigCluster}
	for i := range n - 1 {
		names = append(names, fmt.Sprintf("cluster-%03d", i))
	}
	return names
}

// plane is a server on the world, in this process.
type plane struct {
	api  *ecs.Client
	srv  *server.Server
	stop func()
	ran  chan error
	c    *client.Client
}

func (w *world) serve(ctx context.Context) (*plane, error) {
	srv, err := server.Open(ctx, server.Config{
		Dir: filepath.Join(w.dir, "etcd"), SealKey: func(string) string { return filepath.Join(w.dir, "seal.key") },
		Version: "bench", Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, srv.Close())
	}
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	p := &plane{srv: srv, stop: stop, ran: make(chan error, 1)}
	go func() { p.ran <- srv.Serve(serving, l) }()
	in, key := srv.Installation(), srv.Admin()
	p.c = client.New(local.Admin{InstallationID: in.ID, Account: in.Account, Region: in.Region, Endpoint: "http://" + l.Addr().String(),
		AccessKeyID: key.AccessKeyID, SecretAccessKey: key.SecretAccessKey})
	p.api = p.c.ECS
	return p, nil
}

func (p *plane) close() error {
	p.c.Close()
	p.stop()
	return errors.Join(<-p.ran, p.srv.Close())
}

// operations returns the server's ECS operations.
func (p *plane) operations() []string { return frontdoor.Handlers(reflect.TypeFor[*apiecs.Service]()) }

// fill fills the folder. It registers through the API. It writes the tasks directly,
// because they have a history on hosts that don't exist.
func (w *world) fill(ctx context.Context) error {
	p, err := w.serve(ctx)
	if err != nil {
		return err
	}
	if err := errors.Join(w.register(ctx, p.api), p.close()); err != nil {
		return err
	}
	if err := w.writeTasks(ctx); err != nil {
		return err
	}
	return os.WriteFile(w.donePath(), nil, 0o600)
}

// donePath returns the path of the file that says that the folder is filled.
func (w *world) donePath() string { return filepath.Join(w.dir, "done") }

// each runs do for 0 to n-1, several at a time.
func each(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(32)
	for i := range n {
		g.Go(func() error { return do(ctx, i) })
	}
	return g.Wait()
}

func (w *world) register(ctx context.Context, api *ecs.Client) error {
	names := w.clusters(clusters)
	if err := each(ctx, len(names), func(ctx context.Context, i int) error {
		_, err := api.CreateCluster(ctx, &ecs.CreateClusterInput{ClusterName: &names[i], Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("shop")}}})
		return err
	}); err != nil {
		return err
	}
	w.ids = make([]string, instances)
	if err := each(ctx, instances, func(ctx context.Context, i int) error {
		out, err := api.RegisterContainerInstance(ctx, instance(i))
		if err != nil {
			return err
		}
		w.ids[i] = filepath.Base(*out.ContainerInstance.ContainerInstanceArn)
		return nil
	}); err != nil {
		return err
	}
	if err := each(ctx, families, func(ctx context.Context, i int) error {
		for range revisions {
			if _, err := api.RegisterTaskDefinition(ctx, definition(i)); err != nil {
				return err
			}
		}
		_, err := api.DeregisterTaskDefinition(ctx, &ecs.DeregisterTaskDefinitionInput{TaskDefinition: aws.String(familyName(i) + ":1")})
		return err
	}); err != nil {
		return err
	}
	return createServices(ctx, api)
}

// instance returns a host as the stock agent registers it.
func instance(i int) *ecs.RegisterContainerInstanceInput {
	in := &ecs.RegisterContainerInstanceInput{
		Cluster:     aws.String(bigCluster),
		VersionInfo: &types.VersionInfo{AgentVersion: aws.String("1.99.0"), AgentHash: aws.String("0123abcd"), DockerVersion: aws.String("DockerVersion: 25.0.8")},
		TotalResources: []types.Resource{
			{Name: aws.String("CPU"), Type: aws.String("INTEGER"), IntegerValue: 32768}, {Name: aws.String("MEMORY"), Type: aws.String("INTEGER"), IntegerValue: 131072},
			{Name: aws.String("PORTS"), Type: aws.String("STRINGSET"), StringSetValue: []string{"22", "2376", "2375", "51678", "51679"}},
			{Name: aws.String("PORTS_UDP"), Type: aws.String("STRINGSET"), StringSetValue: []string{}},
		},
		Tags: []types.Tag{{Key: aws.String("row"), Value: aws.String(fmt.Sprint(i % 7))}},
	}
	for _, name := range []string{
		"docker-remote-api.1.17", "docker-remote-api.1.18", "docker-remote-api.1.19", "docker-remote-api.1.20", "docker-remote-api.1.21", "docker-remote-api.1.22",
		"docker-remote-api.1.23", "docker-remote-api.1.24", "docker-remote-api.1.25", "docker-remote-api.1.26", "docker-remote-api.1.27", "docker-remote-api.1.28",
		"docker-remote-api.1.29", "docker-remote-api.1.30", "docker-remote-api.1.31", "docker-remote-api.1.32", "logging-driver.json-file", "logging-driver.awslogs",
		"logging-driver.syslog", "logging-driver.none", "privileged-container", "ecr-auth", "task-iam-role", "task-iam-role-network-host",
	} {
		in.Attributes = append(in.Attributes, types.Attribute{Name: aws.String("com.amazonaws.ecs.capability." + name)})
	}
	for _, name := range []string{"container-health-check", "container-ordering", "docker-plugin.local", "env-files.s3", "execution-role-awslogs", "full-sync",
		"private-registry-authentication.secretsmanager", "secrets.asm.environment-variables", "task-cpu-mem-limit"} {
		in.Attributes = append(in.Attributes, types.Attribute{Name: aws.String("ecs.capability." + name)})
	}
	for name, value := range map[string]string{"ecs.os-type": "linux", "ecs.cpu-architecture": "x86_64", "ecs.os-family": "LINUX", "rack": fmt.Sprintf("r-%d", i%racks)} {
		in.Attributes = append(in.Attributes, types.Attribute{Name: aws.String(name), Value: aws.String(value)})
	}
	return in
}

// definition returns a definition with two containers and the usual members.
func definition(i int) *ecs.RegisterTaskDefinitionInput {
	in := &ecs.RegisterTaskDefinitionInput{
		Family: aws.String(familyName(i)), NetworkMode: types.NetworkModeBridge, Memory: aws.String("512"), Cpu: aws.String("256"),
		Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("shop")}},
	}
	for _, name := range []string{"web", "sidecar"} {
		c := types.ContainerDefinition{
			Name: aws.String(name), Image: aws.String("registry.example/" + name + ":1.2.3"), Cpu: 128, Memory: aws.Int32(256), Essential: aws.Bool(true),
			PortMappings:     []types.PortMapping{{ContainerPort: aws.Int32(8080), Protocol: types.TransportProtocolTcp}},
			LogConfiguration: &types.LogConfiguration{LogDriver: types.LogDriverJsonFile, Options: map[string]string{"max-size": "10m"}},
			HealthCheck:      &types.HealthCheck{Command: []string{"CMD-SHELL", "curl -f http://localhost:8080/ || exit 1"}},
			DockerLabels:     map[string]string{"team": "shop"},
		}
		for e := range 12 {
			c.Environment = append(c.Environment, types.KeyValuePair{Name: aws.String(fmt.Sprintf("SETTING_%d", e)), Value: aws.String("some value of usual length")})
		}
		in.ContainerDefinitions = append(in.ContainerDefinitions, c)
	}
	return in
}

// writeTasks writes the tasks: 19 running ones and 1 stopped one on each host.
func (w *world) writeTasks(ctx context.Context) (err error) {
	e, err := store.Embed(ctx, filepath.Join(w.dir, "etcd"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	st, err := store.Open(ctx, e.Client, store.Config{Sole: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	const batch = 40 // tasks in a transaction: etcd accepts 128 operations, including reads
	return each(ctx, (runningTasks+stoppedTasks)/batch, func(ctx context.Context, b int) error {
		return st.Update(ctx, func(tx *store.Tx) error {
			for i := b * batch; i < (b+1)*batch; i++ {
				t, r := w.task(i)
				if err := store.Create(tx, store.TaskKey(t.Cluster, t.ID), t); err != nil {
					return err
				}
				if err := store.Create(tx, store.TaskReportKey(t.Cluster, t.ID), r); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// task returns the i-th task: a stopped one after 19 running ones.
func (w *world) task(i int) (*fleet.Task, *fleet.TaskReport) {
	const of = (runningTasks + stoppedTasks) / stoppedTasks
	n := i - i/of // number of running tasks before it
	now := time.Now().UTC().Truncate(time.Millisecond)
	id := fleet.DerivedID("bench", fmt.Sprint(i))
	t := &fleet.Task{
		Cluster: bigCluster, ID: id, Instance: w.ids[n%instances], Family: familyName(n % families), Revision: revisions, LaunchType: types.LaunchTypeEc2,
		CreatedAt: now, Group: "family:" + familyName(n%families), StartedBy: fmt.Sprintf("batch-%d", n%starters),
		Reserve: fleet.Reservation{CPU: 256, Memory: 512}, Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("shop")}},
		Containers: []fleet.TaskContainer{{Name: "web", ID: fleet.DerivedID(id, "web")}, {Name: "sidecar", ID: fleet.DerivedID(id, "sidecar")}},
	}
	r := &fleet.TaskReport{Status: fleet.TaskRunning, Connectivity: types.ConnectivityConnected, PullStartedAt: now, PullStoppedAt: now, StartedAt: now, Version: 3}
	if i%of == of-1 {
		r.Status, r.StopCode, r.Reason, r.StoppedAt = fleet.TaskStopped, types.TaskStopCodeEssentialContainerExited, "Essential container in task exited", now
	}
	for c, name := range []string{"web", "sidecar"} {
		r.Containers = append(r.Containers, fleet.ContainerReport{
			Name: name, Status: r.Status, RuntimeID: fleet.DerivedID(id, name) + fleet.DerivedID(name, id), ImageDigest: "sha256:" + fleet.DerivedID("image") + fleet.DerivedID("digest"),
			NetworkBindings: []types.NetworkBinding{{BindIP: aws.String("0.0.0.0"), ContainerPort: aws.Int32(8080),
				HostPort: aws.Int32(int32(32768 + n/instances*2 + c)), Protocol: types.TransportProtocolTcp}},
		})
	}
	return t, r
}

// profile writes a CPU profile of some calls.
func profile(ctx context.Context, dir, name string, call func(context.Context) error) (err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(dir, name+".pprof"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := pprof.StartCPUProfile(f); err != nil {
		return err
	}
	defer pprof.StopCPUProfile()
	_, err = timeCalls(ctx, 100, call)
	return err
}
