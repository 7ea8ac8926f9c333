package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	apiecs "github.com/ashore/ashore/internal/api/ecs"
	"github.com/ashore/ashore/internal/aws/protocol/awsjson"
	"github.com/ashore/ashore/internal/coverage"
	"github.com/ashore/ashore/internal/frontdoor"
)

// A fieldCase sends members that docs/coverage.md declares. Texts between dollar signs
// in its input, such as $cluster$, are replaced by the world's values.
type fieldCase struct {
	name string // operation, and its subject
	in   string // JSON
	// refused has the words of the expected refusal; empty: the request is accepted.
	refused string
}

// fieldCases send each declared member at least once. Members that fit together are in
// one request. The cases are about our declarations, so they run only against our
// control plane.
var fieldCases = [][]fieldCase{clusterFieldCases, definitionFieldCases, taskFieldCases, instanceFieldCases, accountFieldCases, serviceFieldCases}

func TestFields(t *testing.T) {
	c := &C{t, findTarget(t).client, findTarget(t)}
	if c.at.has < Fleet {
		left.Add(1)
		return
	}
	w := newFieldWorld(c)
	var cases []Case
	served := frontdoor.Handlers(reflect.TypeFor[*apiecs.Service]())
	for _, group := range fieldCases {
		for _, f := range group {
			op, _, _ := strings.Cut(f.name, ":")
			if !slices.Contains(served, op) {
				continue
			}
			in, err := coverage.InputOf(op)
			if err != nil {
				t.Fatal(err)
			}
			first, _, _ := strings.Cut(strings.ReplaceAll(coverage.Members(in)[0], "[]", ""), ".")
			cases = append(cases, Case{
				Name: f.name, Cite: "model: " + op + "Input." + first, Needs: Fleet, Run: func(c *C) { w.send(c, op, f) },
			})
		}
	}
	for op, in := range pagedInputs {
		if slices.Contains(served, op) {
			cases = append(cases, Case{Name: op + ": the next page", Cite: "model: " + op + "Input.nextToken", Needs: Fleet, Run: func(c *C) { w.page(c, op, in) }})
		}
	}
	run(t, cases)
}

// pagedInputs are inputs of listings with more than one item.
var pagedInputs = map[string]string{
	"ListClusters": `{"maxResults": 1}`, "ListTaskDefinitions": `{"maxResults": 1}`, "ListTaskDefinitionFamilies": `{"maxResults": 1}`,
	"ListTasks": `{"cluster": "$cluster$", "maxResults": 1}`, "ListServices": `{"cluster": "$cluster$", "maxResults": 1}`, "ListServiceDeployments": `{"cluster": "$cluster$", "service": "world", "maxResults": 1}`, "ListContainerInstances": `{"cluster": "$cluster$", "maxResults": 1}`,
	"ListAttributes":      `{"cluster": "$cluster$", "targetType": "container-instance", "maxResults": 1}`,
	"ListAccountSettings": `{"effectiveSettings": true, "maxResults": 1}`, "DescribeCapacityProviders": `{"maxResults": 1}`,
}

// page reads two pages.
func (w fieldWorld) page(c *C, op, text string) {
	m := reflect.ValueOf(c.ECS).MethodByName(op)
	in := reflect.New(m.Type().In(1).Elem())
	c.OK(awsjson.Unmarshal([]byte(w.fill(text)), in.Interface()))
	for range 2 {
		res := m.Call([]reflect.Value{reflect.ValueOf(c.Ctx()), in})
		if err, _ := res[1].Interface().(error); err != nil {
			c.Fatal(err)
		}
		next := res[0].Elem().FieldByName("NextToken")
		if in.Elem().FieldByName("NextToken").IsNil() && next.IsNil() {
			c.Fatal("the first page of one item has no next")
		}
		in.Elem().FieldByName("NextToken").Set(next)
	}
}

// fieldWorld has the values that the cases refer to.
type fieldWorld map[string]string

