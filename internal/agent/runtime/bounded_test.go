package runtime_test

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ashore/ashore/internal/agent/agenttest"
	"github.com/ashore/ashore/internal/agent/runtime"
	"github.com/ashore/ashore/internal/agent/runtime/conformance"
	"github.com/ashore/ashore/internal/agent/runtime/fake"
)

func TestConformance(t *testing.T) {
	conformance.Run(t, func(t *testing.T) conformance.Target {
		f := fake.New(fake.Config{Images: map[string]runtime.Image{"probe": {ID: "sha256:1"}}})
		t.Cleanup(func() { f.Close() })
		return conformance.Target{Runtime: runtime.NewBounded(f, runtime.Limits{}, nil), Image: "probe", Absent: "absent", Installation: agenttest.Hex(8)}
	})
}

// calls are the methods of a Runtime that call the engine, with their limits.
var calls = map[string]struct {
	limit time.Duration
	do    func(context.Context, runtime.Runtime) error
}{
	"Ping":  {10 * time.Second, func(ctx context.Context, r runtime.Runtime) error { return r.Ping(ctx) }},
	"Info":  {10 * time.Second, func(ctx context.Context, r runtime.Runtime) error { _, err := r.Info(ctx); return err }},
	"Image": {30 * time.Second, func(ctx context.Context, r runtime.Runtime) error { _, err := r.Image(ctx, "img"); return err }},
	"Pull":  {5 * time.Minute, func(ctx context.Context, r runtime.Runtime) error { return r.Pull(ctx, "img", func() {}) }},
	"Load": {10 * time.Minute, func(ctx context.Context, r runtime.Runtime) error {
		_, err := r.Load(ctx, strings.NewReader("x"))
		return err
	}},
	"RemoveImage": {3 * time.Minute, func(ctx context.Context, r runtime.Runtime) error { return r.RemoveImage(ctx, "img") }},
	"Create": {4 * time.Minute, func(ctx context.Context, r runtime.Runtime) error {
		_, err := r.Create(ctx, runtime.Spec{Image: "img"})
		return err
	}},
	"Start":   {3 * time.Minute, func(ctx context.Context, r runtime.Runtime) error { return r.Start(ctx, "id") }},
	"Stop":    {80 * time.Second, func(ctx context.Context, r runtime.Runtime) error { return r.Stop(ctx, "id", 20*time.Second) }},
	"Remove":  {3 * time.Minute, func(ctx context.Context, r runtime.Runtime) error { return r.Remove(ctx, "id", false) }},
	"Inspect": {30 * time.Second, func(ctx context.Context, r runtime.Runtime) error { _, err := r.Inspect(ctx, "id"); return err }},
	"List":    {30 * time.Second, func(ctx context.Context, r runtime.Runtime) error { _, err := r.List(ctx, nil); return err }},
	"Stats":   {15 * time.Second, func(ctx context.Context, r runtime.Runtime) error { _, err := r.Stats(ctx, "id"); return err }},
	"Events": {10 * time.Second, func(ctx context.Context, r runtime.Runtime) error {
		return r.Events(ctx, nil, func() {}, func(runtime.Event) {})
	}},
	"Exec": {30 * time.Second, func(ctx context.Context, r runtime.Runtime) error {
		_, err := r.Exec(ctx, "id", runtime.Exec{})
		return err
	}},
	"Output": {30 * time.Second, func(ctx context.Context, r runtime.Runtime) error {
		return r.Output(ctx, "id", runtime.Position{}, func() {}, nil)
	}},
	"CreateVolume": {time.Minute, func(ctx context.Context, r runtime.Runtime) error {
		return r.CreateVolume(ctx, runtime.Volume{Name: "v"})
	}},
	"VolumeExists": {30 * time.Second, func(ctx context.Context, r runtime.Runtime) error { _, err := r.VolumeExists(ctx, "v"); return err }},
	"RemoveVolume": {time.Minute, func(ctx context.Context, r runtime.Runtime) error { return r.RemoveVolume(ctx, "v") }},
}

// Every call to an engine that hangs ends within its limit with ErrUnreachable. A call
// that its caller gives up returns the context's error.
func TestEveryCallIsBounded(t *testing.T) {
	for m := range reflect.TypeFor[runtime.Runtime]().Methods() {
		if _, there := calls[m.Name]; !there && m.Name != "Close" {
			t.Errorf("%s is not tried", m.Name)
		}
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := fake.New(fake.Config{})
				defer f.Close()
				b := runtime.NewBounded(f, runtime.Limits{}, nil)
				f.Hang(nil)
				began := time.Now()
				err := call.do(t.Context(), b)
				if took := time.Since(began); !errors.Is(err, runtime.ErrUnreachable) || errors.Is(err, context.DeadlineExceeded) || took != call.limit {
					t.Errorf("%v after %s", err, took)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if err := call.do(ctx, b); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, runtime.ErrUnreachable) {
					t.Errorf("its caller's deadline: %v", err)
				}
			})
		})
	}
}

