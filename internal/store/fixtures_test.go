package store

import (
	"bytes"
	"flag"
	"io"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var update = flag.Bool("update", false, "write the fixtures that are missing in testdata")

// future is a member that this version does not know.
var future = jsontext.Value(`{"future":{"list":[1,"two"]}}`)

// fixtures are the records in testdata/format1, by file name, as this version reads
// them. The files of a release never change: a new member goes into a new file.
var fixtures = map[string]any{
	"cluster/c": &fleet.Cluster{Name: "c", Status: fleet.ClusterActive, CreatedAt: at(1), CapacityProviders: []string{"p"},
		Settings:                        []types.ClusterSetting{{Name: types.ClusterSettingNameContainerInsights, Value: aws.String("enabled")}},
		Configuration:                   &types.ClusterConfiguration{ExecuteCommandConfiguration: &types.ExecuteCommandConfiguration{Logging: types.ExecuteCommandLoggingNone}},
		DefaultCapacityProviderStrategy: []types.CapacityProviderStrategyItem{{CapacityProvider: aws.String("p"), Weight: 1, Base: 2}},
		ServiceConnectDefaults:          &types.ClusterServiceConnectDefaults{Namespace: aws.String("n")},
		Tags:                            []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}, Extra: future},
	"cluster/c/instance/i": &fleet.Instance{Cluster: "c", ID: "i", Status: fleet.InstanceDraining, StatusReason: "why", RegisteredAt: at(2),
		Registered: fleet.Capacity{CPU: 2048, Memory: 4096, ReservedPorts: []fleet.Port{{Number: 22, Protocol: fleet.TCP}}, GPUs: []string{"g"}, Extra: future},
		Resources:  []types.Resource{{Name: aws.String("CPU"), Type: aws.String("INTEGER"), IntegerValue: 2048}},
		Attributes: []types.Attribute{{Name: aws.String("ecs.os-type"), Value: aws.String("linux")}},
		Tags:       []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}, ClientToken: "t", Principal: "arn:p", Version: 3, Extra: future},
	"cluster/c/instance/i2": &fleet.Instance{Cluster: "c", ID: "i2", Status: fleet.InstanceInactive, RegisteredAt: at(24), Registered: fleet.Capacity{Extra: future}, Version: 4, InactiveSince: at(25), Extra: future},
	"cluster/c/instance/i3": &fleet.Instance{Cluster: "c", ID: "i3", Status: fleet.InstanceActive, RegisteredAt: at(28), Registered: fleet.Capacity{Extra: future}, Version: 5,
		Machine: "mi-0123456789abcdef0", Versions: fleet.VersionInfo{Agent: "1.2", Hash: "h", Docker: "20.10"}, Extra: future},
	"cluster/c/instance/i3/session": &fleet.InstanceSession{Server: "s", Connection: "n", AgentVersion: "1.2", ConnectedAt: at(30), Since: at(29), Extra: future},
	"cluster/c/instance/i/health": &fleet.InstanceHealth{Checks: []fleet.HealthCheck{{Type: types.InstanceHealthCheckTypeContainerRuntime,
		Status: types.InstanceHealthCheckStateImpaired, ChangedAt: at(26), WrittenAt: at(27)}}, Extra: future},
	"cluster/c/instance/i/guard":   &Guard{},
	"cluster/c/instance/i/session": &fleet.InstanceSession{Server: "s", Connection: "n", AgentVersion: "1.2", AgentHash: "h", Docker: "20.10", ConnectedAt: at(3), Extra: future},
	"cluster/c/task/t": &fleet.Task{Cluster: "c", ID: "t", Instance: "i", Family: "f", Revision: 7, LaunchType: types.LaunchTypeExternal, CreatedAt: at(4),
		Group: "family:f", StartedBy: "me", EnableExecuteCommand: true, ReferenceID: "r",
		Overrides:  &types.TaskOverride{ContainerOverrides: []types.ContainerOverride{{Name: aws.String("x"), Command: []string{"sleep", "1"}}}},
		Reserve:    fleet.Reservation{CPU: 10, Memory: 20, Ports: []fleet.Port{{Number: 80, Protocol: fleet.TCP}}, GPUs: []string{"g"}},
		Tags:       []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}},
		Containers: []fleet.TaskContainer{{Name: "x", ID: "u"}}, Extra: future},
	"cluster/c/task/t/stop": &fleet.TaskStop{Code: types.TaskStopCodeUserInitiated, Reason: "why", At: at(5), Extra: future},
	"cluster/c/task/t/report": &fleet.TaskReport{Status: fleet.TaskStopped, StopCode: types.TaskStopCodeEssentialContainerExited, Reason: "why",
		Containers: []fleet.ContainerReport{{Name: "x", Status: fleet.TaskStopped, ExitCode: aws.Int32(0), Reason: "r", RuntimeID: "d", ImageDigest: "sha256:1",
			NetworkBindings: []types.NetworkBinding{{BindIP: aws.String("0.0.0.0"), ContainerPort: aws.Int32(80), HostPort: aws.Int32(32768), Protocol: types.TransportProtocolTcp}}}},
		Connectivity: types.ConnectivityConnected, PullStartedAt: at(6), PullStoppedAt: at(7), StartedAt: at(8), StoppingAt: at(9), ExecutionStoppedAt: at(10), StoppedAt: at(11),
		Version: 4, Extra: future},
	"cluster/c/task/t/amendment": &fleet.TaskAmendment{Tagged: true, Tags: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}, ProtectedUntil: at(19), Extra: future},
	"cluster/c/task/t2": &fleet.Task{Cluster: "c", ID: "t2", Instance: "i", Family: "f", Revision: 7, LaunchType: types.LaunchTypeFargate, CreatedAt: at(20),
		CapacityProvider: "FARGATE", PlatformVersion: "1.4.0", PlatformFamily: "Linux", EphemeralStorage: &types.EphemeralStorage{SizeInGiB: 21},
		Network: &types.AwsVpcConfiguration{Subnets: []string{"subnet-1"}, AssignPublicIp: types.AssignPublicIpEnabled},
		Volumes: []types.TaskVolumeConfiguration{{Name: aws.String("v")}}, Extra: future},
	"cluster/c/task/t3": &fleet.Task{Cluster: "c", ID: "t3", Instance: "i", Family: "f", Revision: 7, LaunchType: types.LaunchTypeEc2, CreatedAt: at(24),
		LogMode: "non-blocking", Extra: future},
	"cluster/c/task/t4": &fleet.Task{Cluster: "c", ID: "t4", Instance: "i", Family: "f", Revision: 7, LaunchType: types.LaunchTypeEc2, CreatedAt: at(28),
		Group: "service:s", StartedBy: "ecs-svc/1", Serial: 3, Extra: future},
	"cluster/c/task/t4/stop":   &fleet.TaskStop{Code: types.TaskStopCodeServiceSchedulerInitiated, Reason: "why", At: at(29), Unhealthy: true, Extra: future},
	"cluster/c/task/t5/stop":   &fleet.TaskStop{Code: types.TaskStopCodeServiceSchedulerInitiated, Reason: "why", At: at(29), Lost: true, Extra: future},
	"cluster/c/task/t4/health": &fleet.TaskHealth{Containers: []fleet.ContainerHealth{{Name: "x", Status: types.HealthStatusUnhealthy, Since: at(30)}}, Extra: future},
	"cluster/c/service/s": &fleet.Service{Cluster: "c", Name: "s", ID: "d", Status: fleet.ServiceActive, CreatedAt: at(28), CreatedBy: "arn:p", DeletedAt: at(31),
		Scheduling: types.SchedulingStrategyReplica, DesiredCount: 2, GracePeriod: aws.Int32(5), Configuration: rolling,
		Constraints: []types.PlacementConstraint{{Type: types.PlacementConstraintTypeDistinctInstance}},
		Strategies:  []types.PlacementStrategy{{Type: types.PlacementStrategyTypeSpread, Field: aws.String("instanceId")}},
		Rebalancing: types.AvailabilityZoneRebalancingEnabled, PropagateTags: types.PropagateTagsService, ManagedTags: true,
		Tags: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}, Deployment: "1", Deployments: 1, ClientToken: "t", Request: "q", Extra: future},
	"cluster/c/service/s/state":              &fleet.ServiceState{Service: "d", Events: 4, Steady: true, SteadyAt: at(32), Extra: future},
	"cluster/c/service/s/event/000000000004": &fleet.ServiceEvent{Number: 4, ID: "u", At: at(32), Message: "m", Type: "INFO", Name: "SERVICE_STEADY_STATE", Reason: "r", Extra: future},
	"cluster/c/service/s/revision/2": &fleet.ServiceRevision{Cluster: "c", Service: "s", ID: "2", CreatedAt: at(28), Family: "f", Revision: 7, LaunchType: types.LaunchTypeEc2,
		CapacityProviders: []types.CapacityProviderStrategyItem{{CapacityProvider: aws.String("p"), Weight: 1}}, PlatformVersion: "1.4.0", PlatformFamily: "Linux",
		Network: &types.NetworkConfiguration{AwsvpcConfiguration: &types.AwsVpcConfiguration{Subnets: []string{"subnet-1"}}},
		Volumes: []types.ServiceVolumeConfiguration{{Name: aws.String("v")}}, EnableExecuteCommand: true, Extra: future},
	"cluster/c/service/s/deployment/1": &fleet.Deployment{Cluster: "c", Service: "s", ServiceID: "d", ID: "1", Number: 1, Revision: "2", CreatedAt: at(28),
		Sources: []string{"3"}, RollbackOf: "0", Reason: "why", Configuration: rolling, Extra: future},
	"cluster/c/service/s/deployment/1/state": &fleet.DeploymentState{Launched: 5, Rollout: types.DeploymentRolloutStateInProgress, Reason: "why", LastGood: 4, Tripped: 3, Done: true,
		StartedAt: at(28), UpdatedAt: at(29), FinishedAt: at(30), StoppedAt: at(31),
		Unplaced: &fleet.PlacementFailure{At: at(29), Instance: "i", Reason: "RESOURCE:PORTS", Detail: "d", Tries: 2}, Extra: future},
	"cluster/c/service/s/deployment/2/state": &fleet.DeploymentState{Launched: 1, Rollout: types.DeploymentRolloutStateCompleted, NextTry: at(32), Impaired: 3,
		Unplaced: &fleet.PlacementFailure{At: at(29), Reason: "RESOURCE:PORTS", Tries: 2, Zone: "z"}, Extra: future},
	"cluster/c/service/s/deployment/4/state": &fleet.DeploymentState{Launched: 9, Rollout: types.DeploymentRolloutStateInProgress, Stuck: true, Extra: future},
	"cluster/c/service/s/deployment/3/state": &fleet.DeploymentState{Launched: 9, Rollout: types.DeploymentRolloutStateInProgress, Looping: true, Extra: future},
	"cluster/c/service/s/deployment/1/stop":  &fleet.DeploymentStop{Type: types.StopServiceDeploymentStopTypeRollback, At: at(31), Extra: future},
	"cluster/c/waiting/w": &fleet.Task{Cluster: "c", ID: "w", Family: "f", Revision: 7, LaunchType: types.LaunchTypeEc2, CreatedAt: at(21), CapacityProvider: "p",
		Constraints: []types.PlacementConstraint{{Type: types.PlacementConstraintTypeMemberOf, Expression: aws.String("attribute:a exists")}}, Extra: future},
	"capacityprovider/p": &fleet.CapacityProvider{Name: "p", Type: types.CapacityProviderTypeEc2Autoscaling, Status: types.CapacityProviderStatusActive, CreatedAt: at(22),
		Update: types.CapacityProviderUpdateStatusUpdateComplete, Tags: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}},
		Group: &types.AutoScalingGroupProvider{AutoScalingGroupArn: aws.String("arn:g"), ManagedScaling: &types.ManagedScaling{Status: types.ManagedScalingStatusEnabled, TargetCapacity: aws.Int32(90)},
			ManagedTerminationProtection: types.ManagedTerminationProtectionDisabled, ManagedDraining: types.ManagedDrainingEnabled}, Extra: future},
	"capacityprovider/m": &fleet.CapacityProvider{Name: "m", Type: types.CapacityProviderTypeManagedInstances, Cluster: "c", Status: types.CapacityProviderStatusActive, CreatedAt: at(23),
		Managed: &types.ManagedInstancesProvider{InfrastructureRoleArn: aws.String("arn:r"), PropagateTags: types.PropagateMITagsNone}, Extra: future},
	"capacityprovider/gone": &fleet.CapacityProvider{Name: "gone", Type: types.CapacityProviderTypeEc2Autoscaling, Status: types.CapacityProviderStatusInactive, CreatedAt: at(22), DeletedAt: at(24),
		Update: types.CapacityProviderUpdateStatusDeleteFailed, UpdateReason: "why", Group: &types.AutoScalingGroupProvider{AutoScalingGroupArn: aws.String("g")}, Extra: future},
	"cluster/gone":            &fleet.Cluster{Name: "gone", Status: fleet.ClusterInactive, CreatedAt: at(1), DeletedAt: at(25), Extra: future},
	"accountsettings/default": &fleet.AccountSettings{Values: map[string]string{"containerInsights": "enabled"}, Extra: future},
	"accountsettings/h":       &fleet.AccountSettings{Principal: "arn:p", Values: map[string]string{"defaultLogDriverMode": "blocking"}, Extra: future},
	"cluster/c/token/h":       &fleet.Token{Operation: "RunTask", Request: "q", Tasks: []string{"t"}, Failures: []fleet.Failure{{ARN: "arn:i", Reason: "RESOURCE:CPU", Detail: "d"}}, CreatedAt: at(12), Extra: future},
	"family/f":                &fleet.Family{Name: "f", Latest: 7, Extra: future},
	"family/f/revision/00000007": &fleet.TaskDefinition{Family: "f", Revision: 7, RegisteredAt: at(13), RegisteredBy: "arn:a",
		Definition: &ecs.RegisterTaskDefinitionInput{Family: aws.String("f"), NetworkMode: types.NetworkModeBridge,
			ContainerDefinitions: []types.ContainerDefinition{{Name: aws.String("x"), Image: aws.String("busybox"), Cpu: 10, Memory: aws.Int32(20), Essential: aws.Bool(true)}}},
		Compatibilities: []types.Compatibility{types.CompatibilityEc2}, RequiresAttributes: []types.Attribute{{Name: aws.String("a")}},
		Reserve: fleet.Reservation{CPU: 10, Memory: 20}, Extra: future},
	"family/f/revision/00000007/state": &fleet.TaskDefinitionState{Status: types.TaskDefinitionStatusInactive, DeregisteredAt: at(14),
		Tags: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}, Extra: future},
	"family/f/revision/00000006/state": &fleet.TaskDefinitionState{Status: types.TaskDefinitionStatusDeleteInProgress, DeregisteredAt: at(14), DeleteRequestedAt: at(24), Extra: future},
	"accesskey/AKIA":                   &fleet.AccessKey{ID: "AKIA", SealedSecret: []byte("sealed"), Kind: fleet.PrincipalHost, Principal: "arn:h", CreatedAt: at(15), Extra: future},
	"host/h":                           &fleet.Host{Name: "h", Principal: "arn:h", CreatedAt: at(16), Cluster: "c", Instance: "i", Extra: future},
	"restored":                         &fleet.Restored{At: at(33), BackupAt: at(32), Revision: 34, Extra: future},
	"cluster/c/task/t6":                &fleet.Task{Cluster: "c", ID: "t6", Instance: "i", Family: "f", Revision: 8, LaunchType: types.LaunchTypeEc2, CreatedAt: at(33), Group: "family:f", StartedBy: "ashore-unknown", Unknown: true, Extra: future},
	"election/e":                       &Election{Term: "t", Server: "s", Since: at(17), Extra: future},
	"installation":                     &Installation{Format: 1, ID: "0123456789abcdef0123456789abcdef", Account: "000000000000", Region: "us-east-1", CreatedAt: at(18), Base: 5, MigratingFrom: 0, Extra: future},
}

