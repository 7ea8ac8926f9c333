package conformance

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/agent/runtime"
)

// execResult is a command's exit code and output.
type execResult struct {
	code        int
	out, errors string
}

func (x Target) startNew(t *testing.T, s runtime.Spec) string {
	t.Helper()
	id := x.create(t, s)
	if err := x.Runtime.Start(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	return id
}

// exec runs a command of the probe that must not fail.
func (x Target) exec(t *testing.T, id string, e runtime.Exec) execResult {
	t.Helper()
	var out, errs bytes.Buffer
	e.Command = append([]string{"/probe"}, e.Command...)
	e.Stdout, e.Stderr = &out, &errs
	code, err := x.Runtime.Exec(t.Context(), id, e)
	if err != nil {
		t.Fatalf("%q: %v", e.Command, err)
	}
	return execResult{code, out.String(), errs.String()}
}

func testExec(t *testing.T, x Target) {
	id := x.startNew(t, x.spec("exec", "sleep", "600"))
	begun := 0
	got := x.exec(t, id, runtime.Exec{Command: []string{"say", "hello", "complain", "sorry", "exit", "3"}, Begun: func() { begun++ }})
	if got != (execResult{3, "hello\n", "sorry\n"}) || begun != 1 {
		t.Errorf("%+v, begun %d times", got, begun)
	}
	if got := x.exec(t, id, runtime.Exec{Command: []string{"say", "a", "complain", "b"}, TTY: true}); got != (execResult{0, "a\r\nb\r\n", ""}) {
		t.Errorf("with a terminal: %+v", got)
	}
	long := strings.Repeat("0123456789abcde\n", 1<<16)
	if got := x.exec(t, id, runtime.Exec{Command: []string{"cat", "exit", "4"}, Stdin: strings.NewReader(long)}); got.code != 4 || got.out != long {
		t.Errorf("exit code %d, %d bytes of %d came back", got.code, len(got.out), len(long))
	}
	if got := x.exec(t, id, runtime.Exec{Command: []string{"cat"}}); got != (execResult{}) {
		t.Errorf("without input: %+v", got)
	}
	for _, command := range [][]string{{"/no-such-program"}, {"no-such-program", "x"}} {
		if code, err := x.Runtime.Exec(t.Context(), id, runtime.Exec{Command: command}); err != nil || code != 126 && code != 127 {
			t.Errorf("%q: exit code %d, %v", command, code, err)
		}
	}
}

// testResize: a terminal has its initial size and gets new ones.
func testResize(t *testing.T, x Target) {
	id := x.startNew(t, x.spec("exec", "sleep", "600"))
	r, w := io.Pipe()
	sizes := make(chan runtime.Size, 1)
	type result struct {
		code int
		err  error
	}
	done := make(chan result, 1)
	go func() {
		code, err := x.Runtime.Exec(t.Context(), id, runtime.Exec{
			Command: []string{"/probe", "sizes", "2"}, TTY: true, Size: runtime.Size{Rows: 24, Columns: 80}, Resize: sizes, Stdout: w,
		})
		w.Close()
		done <- result{code, err}
	}()
	first := make([]byte, len("24x80\r\n"))
	if _, err := io.ReadFull(r, first); err != nil || string(first) != "24x80\r\n" {
		t.Fatalf("%q, %v", first, err)
	}
	sizes <- runtime.Size{Rows: 40, Columns: 100}
	rest, err := io.ReadAll(r)
	if got := <-done; got != (result{}) || string(rest) != "40x100\r\n" || err != nil {
		t.Errorf("%q, %v, %+v", rest, err, got)
	}
}

// testAbandonedExec: a command ends if its caller goes away or can't take its output. It
// also ends with its container.
func testAbandonedExec(t *testing.T, x Target) {
	id := x.startNew(t, x.spec("exec", "sleep", "600"))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, err := x.Runtime.Exec(ctx, id, runtime.Exec{Command: []string{"/probe", "say", "x", "sleep", "1", "append", "/cancelled", "x"}, Stdout: writer(func() error {
		cancel()
		return nil
	})})
	if !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "may go on") {
		t.Errorf("cancelled: %v", err)
	}
	full := errors.New("full")
	_, err = x.Runtime.Exec(t.Context(), id, runtime.Exec{Command: []string{"/probe", "say", "x", "sleep", "1", "append", "/refused", "x"}, Stdout: writer(func() error { return full })})
	if !errors.Is(err, full) || strings.Contains(err.Error(), "may go on") {
		t.Errorf("refused: %v", err)
	}
	if got := x.exec(t, id, runtime.Exec{Command: []string{"sleep", "1.5", "append", "/heard", "x"}}); got.code != 0 {
		t.Errorf("%+v", got)
	}
	for file, code := range map[string]int{"/cancelled": 1, "/refused": 1, "/heard": 0} {
		if got := x.exec(t, id, runtime.Exec{Command: []string{"alive", file}}); got.code != code {
			t.Errorf("%s: %+v", file, got)
		}
	}
	removed := make(chan error, 1)
	code, err := x.Runtime.Exec(t.Context(), id, runtime.Exec{Command: []string{"/probe", "say", "x", "sleep", "600"}, Stdout: writer(func() error {
		go func() { removed <- x.Runtime.Remove(t.Context(), id, true) }()
		return nil
	})})
	if err := <-removed; err != nil {
		t.Error(err)
	}
	// An engine may forget the command together with its container.
	if code != 137 && !errors.Is(err, runtime.ErrNotFound) {
		t.Errorf("its container is gone: exit code %d, %v", code, err)
	}
}

type writer func() error

func (w writer) Write(p []byte) (int, error) { return len(p), w() }

// testExecNotRunning: no command runs in a container that does not run.
func testExecNotRunning(t *testing.T, x Target) {
	events := x.followEvents(t, map[string]string{Label: x.Installation})
	command := runtime.Exec{Command: []string{"/probe", "say", "x"}}
	if _, err := x.Runtime.Exec(t.Context(), "ashore-conformance-absent", command); !errors.Is(err, runtime.ErrNotFound) {
		t.Errorf("absent: %v", err)
	}
	id := x.create(t, x.spec("exec", "exit", "0"))
	if _, err := x.Runtime.Exec(t.Context(), id, command); !errors.Is(err, runtime.ErrNotRunning) {
		t.Errorf("created: %v", err)
	}
	if err := x.Runtime.Start(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	waitEvent(t, events, runtime.EventExited, id)
	if _, err := x.Runtime.Exec(t.Context(), id, command); !errors.Is(err, runtime.ErrNotRunning) {
		t.Errorf("ended: %v", err)
	}
}

// testConcurrentExec: each of several commands gets its own output.
func testConcurrentExec(t *testing.T, x Target) {
	id := x.startNew(t, x.spec("exec", "sleep", "600"))
	results := make(chan string)
	words := strings.Fields("a b c d e f g h")
	for _, w := range words {
		go func() {
			var out bytes.Buffer
			if _, err := x.Runtime.Exec(t.Context(), id, runtime.Exec{Command: []string{"/probe", "sleep", "0.2", "say", w}, Stdout: &out}); err != nil {
				t.Error(err)
			}
			results <- strings.TrimSpace(out.String())
		}()
	}
	began := time.Now()
	var got []string
	for range words {
		got = append(got, <-results)
	}
	if slices.Sort(got); !slices.Equal(got, words) {
		t.Errorf("%q after %s", got, time.Since(began))
	}
}
