package server

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/ashore/ashore/internal/store"
)

// logged records the log.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logged) has(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Contains(l.text.Bytes(), []byte(text))
}

// fillCluster creates records of most kinds in a cluster: an instance, a task on it, a
// service, waiting tasks, and the records that these need.
func fillCluster(t *testing.T, api *ecs.Client, cluster string) {
	t.Helper()
	ctx := t.Context()
	try := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	c, family, provider := aws.String(cluster), aws.String("sleep-"+cluster), aws.String("p-"+cluster)
	try(api.CreateCluster(ctx, &ecs.CreateClusterInput{ClusterName: c, Tags: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}}))
	for range 2 {
		try(api.RegisterTaskDefinition(ctx, &ecs.RegisterTaskDefinitionInput{Family: family, ContainerDefinitions: []types.ContainerDefinition{
			{Name: aws.String("a"), Image: aws.String("busybox"), Memory: aws.Int32(16)},
		}}))
	}
	try(api.DeregisterTaskDefinition(ctx, &ecs.DeregisterTaskDefinitionInput{TaskDefinition: aws.String(*family + ":1")}))
	integer := aws.String("INTEGER")
	host, err := api.RegisterContainerInstance(ctx, &ecs.RegisterContainerInstanceInput{Cluster: c, TotalResources: []types.Resource{
		{Name: aws.String("CPU"), Type: integer, IntegerValue: 1024}, {Name: aws.String("MEMORY"), Type: integer, IntegerValue: 1024},
		{Name: aws.String("PORTS"), Type: aws.String("STRINGSET"), StringSetValue: []string{"22"}},
	}})
	try(host, err)
	try(api.CreateCapacityProvider(ctx, &ecs.CreateCapacityProviderInput{Name: provider, AutoScalingGroupProvider: &types.AutoScalingGroupProvider{
		AutoScalingGroupArn: provider, ManagedScaling: &types.ManagedScaling{Status: types.ManagedScalingStatusEnabled},
	}}))
	try(api.PutClusterCapacityProviders(ctx, &ecs.PutClusterCapacityProvidersInput{Cluster: c, CapacityProviders: []string{*provider}, DefaultCapacityProviderStrategy: []types.CapacityProviderStrategyItem{}}))
	try(api.RunTask(ctx, &ecs.RunTaskInput{Cluster: c, TaskDefinition: family, CapacityProviderStrategy: []types.CapacityProviderStrategyItem{{CapacityProvider: provider, Weight: 1}}}))
	try(api.StartTask(ctx, &ecs.StartTaskInput{Cluster: c, TaskDefinition: family, ContainerInstances: []string{*host.ContainerInstance.ContainerInstanceArn}}))
	try(api.CreateService(ctx, &ecs.CreateServiceInput{Cluster: c, ServiceName: aws.String("web"), TaskDefinition: family, DesiredCount: aws.Int32(2)}))
	try(api.CreateService(ctx, &ecs.CreateServiceInput{Cluster: c, ServiceName: aws.String("each"), TaskDefinition: family, SchedulingStrategy: types.SchedulingStrategyDaemon}))
	try(api.PutAccountSetting(ctx, &ecs.PutAccountSettingInput{Name: types.SettingNameContainerInsights, Value: aws.String("enabled")}))
}

// If any stored record is damaged, the server goes on serving the others. So does the
// next server that starts on this state.
func TestSpoiltRecords(t *testing.T) {
	log := &logged{}
	cfg := config(t)
	cfg.Log = slog.New(slog.NewTextHandler(log, nil))
	s, api, stop := start(t, cfg)
	fillCluster(t, api, "bad")
	fillCluster(t, api, "good")
	serves := func(what string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		out, err := api.RunTask(ctx, &ecs.RunTaskInput{Cluster: aws.String("good"), TaskDefinition: aws.String("sleep-good")})
		if err != nil || len(out.Failures) != 1 || *out.Failures[0].Reason != "AGENT" {
			t.Fatalf("%s: RunTask answers %+v, %v", what, out, err)
		}
		name := aws.String(fmt.Sprint("s", time.Now().UnixNano()))
		if _, err := api.CreateService(ctx, &ecs.CreateServiceInput{Cluster: aws.String("good"), ServiceName: name, TaskDefinition: aws.String("sleep-good"), DesiredCount: aws.Int32(0)}); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		for { // until the scheduler has processed it
			d, err := api.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: aws.String("good"), Services: []string{*name}})
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			if len(d.Services[0].Deployments) == 1 && d.Services[0].Deployments[0].RolloutState == types.DeploymentRolloutStateCompleted {
				break
			}
			time.Sleep(5 * time.Millisecond)
		}
		if _, err := api.DeleteService(ctx, &ecs.DeleteServiceInput{Cluster: aws.String("good"), Service: name}); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	serves("at first")
	root := fmt.Sprintf("%s/v1/%s/%s/", store.DefaultPrefix, s.Installation().Account, s.Installation().Region)
	// The records that do not belong to the cluster good, except for the
	// administrator's key.
	ofBad := func() map[string]string {
		t.Helper()
		r, err := s.client.Get(t.Context(), root, clientv3.WithPrefix())
		if err != nil {
			t.Fatal(err)
		}
		all := map[string]string{}
		for _, kv := range r.Kvs {
			if key := strings.TrimPrefix(string(kv.Key), root); strings.Contains(key, "bad") || strings.HasPrefix(key, "accountsettings") {
				all[key] = string(kv.Value)
			}
		}
		return all
	}
	spoilt := []string{"junk", "", "null", "{}", "[]", `{"cluster":7}`, `{"status":"WHATEVER","deployment":"nosuch","definition":{},"containers":[{}],"serial":-1}`}
	put := func(key, value string) {
		t.Helper()
		if _, err := s.client.Put(t.Context(), root+key, value); err != nil {
			t.Fatal(err)
		}
	}
	whole := ofBad()
	if len(whole) < 20 {
		t.Fatalf("only %d records: %v", len(whole), slices.Sorted(maps.Keys(whole)))
	}
	for _, value := range spoilt {
		for key := range whole {
			put(key, value)
		}
		serves(fmt.Sprintf("all spoilt as %q", value))
		stop()
		s, api, stop = start(t, cfg)
		serves(fmt.Sprintf("started on records spoilt as %q", value))
		for key, was := range whole {
			put(key, was)
		}
		serves(fmt.Sprintf("mended after %q", value))
	}
	for key, was := range whole {
		for _, value := range spoilt {
			put(key, value)
		}
		serves(key)
		put(key, was)
	}
	for deadline := time.Now().Add(20 * time.Second); s.store.Snapshot().AllReadable("") != nil; {
		if time.Now().After(deadline) {
			t.Fatal(s.store.Snapshot().AllReadable(""))
		}
		time.Sleep(5 * time.Millisecond)
	}
	// Without its record the administrator's key is created again. The damaged record
	// stays.
	key := "accesskey/" + s.Admin().AccessKeyID
	put(key, "junk")
	stop()
	s, api, stop = start(t, cfg)
	serves("with another key")
	if r, err := s.client.Get(t.Context(), root+key); err != nil || len(r.Kvs) != 1 || string(r.Kvs[0].Value) != "junk" {
		t.Errorf("the old key is %v, %v", r, err)
	}
	if !log.has("can't be read and is set aside") {
		t.Error("the log doesn't say so")
	}
}