var rolling = &types.DeploymentConfiguration{MinimumHealthyPercent: aws.Int32(50), MaximumPercent: aws.Int32(150),
	DeploymentCircuitBreaker: &types.DeploymentCircuitBreaker{Enable: true, Rollback: true}}

func at(second int) time.Time { return time.Date(2026, 11, 21, 12, 0, second, 0, time.UTC) }

func fixtureFile(key string) string {
	return filepath.Join("testdata", "format1", strings.ReplaceAll(key, "/", ".")+".json")
}

// TestFixtures decodes the records of earlier versions.
func TestFixtures(t *testing.T) {
	covered := map[*kind]bool{}
	for key, want := range fixtures {
		if *update {
			writeFixture(t, key, want)
		}
		stored, err := os.ReadFile(fixtureFile(key))
		if err != nil {
			t.Error(err)
			continue
		}
		got := reflect.New(reflect.TypeOf(want).Elem()).Interface()
		if err := unmarshal(stored, got); err != nil {
			t.Errorf("%s: %v", key, err)
			continue
		}
		opts := []cmp.Option{cmpopts.IgnoreUnexported(types.ClusterSetting{}, types.ClusterConfiguration{}, types.ExecuteCommandConfiguration{},
			types.CapacityProviderStrategyItem{}, types.ClusterServiceConnectDefaults{}, types.Tag{}, types.Resource{}, types.Attribute{},
			types.TaskOverride{}, types.ContainerOverride{}, types.NetworkBinding{}, types.AutoScalingGroupProvider{}, types.ManagedScaling{}, types.ManagedInstancesProvider{},
			types.EphemeralStorage{}, types.AwsVpcConfiguration{}, types.TaskVolumeConfiguration{}, types.PlacementConstraint{}, types.PlacementStrategy{}, types.DeploymentConfiguration{},
			types.DeploymentCircuitBreaker{}, types.NetworkConfiguration{}, types.ServiceVolumeConfiguration{}, types.ContainerDefinition{}, ecs.RegisterTaskDefinitionInput{}),
			cmp.FilterPath(func(p cmp.Path) bool { return p.Last().Type() == reflect.TypeFor[jsontext.Value]() },
				cmp.Comparer(func(a, b jsontext.Value) bool { return canonical(t, a) == canonical(t, b) })), cmpopts.EquateEmpty()}
		if d := cmp.Diff(want, got, opts...); d != "" {
			t.Errorf("%s is read differently (-want +got):\n%s", key, d)
		}
		// A record that is read, changed and written keeps the members that this
		// version does not know.
		again, err := marshal(got)
		if err != nil {
			t.Errorf("%s: %v", key, err)
		}
		if !bytes.Contains(stored, []byte("\n\t\"future\": {")) && key != "cluster/c/instance/i/guard" {
			t.Errorf("%s holds no unknown member of its own", key)
		}
		if canonical(t, again) != canonical(t, stored) {
			t.Errorf("%s: written again it is\n%s, stored was\n%s", key, again, stored)
		}
		if key == "installation" {
			continue
		}
		k, _ := locate(key)
		if k == nil {
			t.Errorf("%s is of no kind", key)
			continue
		}
		covered[k] = true
		if _, err := newTables().apply(key, stored, 1); err != nil {
			t.Error(err)
		}
	}
	for _, k := range registered.kinds {
		if !covered[k] {
			t.Errorf("%s has no fixture", k.path)
		}
	}
}

