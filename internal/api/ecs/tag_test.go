package ecs_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/ashore/ashore/internal/api/apitest"
	ecsapi "github.com/ashore/ashore/internal/api/ecs"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/frontdoor"
	"github.com/ashore/ashore/internal/identity"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

func tag(k, v string) types.Tag { return types.Tag{Key: aws.String(k), Value: aws.String(v)} }

// tagsOf lists a resource's tags as "k=v".
func tagsOf(t *testing.T, client *ecs.Client, arn string) string {
	t.Helper()
	out, err := client.ListTagsForResource(t.Context(), &ecs.ListTagsForResourceInput{ResourceArn: &arn})
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, x := range out.Tags {
		all = append(all, aws.ToString(x.Key)+"="+aws.ToString(x.Value))
	}
	return strings.Join(all, " ")
}

// conditionTags lists a resource's tags as "k=v", as the conditions of policies see them.
func conditionTags(t *testing.T, a *apitest.API, arn string) string {
	t.Helper()
	tags, err := ecsapi.New(ecsapi.Config{Store: a.Store}).ResourceTags(a.Store.Snapshot(), arn)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, x := range tags {
		all = append(all, x.Key+"="+x.Value)
	}
	return strings.Join(all, " ")
}

// Conditions see the tags of a service, and none of what is not there.
func TestTagsOfConditions(t *testing.T) {
	a := apitest.Start(t)
	apitest.Write(t, a, store.ServiceKey("c", "s"), &fleet.Service{Cluster: "c", Name: "s", Tags: []types.Tag{tag("team", "a")}})
	for arn, want := range map[string]string{
		apitest.Site.ServiceARN("c", "s"): "team=a", apitest.Site.ServiceARN("c", "none"): "", apitest.Site.ClusterARN("none"): "",
		apitest.Site.TaskARN("c", "*"): "", apitest.Site.TaskDefinitionFamilyARN("f"): "", apitest.Site.TaskDefinitionARN("f", 1): "", "no ARN": "",
		strings.Replace(apitest.Site.ServiceARN("c", "s"), apitest.Site.Account, "111111111111", 1): "",
	} {
		if got := conditionTags(t, a, arn); got != want {
			t.Errorf("%s: %q, want %q", arn, got, want)
		}
	}
}

