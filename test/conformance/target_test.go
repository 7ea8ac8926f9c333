package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/ashore/ashore/internal/client"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/sim"
)

// target is the endpoint that the suite calls.
type target struct {
	client *ecs.Client
	has    Need
	hosts  string // a cluster with hosts, for cases that need Hosts; with our control plane each case creates one

	plane  *sim.Server // only for our control plane
	admin  *client.Client
	dir    string
	number int
}

var (
	aimed  sync.Once
	the    *target
	aimErr error
)

// findTarget returns the target, the same for all tests of a run.
func findTarget(t *testing.T) *target {
	t.Helper()
	aimed.Do(func() {
		if *endpoint != "" {
			the = remoteTarget()
		} else {
			the, aimErr = localTarget()
		}
	})
	if aimErr != nil {
		t.Fatal(aimErr)
	}
	return the
}

// remoteTarget returns an endpoint that someone else runs.
func remoteTarget() *target {
	at := &target{hosts: *hosts}
	if *hosts != "" {
		at.has = Hosts
	}
	at.client = ecs.New(ecs.Options{
		Region: *region, BaseEndpoint: endpoint, HTTPClient: client.BufferedClient{Client: http.DefaultClient},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{
				AccessKeyID: os.Getenv("AWS_ACCESS_KEY_ID"), SecretAccessKey: os.Getenv("AWS_SECRET_ACCESS_KEY"), SessionToken: os.Getenv("AWS_SESSION_TOKEN"),
			}, nil
		}),
	})
	return at
}

// localTarget starts a control plane of ours in this process.
func localTarget() (_ *target, err error) {
	dir, err := os.MkdirTemp("", "conf") // short, because it has unix sockets
	if err != nil {
		return nil, err
	}
	at := &target{has: Fleet, dir: dir}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	if at.plane, err = (&sim.Plane{Dir: dir, Log: log}).Start(context.Background()); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	at.admin = at.plane.Client()
	at.client = recorded(at.admin.ECS)
	return at, nil
}

func (at *target) close() error {
	if at == nil || at.plane == nil {
		return nil
	}
	at.admin.Close()
	return errors.Join(at.plane.Close(), os.RemoveAll(at.dir))
}

func TestMain(m *testing.M) {
	code := m.Run()
	if err := the.close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	if code == 0 && allCasesRan() {
		for _, w := range unprovenMembers() {
			fmt.Fprintln(os.Stderr, "docs/coverage.md:", w)
			code = 1
		}
	}
	fmt.Printf("conformance: %d cases ran; %d need what the endpoint lacks\n", selected.Load(), left.Load())
	os.Exit(code)
}

// Spec describes a host to create.
type Spec struct {
	CPUs       int // 1024 CPU units each; default 2
	Memory     int64
	Attributes map[string]string // custom attributes
	Faults     sim.Faults
}

// Fleet creates a cluster with simulated hosts, waits until all are connected, and
// returns the cluster's name and the hosts. Cases that use it need Fleet.
func (c *C) Fleet(specs ...Spec) (cluster string, hosts []*sim.Host) {
	c.Helper()
	cluster = c.Cluster()
	for _, s := range specs {
		hosts = append(hosts, c.Host(cluster, s))
	}
	c.Connected(cluster, len(specs))
	return cluster, hosts
}

// Host adds a simulated host to a cluster. Connected waits for its connection.
func (c *C) Host(cluster string, s Spec) *sim.Host {
	c.Helper()
	c.at.number++
	name := fmt.Sprintf("conformance-%04d", c.at.number)
	// An administrator's attributes come with the credentials. The agent sends the
	// others.
	terms, own := client.HostTerms{Cluster: cluster}, map[string]string{}
	for k, v := range s.Attributes {
		if fleet.IsAdminAttribute(k) {
			terms.Attributes = map[string]string{k: v}
		} else {
			own[k] = v
		}
	}
	key, err := c.at.admin.CreateHostCredentials(c.Ctx(), name, terms)
	c.OK(err)
	dir := filepath.Join(c.at.dir, fmt.Sprint(c.at.number))
	c.OK(os.Mkdir(dir, 0o700))
	if s.CPUs == 0 {
		s.CPUs = 2
	}
	if s.Memory == 0 {
		s.Memory = 4096
	}
	attributes, err := json.Marshal(own)
	c.OK(err)
	h := sim.NewHost(sim.HostConfig{
		Name: name, Dir: dir, Servers: []string{c.at.plane.URL()}, Installation: c.at.plane.Installation(), Credentials: key,
		Cluster: cluster, Machine: sim.NewMachine(s.CPUs, s.Memory, s.Faults), Journal: true,
		Getenv: func(k string) string {
			if k == "ECS_INSTANCE_ATTRIBUTES" && s.Attributes != nil {
				return string(attributes)
			}
			return ""
		},
	})
	h.Start()
	c.Cleanup(func() {
		if err := h.Close(); err != nil {
			c.Errorf("%s: %v", name, err)
		}
		c.deregisterHosts(cluster)
	})
	return h
}

// deregisterHosts deregisters the remaining hosts of a cluster, so that the cluster can be
// deleted.
func (c *C) deregisterHosts(cluster string) {
	ctx := context.Background()
	all, err := c.ECS.ListContainerInstances(ctx, &ecs.ListContainerInstancesInput{Cluster: &cluster})
	if err != nil {
		c.Errorf("cleaning up: %v", err)
		return
	}
	for _, arn := range all.ContainerInstanceArns {
		_, err := c.ECS.DeregisterContainerInstance(ctx, &ecs.DeregisterContainerInstanceInput{Cluster: &cluster, ContainerInstance: &arn, Force: aws.Bool(true)})
		if err != nil {
			c.Errorf("cleaning up: %v", err)
		}
	}
}

// Connected waits until a cluster has n connected container instances, and returns
// their ARNs.
func (c *C) Connected(cluster string, n int) []string {
	c.Helper()
	var arns []string
	c.Eventually(fmt.Sprintf("%d agents are connected", n), func() bool {
		all, err := c.ECS.ListContainerInstances(c.Ctx(), &ecs.ListContainerInstancesInput{Cluster: &cluster})
		c.OK(err)
		if arns = all.ContainerInstanceArns; len(arns) < n {
			return false
		}
		d, err := c.ECS.DescribeContainerInstances(c.Ctx(), &ecs.DescribeContainerInstancesInput{Cluster: &cluster, ContainerInstances: arns})
		c.OK(err)
		connected := 0
		for _, i := range d.ContainerInstances {
			if i.AgentConnected {
				connected++
			}
		}
		return connected == n
	})
	return arns
}

// Room returns a cluster that accepts tasks: a cluster with a simulated host, or the
// one that -hosts names. Cases that use it need Hosts.
func (c *C) Room() string {
	c.Helper()
	if c.at.has == Fleet {
		cluster, _ := c.Fleet(Spec{})
		return cluster
	}
	return c.at.hosts
}
