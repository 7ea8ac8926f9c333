package frontdoor

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/ashore/ashore/internal/identity"
)

// changing has one more operation, which changes something.
type changing struct{ fakeECS }

func (c *changing) StopTask(_ context.Context, in *ecs.StopTaskInput) (*ecs.StopTaskOutput, error) {
	if aws.ToString(in.Reason) != "" {
		return nil, clientError("ClientException", "not for this reason: "+*in.Reason)
	}
	return &ecs.StopTaskOutput{}, nil
}

// audited opens a door with a log of the given level and with StopTask.
func audited(t *testing.T, level slog.Level) *door {
	return open(t, func(c *Config, d *door) {
		svc := c.Services[0]
		svc.Impl = &changing{fakeECS{list: d.ecs.list}}
		svc.Operations["StopTask"] = Op("ecs:StopTask", func(_ context.Context, _ Caller, in *ecs.StopTaskInput) []string {
			return []string{"task/" + aws.ToString(in.Task)}
		})
		c.Services[0] = svc
		c.Log = slog.New(slog.NewTextHandler(d.log, &slog.HandlerOptions{Level: level}))
	})
}

func callLines(d *door) []string {
	var lines []string
	for l := range strings.Lines(d.log.String()) {
		if strings.Contains(l, "msg=call ") {
			lines = append(lines, l)
		}
	}
	return lines
}

// A call that changes something, and a denied call, each leave a line with the caller,
// the operation, the decision and its reason. The line contains nothing of the body or
// of the error's message.
func TestAuditLines(t *testing.T) {
	d := audited(t, slog.LevelInfo)
	stop := func(by, body string) string {
		t.Helper()
		res, _ := d.do(t, d.signedBy(t, by, "ecs", http.MethodPost, "/", body, call("StopTask")...))
		return res.Header.Get("X-Amzn-Requestid")
	}
	d.do(t, d.signed(t, "ecs", http.MethodPost, "/", `{}`, call("ListTasks")...))           // only reads
	stop(hosts, `{"task":"t"}`)                                                             // of a host
	d.do(t, d.unsigned(t, http.MethodPost, "/", `{"task":"t"}`, call("StopTask")...))       // of no principal
	d.do(t, d.signed(t, "ecs", http.MethodPost, "/", `{"task":"t"}`, call("StartTask")...)) // not served
	ids := []string{stop(key, `{"task":"t"}`), stop(key, `{"task":"t","reason":"confidential"}`)}
	d.id.deny = &identity.Denied{Message: "User: x may not"}
	ids = append(ids, stop(key, `{"task":"u"}`), stop(hosts, `{"task":"u"}`))
	if _, err := d.front.Call(t.Context(), identity.Principal{ARN: "arn:aws:iam::000000000000:role/rule"}, "ecs", "StopTask", &ecs.StopTaskInput{Task: aws.String("v")}); err == nil {
		t.Error("it is not denied")
	}

	lines := callLines(d)
	want := [][]string{
		{"principal=arn:aws:iam::000000000000:user/admin", "service=ecs operation=StopTask", "action=ecs:StopTask resources=task/t decision=allowed reason=\"Fake/All allows\"", "status=200", "from=127.0.0.1:", "key=" + key, "request=" + ids[0]},
		{"decision=allowed", "error=ClientException", "status=400", "request=" + ids[1]},
		{"resources=\"\" decision=denied reason=\"no policy allows\" error=AccessDeniedException", "request=" + ids[2]},
		{"principal=arn:aws:iam::000000000000:user/host/h", "decision=denied", "request=" + ids[3]},
		{"principal=arn:aws:iam::000000000000:role/rule", "operation=StopTask", "decision=denied", "from=\"this process\""},
	}
	if len(lines) != len(want) {
		t.Fatalf("%d lines:\n%s", len(lines), strings.Join(lines, ""))
	}
	for i, l := range lines {
		for _, w := range append(want[i], "level=INFO") {
			if !strings.Contains(l, w) {
				t.Errorf("line %d lacks %s: %s", i, w, l)
			}
		}
		if strings.Contains(l, "confidential") || strings.Contains(l, "x may not") {
			t.Errorf("it quotes what was sent: %s", l)
		}
	}
}

// Below level info each call has a line.
func TestEachCallIsTold(t *testing.T) {
	d := audited(t, slog.LevelDebug)
	d.do(t, d.signed(t, "ecs", http.MethodPost, "/", `{"cluster":"c"}`, call("ListTasks")...))
	d.do(t, d.signedBy(t, hosts, "ecs", http.MethodPost, "/", `{"task":"t"}`, call("StopTask")...))
	lines := callLines(d)
	if len(lines) != 2 || !strings.Contains(lines[0], "level=DEBUG") || !strings.Contains(lines[0], "resources=cluster/c decision=allowed") ||
		!strings.Contains(lines[1], "level=DEBUG") || !strings.Contains(lines[1], "resources=task/t decision=allowed") {
		t.Errorf("%q", lines)
	}
}

// A caller can't fill the log. Its lines are bounded, and the omitted ones are counted.
// The texts that it sends are bounded, too.
func TestAuditIsBounded(t *testing.T) {
	d := audited(t, slog.LevelInfo)
	p := identity.Principal{ARN: "arn:aws:iam::000000000000:role/loop"}
	stop := func(task string) {
		t.Helper()
		if _, err := d.front.Call(t.Context(), p, "ecs", "StopTask", &ecs.StopTaskInput{Task: &task}); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 * auditLimits.EachBurst {
		stop("t")
	}
	n := len(callLines(d))
	if n < auditLimits.EachBurst || n > auditLimits.EachBurst+auditLimits.EachBurst/2 {
		t.Errorf("%d lines", n)
	}
	p.ARN = "arn:aws:iam::000000000000:role/other"
	stop(strings.Repeat("long", 1000))
	lines := callLines(d)
	last := lines[len(lines)-1]
	if !strings.Contains(last, "role/other") || len(last) > 2048 {
		t.Errorf("%d bytes: %s", len(last), last)
	}
	if got := joinResources([]string{"a", "b", "c", "d", "e", "f"}); got != "a b c d and 2 more" {
		t.Error(got)
	}
	if got := fmt.Sprint(isReadOnly("DescribeTasks"), isReadOnly("RunTask")); got != "true false" {
		t.Error(got)
	}
}