// A pull may take hours, as long as it makes progress.
func TestAPullIsBoundedByItsProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fake.New(fake.Config{Images: map[string]runtime.Image{}, Registry: map[string]runtime.Image{"img": {}}, PullDelay: 3 * time.Hour})
		defer f.Close()
		b := runtime.NewBounded(f, runtime.Limits{}, nil)
		began, steps := time.Now(), 0
		err := b.Pull(t.Context(), "img", func() { steps++ })
		if took := time.Since(began); err != nil || took != 3*time.Hour || steps < 100 {
			t.Errorf("%v after %s, %d steps", err, took, steps)
		}
		f.Set(func(c *fake.Config) { c.RegistryDown = true })
		if err := b.Pull(t.Context(), "img", func() {}); !errors.Is(err, runtime.ErrUnreachable) || err.Error() != "the pull made no progress for 5m0s" {
			t.Error(err)
		}
	})
}

// The event stream of an engine that stops answering ends. The stream of an engine without
// events does not.
func TestTheEventsOfAnEngineThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fake.New(fake.Config{})
		defer f.Close()
		b := runtime.NewBounded(f, runtime.Limits{}, nil)
		var ended time.Time
		var err error
		go func() {
			err = b.Events(t.Context(), nil, func() {}, func(runtime.Event) {})
			ended = time.Now()
		}()
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		if !ended.IsZero() {
			t.Fatalf("a quiet stream ended: %v", err)
		}
		f.Hang(nil)
		hung := time.Now()
		time.Sleep(time.Minute)
		synctest.Wait()
		if d := ended.Sub(hung); d <= 0 || d > 30*time.Second || !errors.Is(err, runtime.ErrUnreachable) {
			t.Errorf("%v after %s", err, d)
		}
	})
}

// An engine that answers, but does not finish its work, is late until it does, or until it
// has had enough time for another try.
func TestAnEngineThatDoesNoWork(t *testing.T) {
	for _, op := range []string{"start", "stats", "create"} {
		synctest.Test(t, func(t *testing.T) {
			f := fake.New(fake.Config{})
			defer f.Close()
			changes := 0
			b := runtime.NewBounded(f, runtime.Limits{}, func() { changes++ })
			do := func() error {
				switch op {
				case "start":
					return b.Start(t.Context(), "c")
				case "stats":
					_, err := b.Stats(t.Context(), "c")
					return err
				default:
					_, err := b.Create(t.Context(), runtime.Spec{Name: "another", Image: "img"})
					return err
				}
			}
			if _, err := b.Create(t.Context(), runtime.Spec{Name: "c", Image: "img"}); err != nil {
				t.Fatal(err)
			}
			f.Hang(func(called, _ string) bool { return called == op })
			if err := do(); !errors.Is(err, runtime.ErrUnreachable) {
				t.Fatal(err)
			}
			if _, err := b.Info(t.Context()); err != nil || b.CheckLate() == nil || changes != 1 {
				t.Errorf("%s: %v, late %v, told %d times", op, err, b.CheckLate(), changes)
			}
			time.Sleep(6 * time.Minute)
			if err := b.CheckLate(); err != nil {
				t.Errorf("%s: no other try after 6 minutes: %v", op, err)
			}
			if err := do(); !errors.Is(err, runtime.ErrUnreachable) || b.CheckLate() == nil || changes != 2 {
				t.Errorf("%s: %v, late %v, told %d times", op, err, b.CheckLate(), changes)
			}
			f.Resume()
			if _, err := b.Inspect(t.Context(), "c"); err != nil || b.CheckLate() == nil {
				t.Errorf("%s: what does no work says nothing of it: %v", op, err)
			}
			_ = do() // success does not matter, only that it is answered
			if b.CheckLate() != nil || changes != 3 {
				t.Errorf("%s: late %v, told %d times", op, b.CheckLate(), changes)
			}
			// One call hangs for its own reason while others are answered.
			f.Hang(func(called, subject string) bool { return called == "stats" && subject == "hangs" })
			go b.Stats(t.Context(), "hangs")
			for range 10 {
				time.Sleep(5 * time.Second)
				if _, err := b.Stats(t.Context(), "c"); err != nil || b.CheckLate() != nil {
					t.Errorf("%v, late %v", err, b.CheckLate())
				}
			}
		})
	}
}
