package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ashore/ashore/internal/agent"
	"github.com/ashore/ashore/internal/agent/session"
	"github.com/ashore/ashore/internal/api/apitest"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/identity"
	"github.com/ashore/ashore/internal/local"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
)

func makeCluster(t *testing.T, a *apitest.API, name string) {
	t.Helper()
	if _, err := a.Client.CreateCluster(t.Context(), &ecs.CreateClusterInput{ClusterName: &name}); err != nil {
		t.Fatal(err)
	}
}

// An administrator sets a host's cluster, its attributes and its limits. The host's key
// can register in this way, and in no other.
func TestHostAssign(t *testing.T) {
	dir, a := served(t)
	makeCluster(t, a, "racks")
	makeCluster(t, a, "prod")
	file := filepath.Join(t.TempDir(), "ecs.config")
	run := func(args ...string) (int, string) {
		t.Helper()
		status, out, errs := ashore(t, nil, append(args, "--data-dir", dir)...)
		return status, out + errs
	}
	if status, said := run("host", "add", "shop-1", file, "--cluster", "racks", "--attribute", "ashore.capacity-provider=spare", "--attribute", "stack=test", "--max-memory", "512"); status != 0 {
		t.Fatalf("%d: %s", status, said)
	}
	v := variables(t, file)
	host := a.As(identity.Credentials{AccessKeyID: v["AWS_ACCESS_KEY_ID"], SecretAccessKey: v["AWS_SECRET_ACCESS_KEY"]})
	register := func(cluster string) (string, error) {
		out, err := host.RegisterContainerInstance(t.Context(), &ecs.RegisterContainerInstanceInput{Cluster: &cluster, TotalResources: apitest.Resources(2048, 4096)})
		if err != nil {
			return "", err
		}
		i := out.ContainerInstance
		var got []string
		for _, x := range i.Attributes {
			got = append(got, *x.Name+"="+aws.ToString(x.Value))
		}
		return fmt.Sprint(strings.Join(got, " "), " MEMORY ", i.RegisteredResources[1].IntegerValue), nil
	}
	if got, err := register("racks"); err != nil || got != "ashore.capacity-provider=spare stack=test MEMORY 512" {
		t.Errorf("%s, %v", got, err)
	}
	if _, err := register("prod"); err == nil || !strings.Contains(err.Error(), "`ashore host assign shop-1 --cluster prod`") {
		t.Errorf("registered elsewhere: %v", err)
	}
	if status, said := run("host", "assign", "shop-1", "--cluster", "prod", "--max-memory", "0", "--max-cpu", "1024"); status != 0 ||
		said != "shop-1 belongs to the cluster prod\nattribute ashore.capacity-provider=spare\nattribute stack=test\nat most 1024 CPU units\n"+
			"note: its agent registers there the next time that it registers anew; `ashore host move --cluster prod` on the host does it now, for ours\n" {
		t.Errorf("%d: %s", status, said)
	}
	if got, err := register("prod"); err != nil || got != "ashore.capacity-provider=spare stack=test MEMORY 4096" {
		t.Errorf("%s, %v", got, err)
	}
	for _, tt := range []struct{ args, want string }{
		{"host assign nobody", "error: there is no host of nobody\nhint: make its credentials by `ashore host add`"},
		{"host assign shop-1 --cluster none", "error: there is no cluster none\nhint: make it by `aws ecs create-cluster"},
		{"host assign shop-1 --max-cpu=-1", "maxCpu must be between 0 and"},
		{"host assign", "error: this machine is no host of "},
	} {
		if status, said := run(strings.Fields(tt.args)...); status != 1 || !strings.Contains(said, tt.want) {
			t.Errorf("%s: %d %s", tt.args, status, said)
		}
	}
}

// mover answers on an agent's socket: it moves, or it is busy.
type mover struct {
	cluster string
	busy    bool
}

func (m *mover) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method == http.MethodGet:
		_ = json.NewEncoder(w).Encode(agent.State{Cluster: m.cluster})
	case m.busy:
		w.WriteHeader(http.StatusConflict)
		_ = json.NewEncoder(w).Encode(map[string]string{"error": "2 tasks are here"})
	default:
		var in agent.MoveInput
		_ = json.NewDecoder(r.Body).Decode(&in)
		m.cluster = in.Cluster
		_ = json.NewEncoder(w).Encode(agent.MoveOutput{Cluster: in.Cluster, InstanceArn: "arn"})
	}
}

// A move assigns the host first. It undoes the assignment if the agent stays.
func TestHostMoveAssigns(t *testing.T) {
	dir, a := served(t)
	makeCluster(t, a, "racks")
	l, err := local.NewLayout(local.Env{Root: true, Getenv: os.Getenv}, dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Make(); err != nil {
		t.Fatal(err)
	}
	key, err := identity.CreateHost(t.Context(), a.Store, a.Sealer, "here")
	if err != nil {
		t.Fatal(err)
	}
	if err := writeJSON(l.AgentCredentials(), session.Credentials{AccessKeyID: key.AccessKeyID, SecretAccessKey: key.SecretAccessKey}); err != nil {
		t.Fatal(err)
	}
	claim, err := local.TakeClaim(t.Context(), l.PID("agent"))
	if err != nil {
		t.Fatal(err)
	}
	defer claim.Release()
	if err := claim.WriteProcess(local.Process{Ready: true}); err != nil {
		t.Fatal(err)
	}
	socket, err := net.Listen("unix", l.AgentSocket())
	if err != nil {
		t.Fatal(err)
	}
	m := &mover{cluster: "default"}
	srv := &http.Server{Handler: m}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(socket) }()
	defer func() { srv.Close(); <-served }()
	if _, err := identity.ChangeHost(t.Context(), a.Store, "here", func(h *fleet.Host) { h.Assigned = "default" }); err != nil {
		t.Fatal(err)
	}
	move := func(cluster string) (int, string) {
		status, out, errs := ashore(t, nil, "host", "move", "--cluster", cluster, "--data-dir", dir)
		return status, out + errs
	}
	home := func() string { return a.Store.Snapshot().Host("here").HomeCluster() }

	if status, said := move("none"); status != 1 || !strings.Contains(said, "there is no cluster none") || home() != "default" {
		t.Errorf("%d: %s; it belongs to %s", status, said, home())
	}
	m.busy = true
	if status, said := move("racks"); status != 1 || !strings.Contains(said, "2 tasks are here") || !strings.Contains(said, "hint: stop the tasks on this host") || home() != "default" {
		t.Errorf("%d: %s; it belongs to %s", status, said, home())
	}
	m.busy = false
	if status, said := move("racks"); status != 0 || m.cluster != "racks" || home() != "racks" {
		t.Errorf("%d: %s; it belongs to %s", status, said, home())
	}
}
