package conformance

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/ashore/ashore/internal/aws/protocol/awsjson"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/smithy-go"
)

var update = flag.Bool("update", false, "write testdata/everyday.txt anew")

// rootAgent has the attributes that an agent adds on a machine with a Docker Engine,
// run as root. The simulated host has no such engine.
var rootAgent = Spec{CPUs: 32, Memory: 65536, Attributes: map[string]string{
	"ecs.capability.task-cpu-mem-limit": "true", "com.amazonaws.ecs.capability.logging-driver.syslog": "true",
	"com.amazonaws.ecs.capability.logging-driver.gelf": "true", "com.amazonaws.ecs.capability.logging-driver.splunk": "true",
}}

// TestEverydayDefinitions registers common kinds of definitions and runs each on a host
// of ours. testdata/everyday.txt has the result of each. If a task can't run, one
// answer names everything that prevents it.
func TestEverydayDefinitions(t *testing.T) {
	if *endpoint != "" {
		t.Skip("it is about hosts of ours")
	}
	data, err := os.ReadFile("testdata/everyday.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []struct {
		Name, What string
		Definition json.RawMessage
	}
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	run(t, []Case{{Name: "everyday definitions", Cite: "model: RegisterTaskDefinitionInput.containerDefinitions", Needs: Fleet, Run: func(c *C) {
		cluster, _ := c.Fleet(rootAgent)
		var got strings.Builder
		fmt.Fprintln(&got, "What becomes of everyday task definitions (testdata/everyday.json): whether each registers, which launch types")
		fmt.Fprintln(&got, "it suits, and what RunTask answers where there is one host with our agent, run as root, and a Docker Engine.")
		for _, d := range all {
			in := new(ecs.RegisterTaskDefinitionInput)
			if err := awsjson.Unmarshal(d.Definition, in); err != nil {
				c.Fatalf("%s: %v", d.Name, err)
			}
			fmt.Fprintf(&got, "\n%s: %s\n", d.Name, d.What)
			for _, line := range c.everyday(cluster, in) {
				fmt.Fprintf(&got, "  %s\n", strings.ReplaceAll(line, cluster, "CLUSTER"))
			}
		}
		if *update {
			c.OK(os.WriteFile("testdata/everyday.txt", []byte(got.String()), 0o644))
		}
		want, err := os.ReadFile("testdata/everyday.txt")
		c.OK(err)
		if got.String() != string(want) {
			c.Errorf("testdata/everyday.txt differs (write it anew with -args -update):\n%s", got.String())
		}
	}}})
}

// everyday returns the result of one definition, line by line.
func (c *C) everyday(cluster string, in *ecs.RegisterTaskDefinitionInput) []string {
	c.Helper()
	family := *in.Family
	in.Family = aws.String(c.Unique(family))
	out, err := c.ECS.RegisterTaskDefinition(c.Ctx(), in)
	if err != nil {
		return []string{"refused: " + c.errorText(err)}
	}
	d := out.TaskDefinition
	lines := []string{"registers, for " + strings.Trim(fmt.Sprint(d.Compatibilities), "[]")}
	for _, a := range d.RequiresAttributes {
		if strings.HasPrefix(*a.Name, "ashore.") {
			c.Errorf("%s: requiresAttributes has %s", family, *a.Name)
		}
	}
	call := &ecs.RunTaskInput{Cluster: &cluster, TaskDefinition: d.TaskDefinitionArn}
	for _, t := range d.RequiresCompatibilities {
		if t != types.CompatibilityManagedInstances {
			call.LaunchType = types.LaunchType(t)
		}
	}
	if d.NetworkMode == types.NetworkModeAwsvpc {
		call.NetworkConfiguration = &types.NetworkConfiguration{AwsvpcConfiguration: &types.AwsVpcConfiguration{Subnets: []string{"subnet-1"}}}
	}
	ran, err := c.ECS.RunTask(c.Ctx(), call)
	switch {
	case err != nil:
		return append(lines, "not run: "+onePerLine(c.errorText(err)))
	case len(ran.Failures) > 0:
		f := ran.Failures[0]
		return append(lines, "not placed: "+*f.Reason+": "+onePerLine(aws.ToString(f.Detail)))
	}
	_, err = c.ECS.StopTask(c.Ctx(), &ecs.StopTaskInput{Cluster: &cluster, Task: ran.Tasks[0].TaskArn})
	c.OK(err)
	c.Eventually("the task has stopped", func() bool {
		is, err := c.ECS.DescribeTasks(c.Ctx(), &ecs.DescribeTasksInput{Cluster: &cluster, Tasks: []string{*ran.Tasks[0].TaskArn}})
		c.OK(err)
		return aws.ToString(is.Tasks[0].LastStatus) == "STOPPED"
	})
	return append(lines, "placed")
}

// errorText returns an error of the API as its caller reads it.
func (c *C) errorText(err error) string {
	c.Helper()
	var e smithy.APIError
	if !errors.As(err, &e) {
		c.Fatal(err)
	}
	return e.ErrorCode() + ": " + e.ErrorMessage()
}

// onePerLine puts each of several items on a line of its own.
func onePerLine(text string) string {
	for n := 1; ; n++ {
		i := strings.Index(text, fmt.Sprintf(" %d. ", n))
		if i < 0 {
			return text
		}
		text = text[:i] + "\n    " + text[i+1:]
	}
}

// TestEverydayIsWhole: the file has each kind once.
func TestEverydayIsWhole(t *testing.T) {
	data, err := os.ReadFile("testdata/everyday.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []struct{ Name string }
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, d := range all {
		names = append(names, d.Name)
	}
	slices.Sort(names)
	if n := len(slices.Compact(names)); n != len(all) || n < 40 {
		t.Errorf("%d names of %d definitions", n, len(all))
	}
}
