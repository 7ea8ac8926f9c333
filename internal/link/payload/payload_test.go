package payload

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	_ "github.com/ashore/ashore/internal/aws/model/ecs" // the definitions' unions
	"github.com/ashore/ashore/internal/aws/protocol/awsjson"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/wire/acs"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

var site = fleet.Site{Account: "000000000000", Region: "us-east-1"}

// Each testdata/<case>.json is a definition with overrides. <case>.golden is the order
// built from it.
func TestGolden(t *testing.T) {
	cases, err := filepath.Glob("testdata/*.json")
	if err != nil || len(cases) == 0 {
		t.Fatal("no cases", err)
	}
	for _, file := range cases {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var in struct {
				Definition, Overrides json.RawMessage
				LogMode               string
			}
			if err := json.Unmarshal(data, &in); err != nil {
				t.Fatal(err)
			}
			def, o := &sdk.RegisterTaskDefinitionInput{}, &types.TaskOverride{}
			if err := awsjson.Unmarshal(in.Definition, def); err != nil {
				t.Fatal(err)
			}
			if in.Overrides != nil {
				if err := awsjson.Unmarshal(in.Overrides, o); err != nil {
					t.Fatal(err)
				}
			}
			task := &fleet.Task{
				Cluster: "demo", ID: "0123456789abcdef0123456789abcdef", Family: aws.ToString(def.Family), Revision: 3,
				LaunchType: types.LaunchTypeExternal, CreatedAt: time.Unix(0, 0), Group: "family:" + aws.ToString(def.Family), Overrides: o,
				Reserve: fleet.Reservation{GPUs: []string{"GPU-1", "GPU-2", "GPU-3"}}, LogMode: in.LogMode,
			}
			for i := range def.ContainerDefinitions {
				task.Containers = append(task.Containers, fleet.TaskContainer{Name: *def.ContainerDefinitions[i].Name, ID: "00000000-0000-0000-0000-00000000000" + string(rune('1'+i))})
			}
			order, err := Run(site, task, &fleet.TaskDefinition{Definition: def})
			if err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			e := json.NewEncoder(&got)
			e.SetEscapeHTML(false)
			e.SetIndent("", "  ")
			if err := e.Encode(order); err != nil {
				t.Fatal(err)
			}
			golden := strings.TrimSuffix(file, ".json") + ".golden"
			if *rewrite {
				if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Bytes(), want) {
				t.Errorf("%s differs (rewrite with -rewrite):\n%s", golden, got.Bytes())
			}
		})
	}
}

// A setting that is not set must not be in the documents that agents merge over their own,
// since null and zero erase values there.
func TestOnlySetKeysTravel(t *testing.T) {
	def := &sdk.RegisterTaskDefinitionInput{ContainerDefinitions: []types.ContainerDefinition{{Name: aws.String("a"), Image: aws.String("i")}}}
	order, err := Run(site, &fleet.Task{Cluster: "c", ID: "t"}, &fleet.TaskDefinition{Definition: def})
	if err != nil {
		t.Fatal(err)
	}
	d := order.Containers[0].DockerConfig
	if d.Config != `{}` || d.HostConfig != `{"NetworkMode":"bridge"}` {
		t.Errorf("config %s, hostConfig %s", d.Config, d.HostConfig)
	}
}

// A health check goes to the engine literally, as in ECS. Agents only watch checks that
// the engine runs.
func TestHealthChecksAsEnginesTakeThem(t *testing.T) {
	for command, watched := range map[string]bool{"CMD true": true, "CMD-SHELL exit": true, "NONE": false, "/healthcheck": false, "curl -f http://localhost": false} {
		words := strings.Fields(command)
		def := &sdk.RegisterTaskDefinitionInput{ContainerDefinitions: []types.ContainerDefinition{{
			Name: aws.String("a"), Image: aws.String("i"), HealthCheck: &types.HealthCheck{Command: words},
		}}}
		order, err := Run(site, &fleet.Task{Cluster: "c", ID: "t"}, &fleet.TaskDefinition{Definition: def})
		if err != nil {
			t.Fatal(err)
		}
		var config struct{ Healthcheck struct{ Test []string } }
		if err := json.Unmarshal([]byte(order.Containers[0].DockerConfig.Config), &config); err != nil {
			t.Fatal(err)
		}
		if got := config.Healthcheck.Test; !slices.Equal(got, words) || (order.Containers[0].HealthCheckType == acs.HealthCheckDocker) != watched {
			t.Errorf("%q: the engine gets %q, the agent %q", command, got, order.Containers[0].HealthCheckType)
		}
	}
}

// Engines parse the option as Go parses a boolean. Definitions may use any case.
func TestAwslogsCreateGroupAsEnginesReadIt(t *testing.T) {
	for _, given := range []string{"true", "True", "tRuE"} {
		def := &sdk.RegisterTaskDefinitionInput{ContainerDefinitions: []types.ContainerDefinition{{
			Name: aws.String("a"), Image: aws.String("i"), LogConfiguration: &types.LogConfiguration{
				LogDriver: types.LogDriverAwslogs, Options: map[string]string{"awslogs-create-group": given},
			},
		}}}
		order, err := Run(site, &fleet.Task{Cluster: "c", ID: "t"}, &fleet.TaskDefinition{Definition: def})
		if err != nil {
			t.Fatal(err)
		}
		if got := order.Containers[0].DockerConfig.HostConfig; !strings.Contains(got, `"awslogs-create-group":"true"`) {
			t.Errorf("%s: %s", given, got)
		}
	}
}

func TestStop(t *testing.T) {
	got := Stop(site, &fleet.Task{Cluster: "c", ID: "t"})
	if got.Arn != site.TaskARN("c", "t") || got.DesiredStatus != "STOPPED" || len(got.Containers) != 0 {
		t.Errorf("Stop = %+v", got)
	}
}

// An agent labels a task's containers with their service.
func TestATaskOfAServiceNamesIt(t *testing.T) {
	def := &fleet.TaskDefinition{Definition: &sdk.RegisterTaskDefinitionInput{ContainerDefinitions: []types.ContainerDefinition{{Name: aws.String("a"), Image: aws.String("i")}}}}
	for group, want := range map[string]string{fleet.ServiceGroup("web"): "web", "family:f": "", "": ""} {
		order, err := Run(site, &fleet.Task{Cluster: "c", ID: "t", Group: group}, def)
		if err != nil {
			t.Fatal(err)
		}
		if order.ServiceName != want || order.Group != group {
			t.Errorf("group %q: service %q of group %q, want %q", group, order.ServiceName, order.Group, want)
		}
	}
}
