package ecs_test

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/api/apitest"
	ecsapi "github.com/ashore/ashore/internal/api/ecs"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/smithy-go"
)

// registers is a registration of a host that says a lot, and may.
func registers(change func(*ecsapi.RegisterContainerInstanceInput)) *ecsapi.RegisterContainerInstanceInput {
	in := &ecsapi.RegisterContainerInstanceInput{
		Cluster: aws.String("c"), TotalResources: apitest.Resources(192*1024, 2<<20), ClientToken: aws.String("5ad0da40-da2d-4528-b1b7-04cfbbd4ee83"),
		VersionInfo: &types.VersionInfo{AgentVersion: aws.String("1.99.0"), AgentHash: aws.String("*abcdef01"), DockerVersion: aws.String("DockerVersion: 27.3.1")},
	}
	for i := range 120 {
		in.Attributes = append(in.Attributes, types.Attribute{Name: aws.String(fmt.Sprintf("ecs.capability.docker-plugin.%d", i))})
	}
	for i := range 10 {
		in.Attributes = append(in.Attributes, types.Attribute{Name: aws.String(fmt.Sprintf("%0128d", i)), Value: aws.String(strings.Repeat("v", 128))})
	}
	for i := range 8 * 7 { // eight GPUs in seven parts each
		in.PlatformDevices = append(in.PlatformDevices, types.PlatformDevice{Id: aws.String(fmt.Sprintf("MIG-%036d", i)), Type: types.PlatformDeviceTypeGpu})
	}
	for i := range 50 {
		in.Tags = append(in.Tags, types.Tag{Key: aws.String(fmt.Sprintf("%0128d", i)), Value: aws.String(strings.Repeat("v", 256))})
	}
	for i := range 100 {
		in.TotalResources[2].StringSetValue = append(in.TotalResources[2].StringSetValue[:i:i], fmt.Sprint(60000+i))
	}
	if change != nil {
		change(in)
	}
	return in
}

// What a host registers is bounded, by ECS's quotas where it has some, and refused
// by the field and the rule.
func TestRegistrationsAreBounded(t *testing.T) {
	a := apitest.Start(t)
	apitest.CreateCluster(t, a, "c")
	s := ecsapi.New(ecsapi.Config{Store: a.Store, Log: a.Log})
	long := strings.Repeat("x", 4000)
	many := func(n int) (out []types.Attribute) {
		for i := range n {
			out = append(out, types.Attribute{Name: aws.String(fmt.Sprint("ecs.capability.", i)), Value: aws.String("1")})
		}
		return out
	}
	for want, change := range map[string]func(*ecsapi.RegisterContainerInstanceInput){
		"attributes can have at most 200 entries, not 220.": func(in *ecsapi.RegisterContainerInstanceInput) { in.Attributes = many(220) },
		"attributes[0].value, of ecs.x, must have at most 128 characters, not 4000.": func(in *ecsapi.RegisterContainerInstanceInput) {
			in.Attributes[0] = types.Attribute{Name: aws.String("ecs.x"), Value: &long}
		},
		"must have 1 to 128 characters.": func(in *ecsapi.RegisterContainerInstanceInput) { in.Attributes[0].Name = aws.String("ecs." + long) },
		"a container instance can have at most 10 custom attributes, not 11.": func(in *ecsapi.RegisterContainerInstanceInput) {
			in.Attributes = append(in.Attributes, types.Attribute{Name: aws.String("one.more")})
		},
		"platformDevices can have at most 64 entries, not 6000.": func(in *ecsapi.RegisterContainerInstanceInput) {
			in.PlatformDevices = make([]types.PlatformDevice, 6000)
		},
		"platformDevices[0].id must have at most 128 bytes, not 4000.":                   func(in *ecsapi.RegisterContainerInstanceInput) { in.PlatformDevices[0].Id = &long },
		"platformDevices[1].id MIG-000000000000000000000000000000000000 is given twice.": func(in *ecsapi.RegisterContainerInstanceInput) { in.PlatformDevices[1] = in.PlatformDevices[0] },
		"tags: a resource can have at most 50 tags, not 51.": func(in *ecsapi.RegisterContainerInstanceInput) {
			in.Tags = append(in.Tags, types.Tag{Key: aws.String("k")})
		},
		"totalResources can have at most 16 entries, not 5000.": func(in *ecsapi.RegisterContainerInstanceInput) { in.TotalResources = make([]types.Resource, 5000) },
		"totalResources: PORTS can have at most 100 reserved ports, not 101.": func(in *ecsapi.RegisterContainerInstanceInput) {
			in.TotalResources[2].StringSetValue = append(in.TotalResources[2].StringSetValue, "1")
		},
		"totalResources: PORTS_UDP has a value of 4000 bytes; at most 128 are allowed.":     func(in *ecsapi.RegisterContainerInstanceInput) { in.TotalResources[3].StringSetValue = []string{long} },
		"totalResources[0].name must have at most 128 bytes, not 4000.":                     func(in *ecsapi.RegisterContainerInstanceInput) { in.TotalResources[0].Name = &long },
		"totalResources: CPU must be at most 4194304 units and MEMORY at most 67108864 MiB": func(in *ecsapi.RegisterContainerInstanceInput) { in.TotalResources[0].IntegerValue = math.MaxInt32 },
		"not 196608 and 2147483647.":                                       func(in *ecsapi.RegisterContainerInstanceInput) { in.TotalResources[1].IntegerValue = math.MaxInt32 },
		"versionInfo.dockerVersion must have at most 255 bytes, not 4000.": func(in *ecsapi.RegisterContainerInstanceInput) { in.VersionInfo.DockerVersion = &long },
		"clientToken must have at most 128 bytes, not 4000.":               func(in *ecsapi.RegisterContainerInstanceInput) { in.ClientToken = &long },
		"instanceIdentityDocument must have at most 4096 bytes, not 8000.": func(in *ecsapi.RegisterContainerInstanceInput) { in.InstanceIdentityDocument = aws.String(long + long) },
	} {
		_, err := s.RegisterContainerInstance(asHost(t, a, "h"), registers(change))
		apitest.WantError[*types.InvalidParameterException](t, err, want)
	}
	if n := len(instancesOf(a, "c")); n != 0 {
		t.Fatalf("%d instances are made all the same", n)
	}
	apitest.Must[*sdk.RegisterContainerInstanceOutput](t)(s.RegisterContainerInstance(asHost(t, a, "h"), registers(nil)))
	for _, i := range instancesOf(a, "c") {
		if data, err := json.Marshal(i); err != nil || len(data) > 64<<10 {
			t.Errorf("the largest instance takes %d bytes: %v", len(data), err)
		}
	}
}

