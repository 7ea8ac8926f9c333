package engine_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ashore/ashore/internal/agent/engine"
	"github.com/ashore/ashore/internal/agent/journal"
	"github.com/ashore/ashore/internal/agent/runtime"
	"github.com/ashore/ashore/internal/agent/runtime/fake"
	"github.com/ashore/ashore/internal/wire/acs"
)

// killableRuntime is a runtime for one life of the agent. When the life is over, it makes no more
// calls. Calls that were made before still take effect, and their answers get lost, as
// with a process that was killed.
type killableRuntime struct {
	runtime.Runtime
	dead atomic.Bool
	slow func() time.Duration // how long a call is on its way
}

var errDead = errors.New("dead")

func (m *killableRuntime) do(ctx context.Context, fn func(context.Context) error) error {
	if m.dead.Load() {
		return errDead
	}
	err := fn(context.WithoutCancel(ctx))
	if m.dead.Load() {
		return errDead
	}
	return err
}

func (m *killableRuntime) Create(ctx context.Context, s runtime.Spec) (c runtime.Created, err error) {
	err = m.do(ctx, func(ctx context.Context) (err error) { c, err = m.Runtime.Create(ctx, s); return err })
	return c, err
}

func (m *killableRuntime) Start(ctx context.Context, id string) error {
	return m.do(ctx, func(ctx context.Context) error { return m.Runtime.Start(ctx, id) })
}

func (m *killableRuntime) Stop(ctx context.Context, id string, d time.Duration) error {
	return m.do(ctx, func(ctx context.Context) error { return m.Runtime.Stop(ctx, id, d) })
}

// Calls of an earlier life may take effect before each of these calls, and before their
// answers arrive.

func (m *killableRuntime) Inspect(ctx context.Context, id string) (runtime.Container, error) {
	time.Sleep(m.slow())
	c, err := m.Runtime.Inspect(ctx, id)
	time.Sleep(m.slow())
	return c, err
}

func (m *killableRuntime) Remove(ctx context.Context, id string, force bool) error {
	time.Sleep(m.slow())
	return m.do(ctx, func(ctx context.Context) error { return m.Runtime.Remove(ctx, id, force) })
}

func (m *killableRuntime) Events(ctx context.Context, l map[string]string, up func(), on func(runtime.Event)) error {
	if m.dead.Load() {
		return errDead
	}
	return m.Runtime.Events(ctx, l, up, func(e runtime.Event) {
		if !m.dead.Load() {
			on(e)
		}
	})
}

// TestKilledAtAnyMomentEachContainerStartsOnce kills the agent many times at random
// moments, while tasks start and end. It counts the starts at the runtime. If the journal
// is lost sometimes, tasks whose containers had not all started are stopped, and all
// others go on. A journal that is lost often enough may stop all tasks of one run, but not
// those of every run.
func TestKilledAtAnyMomentEachContainerStartsOnce(t *testing.T) {
	for _, lossy := range []bool{false, true} {
		running := 0
		for range 8 {
			seed := rand.Uint64()
			t.Run(fmt.Sprintf("journal lost %v, seed %d", lossy, seed), func(t *testing.T) {
				dir := t.TempDir()
				synctest.Test(t, func(t *testing.T) { running += manyLives(t, dir, lossy, rand.New(rand.NewPCG(seed, 0))) })
			})
		}
		if running == 0 {
			t.Errorf("journal lost %v: no task runs in the end", lossy)
		}
	}
}

// manyLives returns how many tasks run at the end.
func manyLives(t *testing.T, dir string, lossy bool, rng *rand.Rand) (running int) {
	eng := fake.New(fake.Config{CreateDelay: 20 * time.Millisecond, StartDelay: 150 * time.Millisecond})
	defer eng.Close()
	const tasks, lives = 40, 12
	var mu sync.Mutex
	told := map[string]string{}
	status := func(arn string) string {
		mu.Lock()
		defer mu.Unlock()
		return told[arn]
	}
	var undo []func()
	for life := range lives {
		path := filepath.Join(dir, fmt.Sprint(life, ".db"))
		j, err := journal.Open(path, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		m := &killableRuntime{Runtime: eng, slow: func() time.Duration {
			mu.Lock()
			defer mu.Unlock()
			return time.Duration(rng.IntN(int(40 * time.Millisecond)))
		}}
		var e *engine.Engine
		e = engine.New(engine.Config{
			Runtime: m, Journal: j, InstallationID: "inst", Total: engine.Resources{CPU: 4096, Memory: 4096}, Parallel: 6,
			OnReport: func(arn string) {
				for {
					r, ok := e.NextReport(arn)
					if !ok || m.dead.Load() {
						return
					}
					mu.Lock()
					if n, err := strconv.Atoi(arn[len("task/"):]); err != nil || n%3 != 0 && told[arn] == acs.StatusRunning && r.Status == acs.StatusStopped {
						t.Errorf("life %d: %s, which runs for ever, was stopped: %+v (%v)", life, arn, r, err)
					}
					told[arn] = r.Status
					if r.Status == acs.StatusStopped {
						t.Logf("life %d: %+v", life, r)
					}
					mu.Unlock()
					e.MarkDelivered(arn, r.Seq)
				}
			},
		})
		e.SetInstance("instance", "default")
		if err := e.Load(); err != nil {
			t.Fatal(err)
		}
		if err := e.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		for n := range tasks {
			arn := fmt.Sprint("task/", n)
			if status(arn) == "" && !e.HasTask(arn) { // not acknowledged yet: ordered again
				cs := []acs.Container{box("a", true, "sleep 1000000"), box("b", false, "sleep 0.01")}
				switch n % 3 {
				case 0:
					cs = []acs.Container{box("a", true, "sleep 0.1 exit 4")}
				case 1:
					cs = []acs.Container{box("a", true, "sleep 1000000", after("b", "SUCCESS")), box("b", false, "exit 0")}
				}
				if err := e.Accept(run(arn, cs...))(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if life == lives-1 {
			time.Sleep(time.Minute)
		} else {
			mu.Lock()
			d := time.Duration(rng.IntN(int(250 * time.Millisecond)))
			mu.Unlock()
			time.Sleep(d)
		}
		synctest.Wait()
		if life == lives-1 {
			for n := range tasks {
				want := acs.StatusRunning
				if n%3 == 0 {
					want = acs.StatusStopped
				}
				got := status(fmt.Sprint("task/", n))
				if got != want && (!lossy || got != acs.StatusStopped) {
					t.Errorf("task %d is %q", n, got)
				}
				if got == acs.StatusRunning {
					running++
				}
			}
		}
		// The next life finds what is durable now.
		if !lossy || rng.IntN(2) == 0 {
			copyFile(t, path, filepath.Join(dir, fmt.Sprint(life+1, ".db")))
		}
		m.dead.Store(true)
		undo = append(undo, func() { e.Close(); j.Close() })
		// Half of the time, the agent stays dead for a while.
		mu.Lock()
		d := max(0, time.Duration(rng.IntN(int(400*time.Millisecond)))-200*time.Millisecond)
		mu.Unlock()
		time.Sleep(d)
	}
	for name, n := range eng.Starts() {
		if n != 1 {
			t.Errorf("%s started %d times", name, n)
		}
	}
	if !lossy && len(eng.Starts()) < tasks {
		t.Errorf("%d containers started", len(eng.Starts()))
	}
	for _, fn := range undo {
		fn()
	}
	return running
}

func copyFile(t *testing.T, from, to string) {
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}
