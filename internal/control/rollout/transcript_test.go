package rollout

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/cockroachdb/datadriven"
)

// TestTranscripts plays the stories of testdata. Their commands:
//
//	hosts a=zone:slots …        hosts, and how many tasks each holds
//	service desired=4 min=50 … daemon breaker rollback keep-count rebalance packs
//	deploy [checks]             a new revision
//	step                        one step; then another must find nothing to do
//	settle                      steps, while hosts do as they are told and time passes
//	tick 40s · run/fail/exit/end TASK…|all · health STATUS TASK…|all
//	lose/drain/away/back/remove HOST · protect 5m TASK… · stop ROLLBACK|ABORT · delete · show
func TestTranscripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		var b strings.Builder
		w := newWorld(&b)
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			b.Reset()
			// a command a line: the first is datadriven's own
			lines := []string{strings.TrimSpace(d.Cmd + " " + joined(d.CmdArgs))}
			if d.Input != "" {
				lines = append(lines, strings.Split(d.Input, "\n")...)
			}
			for _, l := range lines {
				if l == "" {
					continue
				}
				if err := w.play(strings.Fields(l)); err != nil {
					d.Fatalf(t, "%s: %v\n%s", l, err, b.String())
				}
			}
			if b.Len() == 0 {
				return "ok\n"
			}
			return b.String()
		})
	})
}

func joined(args []datadriven.CmdArg) string {
	var out []string
	for _, a := range args {
		s := a.Key
		if len(a.Vals) > 0 {
			s += "=" + strings.Join(a.Vals, ",")
		}
		out = append(out, s)
	}
	return strings.Join(out, " ")
}

func (w *world) play(words []string) error {
	cmd, args := words[0], words[1:]
	switch cmd {
	case "hosts":
		for _, a := range args {
			name, rest, _ := strings.Cut(a, "=")
			zone, slots, _ := strings.Cut(rest, ":")
			n, err := strconv.Atoi(slots)
			if err != nil {
				return err
			}
			w.hosts = append(w.hosts, &machine{name: name, zone: zone, slots: n})
		}
		w.changed()
	case "service":
		return w.configure(args)
	case "deploy":
		w.deploy("", slices.Contains(args, "checks"), "", "")
	case "step":
		w.once()
	case "settle":
		return w.settle()
	case "tick":
		d, err := time.ParseDuration(args[0])
		w.in.Now = w.in.Now.Add(d)
		return err
	case "run", "fail", "exit", "end", "health", "protect":
		return w.tasks(cmd, args)
	case "lose", "drain", "away", "back", "remove":
		for _, a := range args {
			h := w.host(a)
			if h == nil {
				return fmt.Errorf("no host %s", a)
			}
			h.condition = map[string]HostCondition{"lose": HostLost, "drain": HostDraining, "away": HostAway, "back": HostOK, "remove": HostLost}[cmd]
		}
		w.changed()
	case "stop":
		w.in.Deployments[0].Stop = types.StopServiceDeploymentStopType(args[0])
	case "delete":
		w.in.Service.Status = Draining
	case "show":
		w.show()
	default:
		return fmt.Errorf("unknown command")
	}
	return nil
}

// once takes a step, and sees that the next one finds nothing to do.
func (w *world) once() {
	if !w.step() {
		w.printf("  nothing\n")
		return
	}
	again := Step(w.look())
	if again.IsEmpty() || w.in.Deployments[0].RollbackOf != "" || w.unplaced() {
		return
	}
	w.printf("ASKED AGAIN, at once:\n")
	w.tell(&again)
}

func (w *world) unplaced() bool {
	return slices.ContainsFunc(w.in.Deployments, func(d Deployment) bool { return d.Unplaced != nil })
}

// settle steps until there is nothing left to do and nothing to wait for.
func (w *world) settle() error {
	for range 200 {
		w.printf("at %s\n", w.in.Now.Sub(w.start))
		quiet := true
		for busy, n := true, 0; busy; quiet = quiet && !busy {
			if n++; n > 50 {
				return fmt.Errorf("doesn't come to rest")
			}
			busy = w.step()
			busy = w.startAll() || busy
			busy = w.obey() || busy
		}
		wake := Step(w.look()).Wake
		if quiet {
			w.printf("  nothing\n")
		}
		if wake.IsZero() {
			return nil
		}
		w.in.Now = wake
	}
	return fmt.Errorf("doesn't settle")
}

func (w *world) configure(args []string) error {
	s := &w.in.Service
	s.Rebalance, s.Packs, s.Breaker = false, false, Breaker{}
	for _, a := range args {
		k, v, _ := strings.Cut(a, "=")
		n, err := strconv.Atoi(v)
		switch k {
		case "desired":
			s.Desired = n
		case "min":
			s.MinimumPercent = n
		case "max":
			s.MaximumPercent = n
		case "grace":
			s.GracePeriod, err = time.ParseDuration(v)
		case "daemon":
			s.Strategy, s.MinimumPercent, s.MaximumPercent, err = types.SchedulingStrategyDaemon, 0, 100, nil
		case "breaker":
			s.Breaker.Enabled, err = true, nil
		case "rollback":
			s.Breaker.Rollback, err = true, nil
		case "keep-count":
			s.Breaker.KeepCount, err = true, nil
		case "threshold":
			kind, value, _ := strings.Cut(v, ":")
			s.Breaker.Type = types.ThresholdType(kind)
			s.Breaker.Value, err = strconv.Atoi(value)
		case "rebalance":
			s.Rebalance, err = true, nil
		case "packs":
			s.Packs, err = true, nil
		default:
			err = fmt.Errorf("unknown: %s", a)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *world) tasks(cmd string, args []string) error {
	word := ""
	if cmd == "health" || cmd == "protect" {
		word, args = args[0], args[1:]
	}
	for i := range w.in.Tasks {
		t := &w.in.Tasks[i]
		if !slices.Contains(args, t.ID) && (!slices.Contains(args, "all") || t.hasStopped()) {
			continue
		}
		switch cmd {
		case "run":
			if !t.Stop {
				w.run(t)
			}
		case "fail":
			if t.Status == fleet.TaskPending {
				w.end(t)
			}
		case "exit":
			if t.Status == fleet.TaskRunning && !t.Stop {
				w.end(t)
			}
		case "end":
			if t.Stop {
				w.end(t)
			}
		case "health":
			if !t.hasStopped() {
				t.Health = types.HealthStatus(word)
			}
		case "protect":
			d, err := time.ParseDuration(word)
			if err != nil {
				return err
			}
			t.ProtectedUntil = w.in.Now.Add(d)
		}
	}
	for _, a := range args {
		if a != "all" && w.task(a) == nil {
			return fmt.Errorf("no task %s", a)
		}
	}
	return nil
}

// show lists what has not ended.
func (w *world) show() {
	for _, h := range w.hosts {
		w.printf("  %s (%s):", h.name, h.zone)
		for i := range w.in.Tasks {
			t := &w.in.Tasks[i]
			if t.Instance != h.name || t.hasStopped() {
				continue
			}
			state := strings.ToLower(string(t.Status))
			if t.Stop {
				state = "stopping"
			}
			w.printf(" %s %s", t.ID, state)
			if t.Health != "" {
				w.printf(" %s", t.Health)
			}
		}
		w.printf("\n")
	}
	for i := range w.in.Deployments {
		d := &w.in.Deployments[i]
		w.printf("  deployment %s (%s): %s\n", d.ID, d.Revision, d.Rollout)
	}
}