func newFieldWorld(c *C) fieldWorld {
	w := fieldWorld{"name": c.Unique("fields"), "provider": c.Unique("provider")}
	_, err := c.ECS.CreateCapacityProvider(c.Ctx(), decoded[ecs.CreateCapacityProviderInput](c, w, `{"name": "$provider$",
		"autoScalingGroupProvider": {"autoScalingGroupArn": "group", "managedScaling": {"status": "ENABLED"}}}`))
	c.OK(err)
	vpc := map[string]string{"ashore.network-mode.awsvpc": "1", "ecs.capability.task-cpu-mem-limit": ""}
	w["cluster"], _ = c.Fleet(Spec{}, Spec{Attributes: map[string]string{"ashore.capacity-provider": w["provider"]}}, Spec{Attributes: vpc})
	_, err = c.ECS.PutClusterCapacityProviders(c.Ctx(), decoded[ecs.PutClusterCapacityProvidersInput](c, w, `{"cluster": "$cluster$",
		"capacityProviders": ["$provider$", "FARGATE"], "defaultCapacityProviderStrategy": []}`))
	c.OK(err)
	all := c.Connected(w["cluster"], 3)
	w["instance"], w["vpc"] = w.instance(c, all), w.instance(c, all, "ashore.network-mode.awsvpc")
	made, err := c.ECS.RegisterContainerInstance(c.Ctx(), decoded[ecs.RegisterContainerInstanceInput](c, w, `{"cluster": "$cluster$", "totalResources": [
		{"name": "CPU", "type": "INTEGER", "integerValue": 1024}, {"name": "MEMORY", "type": "INTEGER", "integerValue": 1024}]}`))
	c.OK(err)
	w["registered"] = *made.ContainerInstance.ContainerInstanceArn
	w["definition"] = c.Sleeper()
	w["family"], _, _ = strings.Cut(w["definition"], ":")
	w["fargate"] = c.Sleeper(func(in *ecs.RegisterTaskDefinitionInput) {
		*in = *decoded[ecs.RegisterTaskDefinitionInput](c, w, `{"family": "$name$-fargate", "networkMode": "awsvpc", "cpu": "256", "memory": "512",
			"requiresCompatibilities": ["FARGATE"], "containerDefinitions": [{"name": "main", "image": "busybox"}]}`)
	})
	w["accelerated"] = c.Sleeper(func(in *ecs.RegisterTaskDefinitionInput) {
		*in = *decoded[ecs.RegisterTaskDefinitionInput](c, w, `{"family": "$name$-accelerated", "inferenceAccelerators": [{"deviceName": "d", "deviceType": "eia1.medium"}],
			"containerDefinitions": [{"name": "main", "image": "busybox", "memory": 64, "resourceRequirements": [{"type": "InferenceAccelerator", "value": "d"}]}]}`)
	})
	w["task"] = c.Run(w["cluster"], w["definition"], 1)[0]
	c.Run(w["cluster"], w["definition"], 2)
	svc, err := c.ECS.CreateService(c.Ctx(), decoded[ecs.CreateServiceInput](c, w, `{"cluster": "$cluster$", "serviceName": "world", "taskDefinition": "$definition$", "desiredCount": 0}`))
	c.OK(err)
	w["service"], w["deployment"] = *svc.Service.ServiceArn, *svc.Service.CurrentServiceDeployment
	w["revision"] = *svc.Service.CurrentServiceRevisions[0].Arn
	// This service finds no host, so its deployment stays in progress.
	svc, err = c.ECS.CreateService(c.Ctx(), decoded[ecs.CreateServiceInput](c, w, `{"cluster": "$cluster$", "serviceName": "stoppable", "taskDefinition": "$definition$", "desiredCount": 1,
		"placementConstraints": [{"type": "memberOf", "expression": "attribute:nowhere == here"}]}`))
	c.OK(err)
	w["stoppable"] = *svc.Service.CurrentServiceDeployment
	_, err = c.ECS.UpdateService(c.Ctx(), decoded[ecs.UpdateServiceInput](c, w, `{"cluster": "$cluster$", "service": "world", "forceNewDeployment": true}`))
	c.OK(err)
	c.Cluster()
	return w
}