// writeFixture writes a missing file. Existing files belong to a release.
func writeFixture(t *testing.T, key string, v any) {
	if _, err := os.Stat(fixtureFile(key)); err == nil {
		return
	}
	data, err := marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	text := jsontext.Value(bytes.Clone(data))
	if err := text.Indent(); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(fixtureFile(key)), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(fixtureFile(key), append(text, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

func canonical(t *testing.T, v jsontext.Value) string {
	t.Helper()
	if len(v) == 0 {
		return ""
	}
	c := jsontext.Value(bytes.Clone(v))
	if err := c.Canonicalize(); err != nil {
		t.Fatal(err)
	}
	return string(c)
}

// TestUnknownRecords: a newer version's record does no harm, and stays unharmed.
func TestUnknownRecords(t *testing.T) {
	for _, key := range []string{"future/x", "cluster/c/service/s/future", "cluster/c/future/s", "cluster/c/task/t/exec", "a/b/c/d/e/f/g", "", "cluster"} {
		c, err := newTables().apply(key, []byte(`not even JSON`), 1)
		if err != nil || c.Kind != UnknownChanged {
			t.Errorf("%q: %v, %v", key, c, err)
		}
	}
	if _, err := newTables().apply("cluster/c", []byte(`not JSON`), 1); err == nil || !strings.Contains(err.Error(), "cluster/c") {
		t.Errorf("a damaged record: %v", err)
	}
}

// A snapshot's copy of the tables is complete: each field that records of all kinds
// fill is filled in the copy.
func TestTablesAreCopied(t *testing.T) {
	all := maps.Clone(fixtures)
	delete(all, "installation")
	all["cluster/c/task/failed"] = &fleet.Task{Cluster: "c", ID: "failed", Instance: "i", Group: "service:s", StartedBy: "ecs-svc/1", Serial: 1, CapacityProvider: "p"}
	all["cluster/c/task/failed/report"] = &fleet.TaskReport{Status: fleet.TaskStopped, StopCode: types.TaskStopCodeTaskFailedToStart}
	is := newTables()
	is.torn = torn{"x": {}}
	for key, v := range all {
		data, err := marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := is.apply(key, data, 7); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := is.apply("cluster/unreadable", []byte("x"), 8); err == nil {
		t.Fatal("it can be read")
	}
	if _, err := is.apply("future/x", []byte("x"), 8); err != nil {
		t.Fatal(err)
	}
	snap := is.copied()
	for _, k := range registered.kinds {
		some := false
		for range holderOf(k).rows(snap) {
			some = true
		}
		if !some {
			t.Errorf("a snapshot has no record of %s", k.path)
		}
	}
	if d := diff(is, snap); len(d) != 0 {
		t.Errorf("a snapshot differs in %v", d)
	}
	was, copied := reflect.ValueOf(is).Elem(), reflect.ValueOf(snap).Elem()
	for i := range was.NumField() {
		switch name := was.Type().Field(i).Name; {
		case name == "private": // only for tables that are being loaded
		case was.Field(i).IsZero():
			t.Errorf("no record fills %s: add one", name)
		case copied.Field(i).IsZero():
			t.Errorf("a snapshot has no %s", name)
		}
	}
}

// The SDK's types have their wire names in records. These begin with a lower-case
// letter. A type that the codec does not know would have Go's names.
func TestFixturesHaveWireNames(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "format*", "*.json"))
	if err != nil || len(files) < len(fixtures) {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for d := jsontext.NewDecoder(bytes.NewReader(data)); ; {
			token, err := d.ReadToken()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			kind, n := d.StackIndex(d.StackDepth())
			if name := token.String(); token.Kind() == '"' && kind == '{' && n%2 == 1 && name != "" && unicode.IsUpper(rune(name[0])) {
				t.Errorf("%s: member %s", file, d.StackPointer())
			}
		}
	}
}
