package acs

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEveryMessageSurvivesTheWire(t *testing.T) {
	exit := 3
	for _, m := range []Message{
		&HeartbeatMessage{MessageID: "hb-1", Healthy: true},
		&HeartbeatAckRequest{MessageID: "hb-1"},
		&PayloadMessage{
			MessageID: "m", ClusterArn: "c", ContainerInstanceArn: "i", GeneratedAt: 1, SeqNum: 2,
			Tasks: []Task{{
				Arn: "a", DesiredStatus: StatusRunning, Family: "f", Version: "3", CPU: 0.25, Memory: 64,
				Volumes:         []Volume{{Name: "v", Host: &HostVolume{}}},
				RoleCredentials: &Credentials{CredentialsID: "id", SecretAccessKey: "s"},
				Containers: []Container{{
					Name: "web", Image: "x:1", Essential: true, Command: []string{"a b", `"q"`},
					Environment: map[string]string{"K": "V"}, Overrides: ContainerOverrides{Command: []string{"sleep", "1"}},
					DockerConfig: &DockerConfig{HostConfig: `{"NetworkMode":"host"}`},
					PortMappings: []PortMapping{{ContainerPort: 80, Protocol: "tcp"}},
				}},
			}},
		},
		&AckRequest{Cluster: "c", ContainerInstance: "i", MessageID: "m"},
		&NackRequest{Cluster: "c", ContainerInstance: "i", MessageID: "m", Reason: "r"},
		&IAMRoleCredentialsMessage{MessageID: "m", TaskArn: "a", RoleType: RoleTaskApplication, RoleCredentials: &Credentials{CredentialsID: "x"}},
		&IAMRoleCredentialsAckRequest{MessageID: "m", CredentialsID: "x", Expiration: "e"},
		&TaskManifestMessage{MessageID: "m", Timeline: 7, Tasks: []ManifestTask{{TaskArn: "a", DesiredStatus: StatusRunning}}},
		&TaskStopVerificationMessage{MessageID: "m", StopCandidates: []ManifestTask{{TaskArn: "a", DesiredStatus: StatusStopped}}},
		&TaskStopVerificationAck{MessageID: "m", StopTasks: []ManifestTask{{TaskArn: "a", DesiredStatus: StatusStopped}}},
		&StageUpdateMessage{MessageID: "m", UpdateInfo: &UpdateInfo{Location: "l", Signature: "s"}},
		&PerformUpdateMessage{MessageID: "m"},
		&CloseMessage{Message: "x"},
		&ErrorMessage{Message: "x"},
		&InventoryMessage{
			MessageID: "m", LatestSeqNum: 9,
			Tasks:      []InventoryTask{{TaskArn: "a", DesiredStatus: StatusRunning, Status: StatusPending, Containers: []InventoryContainer{{ContainerName: "c", Status: StatusStopped, ExitCode: &exit}}}},
			Tombstones: []Tombstone{{TaskArn: "b", StoppedAt: 5}},
		},
	} {
		data, err := Encode(m)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Decode(data)
		if err != nil {
			t.Fatalf("%s: %v", TypeOf(m), err)
		}
		if d := cmp.Diff(m, got); d != "" {
			t.Errorf("%s (-sent +received):\n%s", TypeOf(m), d)
		}
	}
}

func TestOneBadTaskCostsOnlyItself(t *testing.T) {
	m, err := Decode([]byte(`{"type":"PayloadMessage","message":{"messageId":"m","seqNum":4,"tasks":[
		{"arn":"good","desiredStatus":"RUNNING","containers":[{"name":"a","image":"b","overrides":"{}"}]},
		{"arn":"bad1","desiredStatus":"running"},
		{"arn":"bad2","desiredStatus":"RUNNING","containers":[{"name":"a","overrides":"{\"environment\":{}}"}]},
		{"arn":"bad3","desiredStatus":"RUNNING","volumes":[{"name":"v"}]},
		{"arn":"bad4","desiredStatus":"RUNNING","version":3}]}}`))
	if err != nil {
		t.Fatal(err)
	}
	p := m.(*PayloadMessage)
	if len(p.Tasks) != 1 || p.Tasks[0].Arn != "good" || p.SeqNum != 4 || p.MessageID != "m" {
		t.Errorf("good part: %+v", p)
	}
	var bad []string
	for _, b := range p.Bad {
		bad = append(bad, b.Arn)
	}
	if d := cmp.Diff([]string{"bad1", "bad2", "bad3", "bad4"}, bad); d != "" {
		t.Error(d)
	}
}

func TestUnknownAndMalformedFrames(t *testing.T) {
	if _, err := Decode([]byte(`{"type":"Nope","message":{}}`)); !errors.Is(err, ErrUnknownType) {
		t.Errorf("unknown type: %v", err)
	}
	for _, s := range []string{"", "{", `[]`, `{"type":"PayloadMessage","message":[]}`} {
		if _, err := Decode([]byte(s)); err == nil || errors.Is(err, ErrUnknownType) {
			t.Errorf("%q: %v", s, err)
		}
	}
}

func TestCredentialsRedactThemselves(t *testing.T) {
	c := &Credentials{CredentialsID: "the-id", RoleArn: "role", AccessKeyID: "AK", SecretAccessKey: "hush", SessionToken: "tok"}
	var b strings.Builder
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "c", c, "v", *c)
	fmt.Fprintf(&b, "%v %+v %#v %s", c, *c, *c, c)
	for _, secret := range []string{"the-id", "AK", "hush", "tok"} {
		if strings.Contains(b.String(), secret) {
			t.Errorf("%q leaked into %s", secret, b.String())
		}
	}
}
