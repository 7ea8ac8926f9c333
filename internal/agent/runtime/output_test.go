package runtime_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ashore/ashore/internal/agent/runtime"
	"github.com/ashore/ashore/internal/agent/runtime/fake"
)

// A reading continues after its position: by stream, by time, and by number among the
// lines with the same time.
func TestAReadingGoesOnAfterItsPlace(t *testing.T) {
	base := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	at := func(n int) time.Time { return base.Add(time.Duration(n)) }
	// Lines as an engine may have them: ordered by time in each stream, some with the
	// same time, and one stream is stored late.
	lines := []runtime.Line{
		{At: at(1), Stream: runtime.Stdout}, {At: at(1), Stream: runtime.Stdout}, {At: at(5), Stream: runtime.Stderr},
		{At: at(2), Stream: runtime.Stdout}, {At: at(5), Stream: runtime.Stderr}, {At: at(5), Stream: runtime.Stderr}, {At: at(2), Stream: runtime.Stdout},
	}
	for i := range lines {
		lines[i].Text = fmt.Append(nil, i)
	}
	read := func(from runtime.Position) (told string, next []runtime.Position) {
		r := from.NewReading()
		for _, l := range lines {
			if !l.At.Before(from.Since()) && r.Advance(&l) {
				told += string(l.Text)
				next = append(next, l.Next)
			}
		}
		return told, next
	}
	all, places := read(runtime.Position{})
	if all != "0123456" {
		t.Fatal(all)
	}
	for i, place := range places {
		if rest, _ := read(place); rest != all[i+1:] {
			t.Errorf("after %d: %q", i, rest)
		}
	}
	if rest, _ := read(runtime.PositionAt(at(2))); rest != "23456" {
		t.Errorf("from a time on: %q", rest)
	}
}

// How far back a reading asks the engine is bounded, however long a stream was silent.
func TestSince(t *testing.T) {
	now := time.Now()
	for want, p := range map[time.Time]runtime.Position{
		{}:                        {},
		now:                       runtime.PositionAt(now),
		now.Add(-time.Second):     {Stdout: runtime.Mark{At: now}, Stderr: runtime.Mark{At: now.Add(-time.Second)}},
		now.Add(-time.Minute):     {Stdout: runtime.Mark{At: now}},
		now.Add(59 * time.Minute): {Stdout: runtime.Mark{At: now}, Stderr: runtime.Mark{At: now.Add(time.Hour)}},
	} {
		if got := p.Since(); !got.Equal(want) {
			t.Errorf("%+v: %s, want %s", p, got, want)
		}
	}
}

// Lines with the same time come once each, wherever a reading is interrupted. Without
// Mark.Count they come many times (seen).
func TestLinesOfOneTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fake.New(fake.Config{})
		defer f.Close()
		c, err := f.Create(t.Context(), runtime.Spec{Name: "c", Image: "img", Command: strings.Fields("chatter 40 sleep 3600 say last exit 0")})
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Start(t.Context(), c.ID); err != nil {
			t.Fatal(err)
		}
		cuts := time.AfterFunc(10*time.Minute, f.CutOutputs)
		defer cuts.Stop()
		var place runtime.Position
		var told []string
		enough := errors.New("enough")
		for err = enough; err != nil; {
			err = f.Output(t.Context(), c.ID, place, func() {}, func(l runtime.Line) error {
				told, place = append(told, string(l.Text)), l.Next
				return enough
			})
			if err != nil && !errors.Is(err, enough) && !errors.Is(err, runtime.ErrUnreachable) || len(told) > 200 {
				t.Fatal(err)
			}
		}
		slices.Sort(told)
		if n := len(slices.Compact(slices.Clone(told))); n != 81 || len(told) != 81 {
			t.Errorf("%d lines told, %d different ones, want 81", len(told), n)
		}
	})
}

// A command or a reading that has begun may take any time while the engine answers. It
// ends soon if the engine does not.
func TestWhatHasBegunIsBoundedByTheEnginesAnswers(t *testing.T) {
	for name, call := range map[string]func(context.Context, runtime.Runtime) error{
		"exec": func(ctx context.Context, r runtime.Runtime) error {
			_, err := r.Exec(ctx, "c", runtime.Exec{Command: []string{"/probe", "sleep", "1000000"}})
			return err
		},
		"output": func(ctx context.Context, r runtime.Runtime) error {
			return r.Output(ctx, "c", runtime.Position{}, func() {}, func(runtime.Line) error { return nil })
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := fake.New(fake.Config{})
			defer f.Close()
			b := runtime.NewBounded(f, runtime.Limits{}, nil)
			if _, err := f.Create(t.Context(), runtime.Spec{Name: "c", Image: "img", Command: []string{"sleep", "1000000"}}); err != nil {
				t.Fatal(err)
			}
			if err := f.Start(t.Context(), "c"); err != nil {
				t.Fatal(err)
			}
			done := make(chan error, 1)
			go func() { done <- call(t.Context(), b) }()
			time.Sleep(time.Hour)
			select {
			case err := <-done:
				t.Fatalf("%s: ended: %v", name, err)
			default:
			}
			f.Hang(nil)
			hung := time.Now()
			if err := <-done; !errors.Is(err, runtime.ErrUnreachable) || time.Since(hung) > time.Minute {
				t.Errorf("%s: %v after %s", name, err, time.Since(hung))
			}
		})
	}
}
