package tcs

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ashore/ashore/internal/wire/frame"
)

func TestEveryMessageSurvivesTheWire(t *testing.T) {
	at := Time{time.UnixMilli(1795289568097).UTC()}
	header := http.Header{"Authorization": {"AWS4-HMAC-SHA256 Credential=x"}, "Host": {"127.0.0.1:1"}, "X-Amz-Date": {"20261121T193248Z"}}
	for _, m := range []Message{
		&PublishMetricsRequest{Metadata: Metadata{Cluster: "c", Fin: true, Idle: true, MessageID: "m"}, Timestamp: at},
		&PublishMetricsRequest{Metadata: Metadata{Fin: true}, Timestamp: at, TaskMetrics: []TaskMetric{{
			TaskArn: "a", ContainerMetrics: []ContainerMetric{{ContainerName: "n", CPUStatsSet: &StatsSet{Max: 1.08, SampleCount: 17, Sum: 1.76}, RestartStatsSet: &RestartStatsSet{2}}},
		}}},
		&PublishHealthRequest{Tasks: []TaskHealth{{TaskArn: "a", Containers: []ContainerHealth{{"n", Healthy, at}}}}, Timestamp: at},
		&PublishInstanceStatusRequest{Statuses: []InstanceStatus{{StatusContainerRuntime, StatusOK, at, at}}, Timestamp: at},
		&AckPublishMetric{"x"}, &AckPublishHealth{}, &AckPublishInstanceStatus{}, &HeartbeatMessage{true},
	} {
		body, err := Encode(m)
		if err != nil {
			t.Fatal(err)
		}
		h, rest, err := Split(WithHeader(header, body))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(header, h); d != "" {
			t.Error(d)
		}
		got, err := Decode(rest)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(m, got); d != "" {
			t.Errorf("%s (-sent +received):\n%s", TypeOf(m), d)
		}
		if h, plain, err := Split(body); h != nil || err != nil || string(plain) != string(body) {
			t.Errorf("a frame without header: %v %v", h, err)
		}
	}
}

func TestBadFrames(t *testing.T) {
	for _, s := range []string{"", "X: y", "junk\r\n\r\n{}"} {
		if _, _, err := Split([]byte(s)); err == nil {
			t.Errorf("%q was split", s)
		}
	}
	if _, err := Decode([]byte(`{"type":"Nope"}`)); !errors.Is(err, frame.ErrUnknownType) {
		t.Error(err)
	}
}
