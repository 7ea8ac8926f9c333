package ecs_test

import (
	"context"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/api/apitest"
	ecsapi "github.com/ashore/ashore/internal/api/ecs"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/frontdoor"
	"github.com/ashore/ashore/internal/identity"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// While one process is connected as a container instance, another one with the same
// identity neither reports nor registers as it. A process that is not known, as the
// stock agent's, does.
func TestAnotherProcessOfAHost(t *testing.T) {
	a := apitest.Start(t)
	s := ecsapi.New(ecsapi.Config{Store: a.Store, Log: a.Log})
	ctx := t.Context()
	apitest.CreateCluster(t, a, "c")
	apitest.Define(t, a, "web", func(*sdk.RegisterTaskDefinitionInput) {})
	arn, _ := a.Register("h", "c")
	id := arn[len(arn)-fleet.IDLength:]
	run := apitest.Must[*sdk.RunTaskOutput](t)(a.Client.RunTask(ctx, &sdk.RunTaskInput{Cluster: aws.String("c"), TaskDefinition: aws.String("web")}))
	session := func(process string) {
		t.Helper()
		err := a.Store.Update(ctx, func(tx *store.Tx) error {
			k := store.SessionKey("c", id)
			store.Get(tx, k)
			if process == "" {
				return store.Delete(tx, k)
			}
			return store.Put(tx, k, &fleet.InstanceSession{Server: "s", Connection: "n", Run: fleet.AgentRun{Process: process}})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	as := func(process string) context.Context {
		return frontdoor.WithCaller(ctx, frontdoor.Caller{AgentRun: process, RemoteAddr: "192.0.2.7:4711",
			Principal: identity.Principal{Kind: identity.Host, Name: "h", ARN: identity.HostARN(apitest.Site, "h")}})
	}
	submit := func(process, status string) error {
		_, err := s.SubmitTaskStateChange(as(process), &sdk.SubmitTaskStateChangeInput{Cluster: aws.String("c"), Task: run.Tasks[0].TaskArn, Status: &status})
		return err
	}
	enroll := func(process string, named bool) error {
		in := &ecsapi.RegisterContainerInstanceInput{Cluster: aws.String("c"), ContainerInstanceArn: &arn, TotalResources: apitest.Resources(1, 1)}
		if !named {
			in.ContainerInstanceArn, in.ClientToken = nil, aws.String("anew")
		}
		_, err := s.RegisterContainerInstance(as(process), in)
		return err
	}
	known := func() *fleet.Instance { return a.Store.Snapshot().Instance("c", id) }

	session("p")
	apitest.WantError[*types.AccessDeniedException](t, submit("q", "STOPPED"), "another agent is connected as its container instance")
	for range 2 { // nor does it take the instance down by being a new one
		for _, named := range []bool{true, false} {
			apitest.WantError[*types.ServerException](t, enroll("q", named), "is being asked whether it still is")
		}
	}
	if d := known().Duplicate; d == nil || d.Connection != "n" || d.Address != "192.0.2.7" || d.Refused || time.Since(d.At) > time.Minute {
		t.Fatalf("asked is %+v", d)
	}
	err := a.Store.Update(ctx, func(tx *store.Tx) error { // it has answered
		next := *store.Get(tx, store.InstanceKey("c", id))
		d := *next.Duplicate
		d.Refused, next.Duplicate = true, &d
		return store.Put(tx, store.InstanceKey("c", id), &next)
	})
	if err != nil {
		t.Fatal(err)
	}
	apitest.WantError[*types.AccessDeniedException](t, enroll("q", true), "Another agent is connected")
	if i := known(); i.Registered.CPU != 2048 || i.Status != fleet.InstanceActive {
		t.Errorf("the instance is %+v", i)
	}

	for _, process := range []string{"p", ""} {
		if err := submit(process, "RUNNING"); err != nil {
			t.Errorf("%q: %v", process, err)
		}
		if err := enroll(process, true); err != nil {
			t.Errorf("%q: %v", process, err)
		}
	}
	session("") // it did not answer
	if err := submit("q", "STOPPED"); err != nil {
		t.Error(err)
	}
	if err := enroll("q", true); err != nil {
		t.Error(err)
	}
}