// Every kind of resource is tagged, untagged and keeps the rest of its record.
func TestTagEveryResource(t *testing.T) {
	a := apitest.Start(t)
	ctx := t.Context()
	apitest.CreateCluster(t, a, "c")
	apitest.RegisterSleep(t, a)
	instance, host := a.Register("h", "c")
	run := apitest.Must[*ecs.RunTaskOutput](t)(a.Client.RunTask(ctx, &ecs.RunTaskInput{
		Cluster: aws.String("c"), TaskDefinition: aws.String("sleep"), Tags: []types.Tag{tag("made", "1")}, EnableECSManagedTags: true,
	}))
	task := *run.Tasks[0].TaskArn
	waiting := fleet.NewID()
	apitest.Write(t, a, store.WaitingTaskKey("c", waiting), &fleet.Task{Cluster: "c", ID: waiting, Family: "unknown", Revision: 1, Tags: []types.Tag{tag("made", "1")}})
	apitest.Write(t, a, store.CapacityProviderKey("p"), &fleet.CapacityProvider{Name: "p", Status: types.CapacityProviderStatusActive})
	for arn, before := range map[string]string{
		apitest.Site.ClusterARN("c"): "", instance: "", task: "aws:ecs:clusterName=c made=1 ", apitest.Site.TaskARN("c", waiting): "made=1 ",
		apitest.Site.TaskDefinitionARN("sleep", 1): "", apitest.Site.CapacityProviderARN("p"): "",
	} {
		for _, tags := range [][]types.Tag{{tag("a", "1"), tag("b", "2")}, {tag("a", "3"), tag("c", "")}, {}} {
			if _, err := a.Client.TagResource(ctx, &ecs.TagResourceInput{ResourceArn: &arn, Tags: tags}); err != nil {
				t.Fatalf("%s: %v", arn, err)
			}
		}
		if got, want := tagsOf(t, a.Client, arn), before+"a=3 b=2 c="; got != want {
			t.Errorf("%s: %q, want %q", arn, got, want)
		}
		if _, err := a.Client.UntagResource(ctx, &ecs.UntagResourceInput{ResourceArn: &arn, TagKeys: []string{"a", "c", "none"}}); err != nil {
			t.Fatalf("%s: %v", arn, err)
		}
		if got, want := tagsOf(t, a.Client, arn), before+"b=2"; got != want {
			t.Errorf("%s untagged: %q, want %q", arn, got, want)
		}
		if got, want := conditionTags(t, a, arn), before+"b=2"; got != want {
			t.Errorf("conditions see %q of %s, want %q", got, arn, want)
		}
	}
	snap := a.Store.Snapshot()
	if i := snap.Instance("c", instance[strings.LastIndexByte(instance, '/')+1:]); i.Version < 3 || i.Principal == "" {
		t.Errorf("the instance is now %+v", i)
	}
	if d, st := snap.TaskDefinition("sleep", 1); d == nil || st.Status != types.TaskDefinitionStatusActive {
		t.Errorf("the definition's state is %+v", st)
	}
	described := apitest.Must[*ecs.DescribeTasksOutput](t)(a.Client.DescribeTasks(ctx, &ecs.DescribeTasksInput{Cluster: aws.String("c"), Tasks: []string{task}, Include: []types.TaskField{types.TaskFieldTags}}))
	if n := len(described.Tasks[0].Tags); n != 3 {
		t.Errorf("DescribeTasks shows %+v", described.Tasks[0].Tags)
	}
	// A host's agent reads its own tags, and changes none.
	if got := tagsOf(t, host, instance) + "; " + tagsOf(t, host, task); got != "b=2; aws:ecs:clusterName=c made=1 b=2" {
		t.Errorf("the agent reads %q", got)
	}
	_, err := host.TagResource(ctx, &ecs.TagResourceInput{ResourceArn: &instance, Tags: []types.Tag{tag("a", "1")}})
	apitest.WantError[*types.AccessDeniedException](t, err, "ecs:TagResource")
	_, err = host.ListTagsForResource(ctx, &ecs.ListTagsForResourceInput{ResourceArn: aws.String(apitest.Site.TaskARN("c", waiting))})
	apitest.WantError[*types.AccessDeniedException](t, err, "ecs:ListTagsForResource") // it is not on a host yet
}

func TestTagLimits(t *testing.T) {
	a := apitest.Start(t)
	apitest.CreateCluster(t, a, "c")
	arn := apitest.Site.ClusterARN("c")
	put := func(tags ...types.Tag) error {
		_, err := a.Client.TagResource(t.Context(), &ecs.TagResourceInput{ResourceArn: &arn, Tags: tags})
		return err
	}
	for say, tags := range map[string][]types.Tag{
		"1 to 128":                   {tag(strings.Repeat("ü", 129), "")},
		"at most 256":                {tag("k", strings.Repeat("ü", 257))},
		"key \"a*b\" has a char":     {tag("a*b", "")},
		"value \"a#b\" of \"k\" has": {tag("k", "a#b")},
		"\"Aws:k\" begins with aws:": {tag("Aws:k", "")},
		"\"AWS:v\" of \"k\" begins":  {tag("k", "AWS:v")},
		"given twice":                {tag("k", "1"), tag("k", "2")},
	} {
		apitest.WantError[*types.InvalidParameterException](t, put(tags...), say)
	}
	if err := put(tag(strings.Repeat("ü", 128), strings.Repeat("ü", 256)), tag("a b_.:/=+-@9", "字 ٣"), tag("aws", "aws")); err != nil {
		t.Fatal(err)
	}
	var many []types.Tag
	for i := range 50 {
		many = append(many, tag(fmt.Sprint("k", i), ""))
	}
	apitest.WantError[*types.InvalidParameterException](t, put(many...), "would have 53")
	apitest.WantError[*types.InvalidParameterException](t, put(append(many, tag("more", ""))...), "at most 50 tags, not 51")
	if err := put(many[:47]...); err != nil {
		t.Fatal(err)
	}
	if err := put(many[:47]...); err != nil {
		t.Errorf("the same keys again: %v", err)
	}
	apitest.WantError[*types.InvalidParameterException](t, put(tag("one", "too many")), "would have 51")
	_, err := a.Client.UntagResource(t.Context(), &ecs.UntagResourceInput{ResourceArn: &arn, TagKeys: []string{"aws:x"}})
	apitest.WantError[*types.InvalidParameterException](t, err, "tagKeys")
}

