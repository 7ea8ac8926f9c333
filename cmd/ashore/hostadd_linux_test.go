package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ashore/ashore/internal/api/apitest"
	"github.com/ashore/ashore/internal/identity"
	"github.com/ashore/ashore/internal/local"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
)

// served creates an installation on disk with an API that answers.
func served(t *testing.T) (dir string, a *apitest.API) {
	t.Helper()
	a = apitest.Start(t)
	admin, err := identity.EnsureAdmin(t.Context(), a.Store, a.Sealer)
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	l, err := local.NewLayout(local.Env{Root: true, Getenv: os.Getenv}, dir)
	if err != nil {
		t.Fatal(err)
	}
	err = local.Admin{InstallationID: strings.Repeat("4f", 16), Account: apitest.Site.Account, Region: apitest.Site.Region,
		Endpoint: a.URL, AccessKeyID: admin.AccessKeyID, SecretAccessKey: admin.SecretAccessKey}.Write(l)
	if err != nil {
		t.Fatal(err)
	}
	return dir, a
}

// variables reads a file as `set -a; . FILE` does, and as Docker and systemd do.
func variables(t *testing.T, file string) map[string]string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	vars := map[string]string{}
	for line := range strings.Lines(string(data)) {
		k, v, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		if !ok || strings.ContainsAny(v, " \t'\"\\$`#;&|<>()*?[]~") {
			t.Errorf("a shell, systemd and Docker don't read %q alike", line)
		}
		vars[k] = v
	}
	return vars
}

func TestHostAdd(t *testing.T) {
	dir, a := served(t)
	defer syscall.Umask(syscall.Umask(0))
	file := filepath.Join(t.TempDir(), "ecs.config")
	add := func(args ...string) (int, string) {
		t.Helper()
		status, out, errs := ashore(t, nil, append([]string{"host", "add", "--data-dir", dir}, args...)...)
		return status, out + errs
	}

	// No credentials are created for a host that could not register.
	if status, said := add("shop-1", file, "--cluster", "nowhere"); status != 1 || !strings.Contains(said, "error: there is no cluster nowhere\nhint: make it by `aws ecs create-cluster --cluster-name nowhere`") {
		t.Errorf("%d: %s", status, said)
	}
	if status, said := add("shop 1", file); status != 1 || !strings.Contains(said, "name must have") {
		t.Errorf("%d: %s", status, said)
	}
	// Shells read the file.
	for _, url := range []string{"http://$(reboot)", "http://a b", "ecs.example.com", "https://x/`id`", "https://x\nECS_CLUSTER=y"} {
		if status, said := add("shop-1", file, "--endpoint", url); status != 1 || !strings.Contains(said, "is not the URL of a server") {
			t.Errorf("%q: %d: %s", url, status, said)
		}
	}
	if status, said := add("shop-1", file, "--cluster", "no $(where)"); status != 1 || !strings.Contains(said, "hint: make it by `aws ecs create-cluster --cluster-name 'no $(where)'`") {
		t.Errorf("%d: %s", status, said)
	}
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("a refused host has a file: %v", err)
	}

	if _, err := a.Client.CreateCluster(t.Context(), &ecs.CreateClusterInput{ClusterName: aws.String("MyCluster")}); err != nil {
		t.Fatal(err)
	}
	if status, said := add("shop-1", file, "--cluster", "MyCluster"); status != 0 || !strings.Contains(said, file) || strings.Contains(said, variables(t, file)["AWS_SECRET_ACCESS_KEY"]) {
		t.Fatalf("%d: %s", status, said)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	v := variables(t, file)
	if len(v) != 6 || v["ECS_EXTERNAL"] != "true" || v["ECS_BACKEND_HOST"] != a.URL || v["ECS_CLUSTER"] != "MyCluster" || v["AWS_DEFAULT_REGION"] != apitest.Site.Region {
		t.Errorf("%v", v)
	}
	key := func(v map[string]string) *ecs.Client {
		return a.As(identity.Credentials{AccessKeyID: v["AWS_ACCESS_KEY_ID"], SecretAccessKey: v["AWS_SECRET_ACCESS_KEY"]})
	}
	// The key belongs to the host: it may register, and may do nothing that agents
	// don't do.
	made, err := key(v).RegisterContainerInstance(t.Context(), &ecs.RegisterContainerInstanceInput{Cluster: aws.String("MyCluster"), TotalResources: apitest.Resources(1024, 1024)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := key(v).ListClusters(t.Context(), &ecs.ListClustersInput{}); err == nil || !strings.Contains(err.Error(), "user/host/shop-1 is not authorized") {
		t.Errorf("listed: %v", err)
	}

	// While the host is connected its key stays. Afterwards the same command creates
	// another key, for another endpoint.
	arn := *made.ContainerInstance.ContainerInstanceArn
	a.Connect(arn, true)
	if status, said := add("shop-1", file); status != 1 || !strings.Contains(said, "error: a host named shop-1 is connected\nhint: stop its agent first") {
		t.Errorf("%d: %s", status, said)
	}
	a.Connect(arn, false)
	if status, said := add("shop-1", file, "--endpoint", "https://ashore.example.org/"); status != 0 {
		t.Fatalf("%d: %s", status, said)
	}
	next := variables(t, file)
	if next["ECS_BACKEND_HOST"] != "https://ashore.example.org" || next["ECS_CLUSTER"] != "default" {
		t.Errorf("%v", next)
	}
	again := &ecs.RegisterContainerInstanceInput{Cluster: aws.String("MyCluster"), ContainerInstanceArn: &arn, TotalResources: apitest.Resources(1024, 1024)}
	if _, err := key(v).RegisterContainerInstance(t.Context(), again); err == nil || !strings.Contains(err.Error(), "UnrecognizedClient") {
		t.Errorf("the old key: %v", err)
	}
	if _, err := key(next).RegisterContainerInstance(t.Context(), again); err != nil {
		t.Errorf("the new key: %v", err)
	}
}
