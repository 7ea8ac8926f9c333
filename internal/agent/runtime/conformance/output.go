package conformance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/agent/runtime"
)

// readOutput reads a container's output from a position to its end. It returns the text by
// stream, and all lines.
func (x Target) readOutput(t *testing.T, id string, from runtime.Position) (text map[runtime.Stream][]string, lines []runtime.Line) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), maxWait)
	defer cancel()
	text = map[runtime.Stream][]string{}
	begun := false
	err := x.Runtime.Output(ctx, id, from, func() { begun = true }, func(l runtime.Line) error {
		if !begun {
			t.Error("a line before the beginning")
		}
		text[l.Stream] = append(text[l.Stream], string(l.Text))
		l.Text = slices.Clone(l.Text)
		lines = append(lines, l)
		return nil
	})
	if err != nil || !begun {
		t.Fatalf("begun %v, %v", begun, err)
	}
	return text, lines
}

func words(s string) []string { return strings.Fields(s) }

// testStreams: the output of the two streams is separate, in order and has times. So it is
// while the container runs, after its end, and over all of its runs.
func testStreams(t *testing.T, x Target) {
	before := time.Now()
	id := x.startNew(t, x.spec("output", "say", "one", "complain", "two", "sleep", "0.3", "say", "three", "complain", "four", "exit", "0"))
	for i := range 2 {
		text, lines := x.readOutput(t, id, runtime.Position{})
		if !slices.Equal(text[runtime.Stdout], words("one three")) || !slices.Equal(text[runtime.Stderr], words("two four")) {
			t.Errorf("reading %d: %q", i, text)
		}
		for _, l := range lines {
			if l.Partial || l.At.Before(before.Add(-time.Second)) || time.Since(l.At) < -time.Second {
				t.Errorf("%+v", l)
			}
		}
	}
	if err := x.Runtime.Start(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if text, _ := x.readOutput(t, id, runtime.Position{}); !slices.Equal(text[runtime.Stdout], words("one three one three")) {
		t.Errorf("after two runs: %q", text)
	}
}

// testTerminal: the output of a terminal is one stream.
func testTerminal(t *testing.T, x Target) {
	s := x.spec("output", "say", "one", "complain", "two", "say", strings.Repeat("x", 50_000), "say", "three", "exit", "0")
	s.TTY = true
	text, lines := x.readOutput(t, x.startNew(t, s), runtime.Position{})
	all := text[runtime.Stdout]
	if n := len(all); n < 4 || all[0] != "one" || all[1] != "two" || all[n-1] != "three" || len(strings.Join(all[2:n-1], "")) != 50_000 || len(text[runtime.Stderr]) > 0 {
		t.Errorf("%.100q", text)
	}
	for i, l := range lines {
		if complete := i < 2 || i >= len(lines)-2; l.Partial == complete || strings.Trim(all[i], "x") != "" && len(all[i]) > 5 {
			t.Errorf("%d: partial %v, %.100q", i, l.Partial, l.Text)
		}
	}
}

// testPositions: a reading begins at a time, or after a line.
func testPositions(t *testing.T, x Target) {
	id := x.startNew(t, x.spec("output", "say", "early", "sleep", "0.3", "say", "late", "complain", "too", "exit", "0"))
	_, lines := x.readOutput(t, id, runtime.Position{})
	if len(lines) != 3 || string(lines[0].Text) != "early" {
		t.Fatalf("%+v", lines)
	}
	// The engine stores the two streams independently.
	later := lines[1].At
	if lines[2].At.Before(later) {
		later = lines[2].At
	}
	for name, c := range map[string]struct {
		from runtime.Position
		want string // of both streams
	}{
		"between":        {runtime.PositionAt(lines[0].At.Add(100 * time.Millisecond)), "[late] [too]"},
		"its own time":   {runtime.PositionAt(later), "[late] [too]"},
		"after a line":   {lines[0].Next, "[late] [too]"},
		"after the last": {lines[2].Next, "[] []"},
		"much earlier":   {runtime.PositionAt(lines[0].At.Add(-time.Hour)), "[early late] [too]"},
		"much later":     {runtime.PositionAt(time.Now().Add(time.Hour)), "[] []"},
	} {
		text, _ := x.readOutput(t, id, c.from)
		if got := fmt.Sprint(text[runtime.Stdout], " ", text[runtime.Stderr]); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// testResume: a reading that was interrupted many times has every line once.
func testResume(t *testing.T, x Target) {
	const n = 300
	id := x.startNew(t, x.spec("output", "chatter", fmt.Sprint(n), "exit", "0"))
	enough := errors.New("enough")
	var at runtime.Position
	next := map[runtime.Stream]int{}
	name := map[runtime.Stream]string{runtime.Stdout: "out", runtime.Stderr: "err"}
	ctx, cancel := context.WithTimeout(t.Context(), maxWait)
	defer cancel()
	readings := 0
	for err := enough; err != nil; readings++ {
		told := 0
		err = x.Runtime.Output(ctx, id, at, func() {}, func(l runtime.Line) error {
			if want := fmt.Sprint(name[l.Stream], " ", next[l.Stream]); string(l.Text) != want {
				t.Errorf("reading %d: %q, want %q", readings, l.Text, want)
			}
			next[l.Stream]++
			at = l.Next
			if told++; told == 7 {
				return enough
			}
			return nil
		})
		if err != nil && !errors.Is(err, enough) || t.Failed() {
			t.Fatal(err)
		}
	}
	if next[runtime.Stdout] != n || next[runtime.Stderr] != n || readings < 2*n/7 {
		t.Errorf("%v in %d readings", next, readings)
	}
}

// testLongLines: long lines come in parts, and a reading can continue between two parts.
func testLongLines(t *testing.T, x Target) {
	long := strings.Repeat("0123456789", 6_000)
	id := x.startNew(t, x.spec("output", "say", "before", "say", long, "say", "after", "exit", "0"))
	text, lines := x.readOutput(t, id, runtime.Position{})
	if all := strings.Join(text[runtime.Stdout], ""); all != "before"+long+"after" {
		t.Errorf("%d bytes in %d parts", len(all), len(lines))
	}
	for i := range lines {
		rest := strings.Join(text[runtime.Stdout][i+1:], "")
		again, _ := x.readOutput(t, id, lines[i].Next)
		if got := strings.Join(again[runtime.Stdout], ""); got != rest {
			t.Errorf("after part %d: %d bytes, want %d", i, len(got), len(rest))
		}
		if complete := i == 0 || i >= len(lines)-2; lines[i].Partial == complete {
			t.Errorf("part %d of %d: partial %v", i, len(lines), lines[i].Partial)
		}
	}
}

// testNoOutput: readings without output.
func testNoOutput(t *testing.T, x Target) {
	if err := x.Runtime.Output(t.Context(), "ashore-conformance-absent", runtime.Position{}, func() {}, nil); !errors.Is(err, runtime.ErrNotFound) {
		t.Errorf("absent: %v", err)
	}
	if text, _ := x.readOutput(t, x.create(t, x.spec("output", "say", "x")), runtime.Position{}); len(text) > 0 {
		t.Errorf("created: %q", text)
	}
	s := x.spec("output", "say", "x", "exit", "0")
	s.Log = &runtime.Log{Driver: "none"}
	if err := x.Runtime.Output(t.Context(), x.startNew(t, s), runtime.Position{}, func() {}, nil); !errors.Is(err, runtime.ErrUnsupported) {
		t.Errorf("without a log: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	id := x.startNew(t, x.spec("output", "sleep", "600"))
	if err := x.Runtime.Output(ctx, id, runtime.Position{}, cancel, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
}
