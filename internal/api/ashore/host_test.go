package ashore_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/ashore/ashore/internal/api/apitest"
	"github.com/ashore/ashore/internal/client"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/identity"
	"github.com/ashore/ashore/internal/local"
)

// TestUpdateHost changes what hosts are granted, by the client that the command
// line has.
func TestUpdateHost(t *testing.T) {
	a := apitest.Start(t)
	admin, err := identity.EnsureAdmin(t.Context(), a.Store, a.Sealer)
	if err != nil {
		t.Fatal(err)
	}
	c := client.New(local.Admin{Account: apitest.Site.Account, Region: apitest.Site.Region, Endpoint: a.URL, AccessKeyID: admin.AccessKeyID, SecretAccessKey: admin.SecretAccessKey})
	defer c.Close()
	for _, name := range []string{"one", "two"} {
		if _, err := a.Client.CreateCluster(t.Context(), &sdk.CreateClusterInput{ClusterName: &name}); err != nil {
			t.Fatal(err)
		}
	}
	cpu, memory := 512, 1024
	k, err := c.CreateHostCredentials(t.Context(), "h", client.HostTerms{Cluster: "one", Attributes: map[string]string{fleet.AttributeProvider: "racks", "flag": ""}, MaxCPU: &cpu})
	if err != nil {
		t.Fatal(err)
	}
	h, err := c.UpdateHost(t.Context(), "h", "", client.HostTerms{MaxMemory: &memory})
	if err != nil || h.Name != "h" || h.Cluster != "one" || h.PriorCluster != "one" || h.MaxCPU != 512 || h.MaxMemory != 1024 || h.Attributes[fleet.AttributeProvider] != "racks" || h.Instance != "" {
		t.Errorf("%+v, %v", h, err)
	}
	// A new key changes nothing of it; new terms that come with it do.
	if k, err = c.CreateHostCredentials(t.Context(), "h", client.HostTerms{}); err != nil {
		t.Fatal(err)
	}
	zero := 0
	h, err = c.UpdateHost(t.Context(), "", k.AccessKeyID, client.HostTerms{Cluster: "two", Attributes: map[string]string{"rack": "7"}, MaxCPU: &zero})
	if err != nil || h.Name != "h" || h.Cluster != "two" || h.PriorCluster != "one" || h.MaxCPU != 0 || len(h.Attributes) != 1 || h.Attributes["rack"] != "7" {
		t.Errorf("%+v, %v", h, err)
	}

	for want, call := range map[string]func() error{
		"ClusterNotFoundException: Cluster not found.": func() error {
			_, err := c.UpdateHost(t.Context(), "h", "", client.HostTerms{Cluster: "none"})
			return err
		},
		"InvalidParameterException: cluster must have 1 to 255": func() error {
			_, err := c.CreateHostCredentials(t.Context(), "i", client.HostTerms{Cluster: "a/b"})
			return err
		},
		"InvalidParameterException: either name or accessKeyId must be given.": func() error {
			_, err := c.UpdateHost(t.Context(), "", "", client.HostTerms{})
			return err
		},
		"ResourceNotFoundException: There is no such host": func() error {
			_, err := c.UpdateHost(t.Context(), "nobody", "", client.HostTerms{})
			return err
		},
		"ResourceNotFoundException": func() error { // the administrator's own
			_, err := c.UpdateHost(t.Context(), "", admin.AccessKeyID, client.HostTerms{})
			return err
		},
		"which are reserved": func() error {
			_, err := c.UpdateHost(t.Context(), "h", "", client.HostTerms{Attributes: map[string]string{"ecs.os-type": "x"}})
			return err
		},
		`the value " x" of a must have`: func() error {
			_, err := c.UpdateHost(t.Context(), "h", "", client.HostTerms{Attributes: map[string]string{"a": " x"}})
			return err
		},
		"maxCpu must be between 0 and 4194304, not -1": func() error {
			n := -1
			_, err := c.UpdateHost(t.Context(), "h", "", client.HostTerms{MaxCPU: &n})
			return err
		},
	} {
		if err := call(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
	if a.Store.Snapshot().Host("i") != nil {
		t.Error("a host was made by a call that was refused")
	}
	// No host may, not even for itself.
	if code, out := call(t, a, identity.Credentials{AccessKeyID: k.AccessKeyID, SecretAccessKey: k.SecretAccessKey}, "UpdateHost", map[string]string{"name": "h"}); code != 400 || out["__type"] != "AccessDeniedException" {
		t.Errorf("%d %v", code, out)
	}
}

// What a connected host is granted holds at once for the instance that it is.
func TestUpdateHostChangesItsInstance(t *testing.T) {
	a := apitest.Start(t)
	if _, err := a.Client.CreateCluster(t.Context(), &sdk.CreateClusterInput{ClusterName: aws.String("c")}); err != nil {
		t.Fatal(err)
	}
	arn, _ := a.Register("h", "c", types.Attribute{Name: aws.String("own"), Value: aws.String("1")})
	change := func(f func(*fleet.Host)) *types.ContainerInstance {
		t.Helper()
		if _, err := identity.ChangeHost(t.Context(), a.Store, "h", f); err != nil {
			t.Fatal(err)
		}
		out, err := a.Client.DescribeContainerInstances(t.Context(), &sdk.DescribeContainerInstancesInput{Cluster: aws.String("c"), ContainerInstances: []string{arn}})
		if err != nil {
			t.Fatal(err)
		}
		return &out.ContainerInstances[0]
	}
	text := func(i *types.ContainerInstance) string {
		var all []string
		for _, x := range i.Attributes {
			all = append(all, *x.Name+"="+aws.ToString(x.Value))
		}
		return strings.Join(all, " ")
	}
	given := func(pairs ...string) func(*fleet.Host) {
		return func(h *fleet.Host) {
			h.Attributes = nil
			for i := 0; i < len(pairs); i += 2 {
				h.Attributes = append(h.Attributes, types.Attribute{Name: &pairs[i], Value: &pairs[i+1]})
			}
		}
	}
	first := change(given(fleet.AttributeProvider, "racks", "own", "2"))
	if got := text(first); got != "own=2 ashore.capacity-provider=racks" {
		t.Errorf("given: %s", got)
	}
	if got := text(change(given(fleet.AttributeProvider, "shelves"))); got != "ashore.capacity-provider=shelves" {
		t.Errorf("given anew: %s", got)
	}
	last := change(func(h *fleet.Host) { h.MaxCPU = 100 })
	if last.RegisteredResources[0].IntegerValue != 100 || last.RegisteredResources[1].IntegerValue != 4096 || last.Version <= first.Version {
		t.Errorf("capped: %+v", last)
	}
}
