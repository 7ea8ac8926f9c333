package engine_test

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/agent/engine"
	"github.com/ashore/ashore/internal/agent/runtime"
	"github.com/ashore/ashore/internal/agent/runtime/fake"
)

// A task that stays PENDING reports its containers, and that one of them is unhealthy.
func TestPendingTasksTellOfTheirContainers(t *testing.T) {
	var told atomic.Int32
	inBubble(t, engine.Config{OnHealth: func(string) { told.Add(1) }}, fake.Config{Images: map[string]runtime.Image{"img": {}}}, func(r *rig) {
		r.accept(run("t", box("db", true, "unhealthy 5", checked, port(5432, 0)), box("app", true, "sleep 600", after("db", "HEALTHY"))))
		time.Sleep(4 * time.Second)
		r.expect("t", "PENDING db=RUNNING app=PENDING\n")
		if told.Load() != 0 {
			t.Error("told of health before there was any")
		}
		r.mu.Lock()
		if db := r.reports[0].Containers[0]; db.RuntimeID == "" || len(db.Ports) != 1 {
			t.Errorf("%+v", db)
		}
		r.mu.Unlock()
		time.Sleep(time.Hour)
		r.expect("t", "PENDING db=RUNNING app=PENDING\n") // and nothing more, since nothing changes
		if told.Load() != 1 {
			t.Errorf("told %d times that its health is another", told.Load())
		}
	})
}

// A task whose containers never all ran is not reported as RUNNING while it is stopped.
func TestPendingTasksThatStopAreNeverSaidToRun(t *testing.T) {
	inBubble(t, engine.Config{}, fake.Config{Images: map[string]runtime.Image{"img": {}}}, func(r *rig) {
		r.accept(run("t", box("db", true, "deaf sleep 600", checked), box("app", true, "sleep 600", after("db", "HEALTHY"))))
		time.Sleep(10 * time.Second)
		r.accept(stopOf("t"))
		time.Sleep(10 * time.Second)
		r.expect("t", "PENDING db=RUNNING app=PENDING\nPENDING app=STOPPED\n")
		time.Sleep(time.Minute)
		r.expect("t", "PENDING db=RUNNING app=PENDING\nPENDING app=STOPPED\nSTOPPED db=STOPPED/137 app=STOPPED\n")
	})
}

// A pull that takes long is reported with its beginning. Its reported end is that of the
// last pull.
func TestPullsAreTold(t *testing.T) {
	failed := false
	cfg := fake.Config{
		Images: map[string]runtime.Image{"img": {}}, Registry: map[string]runtime.Image{"quick": {Digest: "sha256:1"}, "slow": {Digest: "sha256:2"}},
		PullDelay: 90 * time.Second,
		Fail: func(op, subject string) error { // the first call; the second comes 1.1 s later
			if op != "pull" || subject != "slow" || failed {
				return nil
			}
			failed = true
			return errors.New("connection reset by peer")
		},
	}
	inBubble(t, engine.Config{}, cfg, func(r *rig) {
		began := time.Now()
		r.accept(run("t", box("a", true, "sleep 600"), box("b", true, "sleep 600", image("quick")), box("c", true, "sleep 600", image("slow"))),
			run("local", box("a", true, "sleep 600")))
		time.Sleep(time.Hour / 10)
		r.expect("local", "RUNNING a=RUNNING\n")
		r.mu.Lock()
		defer r.mu.Unlock()
		var got []string
		for _, rep := range r.reports {
			if rep.TaskArn != "t" {
				continue
			}
			s := fmt.Sprintf("%s, pulled from %s", rep.Status, rep.PullStartedAt.Sub(began))
			if !rep.PullStoppedAt.IsZero() {
				s += fmt.Sprintf(" to %s", rep.PullStoppedAt.Sub(began))
			}
			for _, c := range rep.Containers {
				s += fmt.Sprintf(" %s=%s", c.Name, c.Status)
			}
			for _, p := range rep.Pulls {
				s += fmt.Sprintf(", %s since %s", p.Container, p.Since.Sub(began))
			}
			got = append(got, s)
		}
		want := []string{
			"PENDING, pulled from 0s a=RUNNING b=PENDING c=PENDING, b since 0s, c since 0s",
			"PENDING, pulled from 0s b=RUNNING, c since 0s",
			"RUNNING, pulled from 0s to 3m1.1s c=RUNNING",
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q, not\n%q", got, want)
		}
	})
}

// While no one takes reports, the newest PENDING report has the content of all earlier
// ones.
func TestPendingReportsReplaceEachOther(t *testing.T) {
	inBubble(t, engine.Config{}, fake.Config{Images: map[string]runtime.Image{"img": {}}}, func(r *rig) {
		r.away.Store(true)
		r.accept(run("t", box("a", true, "sleep 600"), box("b", false, "sleep 10", after("a", "START")), box("c", false, "sleep 20", after("b", "SUCCESS")),
			box("d", true, "sleep 600", after("c", "SUCCESS"))))
		time.Sleep(25 * time.Second)
		r.away.Store(false)
		r.deliverReports("t")
		r.expect("t", "PENDING a=RUNNING b=STOPPED/0 c=RUNNING d=PENDING\n")
		time.Sleep(time.Minute)
		r.expect("t", "PENDING a=RUNNING b=STOPPED/0 c=RUNNING d=PENDING\nRUNNING c=STOPPED/0 d=RUNNING\n")
	})
}
