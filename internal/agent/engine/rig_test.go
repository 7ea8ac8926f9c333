package engine_test

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/ashore/ashore/internal/agent/engine"
	"github.com/ashore/ashore/internal/agent/journal"
	"github.com/ashore/ashore/internal/agent/runtime/fake"
	"github.com/ashore/ashore/internal/wire/acs"
)

// rig is an engine on a fake runtime inside a synctest bubble. Time passes only when all
// goroutines wait, so the times in these tests are exact.
type rig struct {
	t *testing.T
	*engine.Engine
	fake    *fake.Fake
	cfg     engine.Config
	path    string           // of the journal; empty if there is none
	journal *journal.Journal // nil if there is none

	away    atomic.Bool // no one takes reports
	taking  sync.Mutex
	mu      sync.Mutex
	reports []engine.Report
}

func inBubble(t *testing.T, cfg engine.Config, fcfg fake.Config, test func(r *rig)) {
	t.Helper()
	rigged(t, "", cfg, fcfg, test)
}

// journaled is inBubble with a journal.
func journaled(t *testing.T, cfg engine.Config, fcfg fake.Config, test func(r *rig)) {
	t.Helper()
	rigged(t, filepath.Join(t.TempDir(), "journal.db"), cfg, fcfg, test)
}

func rigged(t *testing.T, path string, cfg engine.Config, fcfg fake.Config, test func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{t: t, fake: fake.New(fcfg), cfg: cfg, path: path}
		r.cfg.InstallationID, r.cfg.Region = "inst", "eu-west-1"
		if r.cfg.Runtime == nil {
			r.cfg.Runtime = r.fake
		}
		r.cfg.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
		if r.cfg.Total.CPU == 0 {
			r.cfg.Total = engine.Resources{CPU: 2048, Memory: 4096}
		}
		r.cfg.Reserved = engine.Resources{TCP: []int{22}}
		r.cfg.OnReport = r.deliverReports
		r.live()
		test(r)
		r.die()
		r.fake.Close()
	})
}

// live begins a life of the agent with what an earlier one left.
func (r *rig) live() {
	r.t.Helper()
	if r.path != "" {
		j, err := journal.Open(r.path, slog.New(slog.DiscardHandler))
		if err != nil {
			r.t.Fatal(err)
		}
		r.journal, r.cfg.Journal = j, j
	}
	r.Engine = engine.New(r.cfg)
	r.SetInstance("instance", "default")
	if err := r.Load(); err != nil {
		r.t.Fatal(err)
	}
	if err := r.Run(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
}

// die ends the life.
func (r *rig) die() {
	r.Close()
	if r.journal != nil {
		if err := r.journal.Close(); err != nil {
			r.t.Error(err)
		}
	}
}

// deliverReports delivers a task's reports, one after the other.
func (r *rig) deliverReports(arn string) {
	r.taking.Lock()
	defer r.taking.Unlock()
	for !r.away.Load() {
		rep, ok := r.NextReport(arn)
		if !ok {
			return
		}
		r.mu.Lock()
		r.reports = append(r.reports, rep)
		r.mu.Unlock()
		r.MarkDelivered(arn, rep.Seq)
	}
}

func (r *rig) accept(tasks ...acs.Task) {
	r.t.Helper()
	for _, task := range tasks {
		if err := r.Accept(task)(); err != nil {
			r.t.Fatal(err)
		}
	}
}

// clearReports removes the reports so far.
func (r *rig) clearReports() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reports = nil
}

// story returns the reports of a task, one in each line.
func (r *rig) story(arn string) string {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	var b strings.Builder
	for _, rep := range r.reports {
		if rep.TaskArn != arn {
			continue
		}
		b.WriteString(rep.Status)
		if rep.Reason != "" {
			b.WriteString(" (" + rep.Reason + ")")
		}
		for _, c := range rep.Containers {
			fmt.Fprintf(&b, " %s=%s", c.Name, c.Status)
			if c.ExitCode != nil {
				fmt.Fprintf(&b, "/%d", *c.ExitCode)
			}
			if c.Reason != "" {
				b.WriteString(" [" + c.Reason + "]")
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

func (r *rig) expect(arn, want string) {
	r.t.Helper()
	want = strings.ReplaceAll(strings.TrimPrefix(want, "\n"), "\t", "")
	if got := r.story(arn); got != want {
		r.t.Errorf("story of %s:\n%swant:\n%s", arn, got, want)
	}
}

// startedOnce checks that n containers have started, each once.
func (r *rig) startedOnce(n int) {
	r.t.Helper()
	starts := r.fake.Starts()
	for name, n := range starts {
		if n != 1 {
			r.t.Errorf("%s started %d times", name, n)
		}
	}
	if len(starts) != n {
		r.t.Errorf("started: %v", starts)
	}
}