func instancesOf(a *apitest.API, cluster string) (all []*fleet.Instance) {
	for i := range a.Store.Snapshot().Instances(cluster, "") {
		all = append(all, i)
	}
	return all
}

// A host is held to what an administrator grants it.
func TestHostsAreHeldToTheirTerms(t *testing.T) {
	a := apitest.Start(t)
	ctx, c := t.Context(), a.Client
	apitest.CreateCluster(t, a, "c")
	apitest.CreateCluster(t, a, "prod")
	host := a.Host("h")
	assign(t, a, "h", func(h *fleet.Host) { h.Assigned, h.MaxCPU, h.MaxMemory = "c", 1024, 512 })
	register := func(cluster, instance string, attributes ...types.Attribute) (*types.ContainerInstance, error) {
		in := &sdk.RegisterContainerInstanceInput{Cluster: &cluster, Attributes: attributes, TotalResources: apitest.Resources(2048, 4096)}
		if instance != "" {
			in.ContainerInstanceArn = &instance
		}
		out, err := host.RegisterContainerInstance(ctx, in)
		if err != nil {
			return nil, err
		}
		return out.ContainerInstance, nil
	}
	provider := types.Attribute{Name: aws.String(fleet.AttributeProvider), Value: aws.String("racks")}

	_, err := register("prod", "")
	apitest.WantError[smithy.APIError](t, err, "because the host h belongs to the cluster c")
	for _, name := range []string{fleet.AttributeProvider, "ashore.anything"} {
		_, err = register("c", "", types.Attribute{Name: &name, Value: aws.String("racks")})
		apitest.WantError[*types.InvalidParameterException](t, err, "attributes[0].name "+name+" is an administrator's to give: `ashore host assign h --attribute "+name+"=racks`, or PutAttributes.")
		_, err = host.RegisterContainerInstance(ctx, &sdk.RegisterContainerInstanceInput{Cluster: aws.String("c"), TotalResources: apitest.Resources(1024, 1024),
			Attributes: []types.Attribute{{Name: &name, Value: aws.String("two racks")}}})
		apitest.WantError[*types.InvalidParameterException](t, err, "`ashore host assign h --attribute '"+name+"=two racks'`, or PutAttributes.")
	}
	if n := len(instancesOf(a, "c")) + len(instancesOf(a, "prod")); n != 0 {
		t.Fatalf("%d instances are made all the same", n)
	}

	// It registers what it is, and no more than it may.
	is := apitest.Must[*types.ContainerInstance](t)(register("c", "", types.Attribute{Name: aws.String("ashore.machine-id"), Value: aws.String("m")}))
	arn := *is.ContainerInstanceArn
	if is.RegisteredResources[0].IntegerValue != 1024 || is.RegisteredResources[1].IntegerValue != 512 {
		t.Errorf("it has registered %+v", is.RegisteredResources[:2])
	}

	// What it is given, it has: at once, when it says so itself, and when it registers
	// again, as itself or as another.
	assign(t, a, "h", func(h *fleet.Host) { h.Attributes = []types.Attribute{provider} })
	has := func(step, arn string) {
		t.Helper()
		out := apitest.Must[*sdk.DescribeContainerInstancesOutput](t)(c.DescribeContainerInstances(ctx, &sdk.DescribeContainerInstancesInput{Cluster: aws.String("c"), ContainerInstances: []string{arn}}))
		n := 0
		for _, at := range out.ContainerInstances[0].Attributes {
			if *at.Name == fleet.AttributeProvider && *at.Value == "racks" {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%s: it has the attribute %d times", step, n)
		}
	}
	has("given", arn)
	apitest.Must[*types.ContainerInstance](t)(register("c", arn))
	has("renewed", arn)
	apitest.Must[*types.ContainerInstance](t)(register("c", arn, provider))
	has("said", arn)
	anew := apitest.Must[*types.ContainerInstance](t)(register("c", "", provider))
	has("anew", *anew.ContainerInstanceArn)
	if _, err := register("c", "", types.Attribute{Name: provider.Name, Value: aws.String("other")}); err == nil {
		t.Error("it has made itself a member of another provider")
	}
	assign(t, a, "h", func(h *fleet.Host) { h.Attributes = nil })
	if i := instancesOf(a, "c"); len(i) != 2 {
		t.Errorf("%d instances", len(i))
	}
	_, err = register("c", "", provider)
	apitest.WantError[*types.InvalidParameterException](t, err, "is an administrator's to give")

	// A host that is assigned elsewhere may still renew its instance. It moves when it
	// registers as a new one.
	assign(t, a, "h", func(h *fleet.Host) { h.Assigned = "prod" })
	apitest.Must[*types.ContainerInstance](t)(register("c", *anew.ContainerInstanceArn))
	_, err = register("c", "")
	apitest.WantError[smithy.APIError](t, err, "because the host h belongs to the cluster prod")
	apitest.Must[*types.ContainerInstance](t)(register("prod", ""))
	_, err = register("c", "")
	apitest.WantError[smithy.APIError](t, err, "because the host h belongs to the cluster prod")

	// An administrator may do all of it.
	apitest.Must[*sdk.RegisterContainerInstanceOutput](t)(c.RegisterContainerInstance(ctx, &sdk.RegisterContainerInstanceInput{Cluster: aws.String("c"), Attributes: []types.Attribute{provider}, TotalResources: apitest.Resources(1, 1)}))
}

// Hosts of old go on: they belong to the cluster that they are in, or come to
// first, and keep what they gave themselves.
func TestHostsOfOld(t *testing.T) {
	a := apitest.Start(t)
	apitest.CreateCluster(t, a, "c")
	apitest.CreateCluster(t, a, "prod")
	arn, host := a.Register("h", "c", types.Attribute{Name: aws.String(fleet.AttributeProvider), Value: aws.String("racks")})
	assign(t, a, "h", func(h *fleet.Host) { h.HostTerms = fleet.HostTerms{} })
	apitest.Must[*sdk.PutAttributesOutput](t)(a.Client.PutAttributes(t.Context(), &sdk.PutAttributesInput{Cluster: aws.String("c"), Attributes: []types.Attribute{
		{Name: aws.String(fleet.AttributeProvider), Value: aws.String("racks"), TargetId: &arn}}}))
	register := func(client *sdk.Client, cluster, instance string) error {
		in := &sdk.RegisterContainerInstanceInput{Cluster: &cluster, TotalResources: apitest.Resources(2048, 4096)}
		if instance != "" {
			in.ContainerInstanceArn = &instance
		}
		_, err := client.RegisterContainerInstance(t.Context(), in)
		return err
	}
	if err := register(host, "c", arn); err != nil {
		t.Error(err)
	}
	if i := instancesOf(a, "c"); len(i) != 1 || i[0].Attributes[len(i[0].Attributes)-1].Value == nil {
		t.Errorf("%+v", i)
	}
	apitest.WantError[smithy.APIError](t, register(host, "prod", ""), "because the host h belongs to the cluster c")
	// One that never registered belongs where it comes to first.
	young := a.Host("young")
	if err := register(young, "prod", ""); err != nil {
		t.Error(err)
	}
	apitest.WantError[smithy.APIError](t, register(young, "c", ""), "because the host young belongs to the cluster prod")
}

// A host that registers again and again is slowed down.
func TestRegistrationsAreCounted(t *testing.T) {
	a := apitest.Start(t)
	apitest.CreateCluster(t, a, "c")
	host := a.Host("h")
	began := time.Now()
	for served := 0; ; served++ {
		_, err := host.RegisterContainerInstance(t.Context(), &sdk.RegisterContainerInstanceInput{Cluster: aws.String("c"), TotalResources: apitest.Resources(1, 1)})
		if err != nil {
			apitest.WantError[smithy.APIError](t, err, "Rate exceeded")
			return
		}
		if most := 61 + int(time.Since(began).Seconds()); served > most {
			t.Fatalf("%d registrations are taken in %v", served, time.Since(began))
		}
	}
}