// Two simultaneous calls that tag one resource both take effect.
func TestTagsAtOnce(t *testing.T) {
	a := apitest.Start(t)
	apitest.CreateCluster(t, a, "c")
	arn := apitest.Site.ClusterARN("c")
	done := make(chan error)
	for i := range 8 {
		go func() {
			_, err := a.Client.TagResource(t.Context(), &ecs.TagResourceInput{ResourceArn: &arn, Tags: []types.Tag{tag(fmt.Sprint("k", i), "")}})
			done <- err
		}()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if n := len(a.Store.Snapshot().Cluster("c").Tags); n != 8 {
		t.Errorf("%d tags of 8", n)
	}
}

// Operations that make something with tags ask for ecs:TagResource, all of them,
// and not where the caller's account setting turns that off.
func TestTaggingOnCreateIsAuthorized(t *testing.T) {
	a := apitest.Start(t)
	s := ecsapi.New(ecsapi.Config{Store: a.Store})
	ops := s.Frontdoor().Operations
	for name := range ops {
		m, _ := reflect.TypeOf(s).MethodByName(name)
		_, tags := m.Type.In(2).Elem().FieldByName("Tags")
		if tags && name != "TagResource" && ops[name].Further == nil {
			t.Errorf("%s takes tags and does not ask for ecs:TagResource", name)
		}
	}
	caller := frontdoor.Caller{Principal: identity.Principal{ARN: ann}}
	needs := func(operation string, in any) string {
		t.Helper()
		all, err := ops[operation].Further(frontdoor.WithSnapshot(t.Context(), a.Store.Snapshot()), caller, in)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(all)
	}
	tags := []types.Tag{tag("k", "v")}
	arn := "arn:aws:ecs:us-east-1:000000000000:"
	for want, got := range map[string]string{
		"[{ecs:TagResource [" + arn + "cluster/c]}]":              needs("CreateCluster", &ecs.CreateClusterInput{ClusterName: aws.String("c"), Tags: tags}),
		"[{ecs:TagResource [" + arn + "cluster/default]}]":        needs("CreateCluster", &ecs.CreateClusterInput{Tags: tags}),
		"[{ecs:TagResource [" + arn + "task-definition/f:*]}]":    needs("RegisterTaskDefinition", &ecs.RegisterTaskDefinitionInput{Family: aws.String("f"), Tags: tags}),
		"[{ecs:TagResource [" + arn + "container-instance/c/*]}]": needs("RegisterContainerInstance", &ecsapi.RegisterContainerInstanceInput{Cluster: aws.String("c"), Tags: tags}),
		"[{ecs:TagResource [" + arn + "task/default/*]}]":         needs("RunTask", &ecs.RunTaskInput{PropagateTags: types.PropagateTagsTaskDefinition}),
		"[{ecs:TagResource [" + arn + "task/c/*]}]":               needs("StartTask", &ecs.StartTaskInput{Cluster: aws.String("c"), EnableECSManagedTags: true}),
		"[]": needs("RunTask", &ecs.RunTaskInput{PropagateTags: types.PropagateTagsNone}),
	} {
		if got != want {
			t.Errorf("asks for %s, want %s", got, want)
		}
	}
	put(t, a, ann, types.SettingNameTagResourceAuthorization, "off")
	if got := needs("CreateCluster", &ecs.CreateClusterInput{Tags: tags}); got != "[]" {
		t.Errorf("turned off, it asks for %s", got)
	}
}