// instance returns the instance with exactly these of the world's own attributes.
func (w fieldWorld) instance(c *C, arns []string, custom ...string) string {
	out, err := c.ECS.DescribeContainerInstances(c.Ctx(), &ecs.DescribeContainerInstancesInput{Cluster: aws.String(w["cluster"]), ContainerInstances: arns})
	c.OK(err)
	for _, i := range out.ContainerInstances {
		var has []string
		for _, a := range i.Attributes {
			if *a.Name == "ashore.capacity-provider" || *a.Name == "ashore.network-mode.awsvpc" {
				has = append(has, *a.Name)
			}
		}
		slices.Sort(has)
		if slices.Equal(has, custom) {
			return *i.ContainerInstanceArn
		}
	}
	c.Fatalf("no instance has %v", custom)
	return ""
}

func (w fieldWorld) fill(text string) string {
	for k, v := range w {
		text = strings.ReplaceAll(text, "$"+k+"$", v)
	}
	return text
}

func decoded[In any](c *C, w fieldWorld, text string) *In {
	c.Helper()
	in := new(In)
	c.OK(awsjson.Unmarshal([]byte(w.fill(text)), in))
	return in
}

// send sends a case's input and checks the result.
func (w fieldWorld) send(c *C, op string, f fieldCase) {
	text := w.fill(f.in)
	if i := strings.IndexByte(text, '$'); i >= 0 {
		c.Fatalf("the world has no %.20s", text[i:])
	}
	if !json.Valid([]byte(text)) {
		c.Fatalf("not JSON: %s", text)
	}
	m := reflect.ValueOf(c.ECS).MethodByName(op)
	in := reflect.New(m.Type().In(1).Elem())
	c.OK(awsjson.Unmarshal([]byte(text), in.Interface()))
	res := m.Call([]reflect.Value{reflect.ValueOf(c.Ctx()), in})
	err, _ := res[1].Interface().(error)
	if f.refused != "" {
		c.refusedSaying(err, f.refused)
		return
	}
	c.OK(err)
	w.cleanUp(c, res[0].Interface())
}

// refusedSaying requires a refusal of the client's request with a text.
func (c *C) refusedSaying(err error, text string) {
	c.Helper()
	if err == nil || !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(text)) || !strings.Contains(err.Error(), "StatusCode: 400") {
		c.Errorf("got %v, want a refusal that says %q", err, text)
	}
}

// cleanUp removes what a case has created.
func (w fieldWorld) cleanUp(c *C, out any) {
	ctx := context.Background()
	var err error
	switch out := out.(type) {
	case *ecs.RunTaskOutput:
		w.placed(c, out.Tasks, out.Failures)
	case *ecs.StartTaskOutput:
		w.placed(c, out.Tasks, out.Failures)
	case *ecs.RegisterTaskDefinitionOutput:
		_, err = c.ECS.DeregisterTaskDefinition(ctx, &ecs.DeregisterTaskDefinitionInput{TaskDefinition: out.TaskDefinition.TaskDefinitionArn})
	case *ecs.CreateClusterOutput:
		c.Cleanup(func() {
			if _, err := c.ECS.DeleteCluster(ctx, &ecs.DeleteClusterInput{Cluster: out.Cluster.ClusterName}); err != nil {
				c.Error(fmt.Errorf("cleaning up: %w", err))
			}
		})
	}
	c.OK(err)
}

// placed stops the placed tasks. A failure because of GPUs is allowed, because no host
// has one.
func (w fieldWorld) placed(c *C, tasks []types.Task, failures []types.Failure) {
	for _, f := range failures {
		if why := aws.ToString(f.Reason) + " " + aws.ToString(f.Detail); !strings.Contains(why, "GPU") {
			c.Errorf("not placed: %s", why)
		}
	}
	for _, t := range tasks {
		c.StopAtEnd(w["cluster"], *t.TaskArn)
	}
}
