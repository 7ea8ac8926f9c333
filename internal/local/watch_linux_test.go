package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/pace"
)

// watching runs a watcher over a server, which is the test's own binary.
type watching struct {
	t      *testing.T
	layout Layout
	start  Start
	said   *words
	stop   func()
}

// words is a log that can be read while it is written.
type words struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (w *words) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.Write(p)
}

func (w *words) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.String()
}

func watchOver(t *testing.T, how string) *watching {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	w := &watching{t: t, layout: testLayout(t), said: new(words)}
	w.start = Start{Process: "server", Binary: self, Args: []string{how, w.layout.PID("server")}, Limit: 30 * time.Second}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		Watch{Layout: w.layout, Starts: []Start{w.start}, Log: slog.New(slog.NewTextHandler(w.said, nil))}.Run(ctx)
	}()
	w.stop = func() { cancel(); <-ended }
	t.Cleanup(func() {
		w.stop()
		if _, err := Stop(context.WithoutCancel(t.Context()), w.layout.PID("server"), 10*time.Second); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("the watcher said:\n%s", w.said)
		}
	})
	return w
}

// await returns the process that has locked the pid file, if it is not the earlier one.
func (w *watching) await(before int) Process {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 30*time.Second)
	defer cancel()
	for {
		p, running, err := Running(w.layout.PID("server"))
		if err != nil {
			w.t.Fatal(err)
		}
		if running && p.Ready && p.PID != before {
			return p
		}
		if pace.Sleep(ctx, 5*time.Millisecond) != nil {
			w.t.Fatal("it was not started again")
		}
	}
}

func (w *watching) kill(pid int) {
	w.t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		w.t.Fatal(err)
	}
}

// TestWatch: a process that ends is restarted, whichever program started it first. The
// end of the watcher ends no process.
func TestWatch(t *testing.T) {
	w := watchOver(t, "be-good")
	last := w.await(0).PID // it did not run before
	for range 2 {
		w.kill(last)
		last = w.await(last).PID
	}
	w.stop()
	if p, running, err := Running(w.layout.PID("server")); !running || p.PID != last || err != nil {
		t.Error("after the watcher's end:", p, running, err)
	}
}

// TestWatchAdopts: a process that another program started is restarted with the same
// arguments.
func TestWatchAdopts(t *testing.T) {
	w := watchOver(t, "be-wrong") // with its own arguments it would fail
	p, err := Spawn(t.Context(), w.layout, Start{Process: "server", Binary: w.start.Binary, Args: []string{"be-good", w.layout.PID("server")}, Limit: 30 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	// The watcher checks twice a second.
	for !strings.Contains(w.said.String(), "adopted pid="+fmt.Sprint(p.PID)) {
		if pace.Sleep(t.Context(), 5*time.Millisecond) != nil {
			t.Fatal("not adopted")
		}
	}
	w.kill(p.PID)
	w.await(p.PID)
}

// TestWatchGivesWay: the watcher starts nothing while `ashore up` or `ashore down`
// runs, and leaves alone what they start.
func TestWatchGivesWay(t *testing.T) {
	w := watchOver(t, "be-good")
	first := w.await(0).PID
	lock, err := TakeClaim(t.Context(), w.layout.UpLock())
	for errors.Is(err, ErrRunning) && t.Context().Err() == nil { // the watcher has it, for this start
		lock, err = TakeClaim(t.Context(), w.layout.UpLock())
	}
	if err != nil {
		t.Fatal(err)
	}
	w.kill(first)
	for !strings.Contains(w.said.String(), "waits for up.lock") {
		if pace.Sleep(t.Context(), 5*time.Millisecond) != nil {
			t.Fatal("it does not come to it")
		}
	}
	if _, running, err := Running(w.layout.PID("server")); running || err != nil {
		t.Fatal("started while the lock was held", err)
	}
	p, err := Spawn(t.Context(), w.layout, w.start)
	if err != nil {
		t.Fatal(err)
	}
	if err := lock.Release(); err != nil {
		t.Fatal(err)
	}
	w.kill(p.PID)
	w.await(p.PID)
	if n := strings.Count(w.said.String(), "did not start"); n > 0 {
		t.Errorf("%d starts beside one that ran", n)
	}
}

// TestWatchWaitsLonger: a process that fails repeatedly is restarted after growing
// waits. Each time the log has the reason.
func TestWatchWaitsLonger(t *testing.T) {
	w := watchOver(t, "be-wrong")
	begun := time.Now()
	for strings.Count(w.said.String(), "the server did not start: port 1 is taken") < 3 {
		if time.Since(begun) > 30*time.Second || pace.Sleep(t.Context(), 5*time.Millisecond) != nil {
			t.Fatal("not three tries")
		}
	}
	// 0.5, 1 and 2 s, each at least half of that.
	if took := time.Since(begun); took < 1750*time.Millisecond {
		t.Errorf("three tries in %s", took)
	}
}

// TestClaimNeedsNoMoreRoom: a new text in a claim needs no more disk space than the old
// one.
func TestClaimNeedsNoMoreRoom(t *testing.T) {
	l := testLayout(t)
	path := l.PID("server")
	size := func() (int64, int64) {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Size(), info.Sys().(*syscall.Stat_t).Blocks
	}
	c, err := TakeClaim(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	bytes, blocks := size()
	for _, p := range []Process{{}, {Ready: true, Args: []string{"server", strings.Repeat("x", 2000)}}, {}} {
		if err := c.WriteProcess(p); err != nil {
			t.Fatal(err)
		}
		if is, running, err := Running(path); err != nil || !running || is.PID != os.Getpid() || is.Ready != p.Ready || len(is.Args) != len(p.Args) {
			t.Errorf("%+v, %v, %v", is, running, err)
		}
		if nowBytes, nowBlocks := size(); nowBytes != bytes || nowBlocks != blocks {
			t.Errorf("it takes %d bytes, took %d", nowBytes, bytes)
		}
	}
	// More than a block, and then less again.
	for _, n := range []int{6000, 1} {
		if err := c.WriteProcess(Process{Args: []string{strings.Repeat("x", n)}}); err != nil {
			t.Fatal(err)
		}
		if is, _, _ := Running(path); len(is.Args) != 1 || len(is.Args[0]) != n {
			t.Errorf("%d: %d", n, len(is.Args))
		}
	}
	if err := c.Release(); err != nil {
		t.Fatal(err)
	}
	if nowBytes, _ := size(); nowBytes < bytes {
		t.Error("the file gave its room away")
	}
}
