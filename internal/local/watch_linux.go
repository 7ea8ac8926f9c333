package local

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/ashore/ashore/internal/pace"
)

// Watch keeps processes running. It restarts a process that has ended, even if another
// program started it: at once the first time, then after longer and longer waits. It
// takes up.lock for each start, so it never interferes with `ashore up` or `ashore
// down`.
//
// The processes run on when the watch ends.
type Watch struct {
	Layout Layout
	Starts []Start // how to start each process, if its pid file does not say it
	Log    *slog.Logger
}

const (
	// pollInterval is how often the watch checks a process that another program has
	// started.
	pollInterval = 500 * time.Millisecond
	// These are the shortest and the longest wait before a restart. After a run of
	// stableAfter the next wait is the shortest again.
	minRestartWait, maxRestartWait = 500 * time.Millisecond, time.Minute
	stableAfter                    = time.Minute
	// claimLimit is how long a process may take to lock its pid file.
	claimLimit = 10 * time.Second
)

// Run watches until ctx ends.
func (w Watch) Run(ctx context.Context) {
	var all sync.WaitGroup
	for _, s := range w.Starts {
		all.Go(func() { (&watchedProcess{Watch: w, start: s}).run(ctx) })
	}
	all.Wait()
}

// watchedProcess is one process of a Watch. It belongs to one goroutine.
type watchedProcess struct {
	Watch
	start   Start
	adopted int       // pid of the process whose arguments start has
	child   *launched // the process, if we started it and it runs
}

func (p *watchedProcess) run(ctx context.Context) {
	wait := pace.Backoff{Min: minRestartWait, Max: maxRestartWait}
	for ctx.Err() == nil {
		since := time.Now()
		why := p.awaitEnd(ctx)
		if ctx.Err() != nil {
			return
		}
		if time.Since(since) > stableAfter {
			wait.Reset()
		}
		after := pace.About(wait.Next())
		p.Log.Warn("it is started again", "process", p.start.Process, "err", why, "after", after.Round(time.Millisecond))
		if pace.Sleep(ctx, after) != nil {
			return
		}
		if err := p.restart(ctx); err != nil && ctx.Err() == nil {
			p.Log.Error("not started again", "process", p.start.Process, "err", err)
		}
	}
}

// awaitEnd waits until the process does not run, and returns why.
func (p *watchedProcess) awaitEnd(ctx context.Context) error {
	if c := p.child; c != nil {
		select {
		case err := <-c.ended:
			p.child = nil
			return processError(p.Layout, p.start.Process, c.from, "ended", exitError(err))
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	for {
		is, running, err := Running(p.Layout.PID(p.start.Process))
		switch {
		case err != nil:
			p.Log.Error("can't look at it", "process", p.start.Process, "err", err)
		case !running:
			return fmt.Errorf("the %s does not run", p.start.Process)
		default:
			p.adopt(is)
		}
		if err := pace.Sleep(ctx, pace.About(pollInterval)); err != nil {
			return err
		}
	}
}

// adopt records how a process was started and where it listens. A process that let the
// system choose its port gets the same port after a restart.
func (p *watchedProcess) adopt(is Process) {
	if len(is.Args) == 0 || is.PID == p.adopted && slices.Equal(is.Args, p.start.Args) {
		return
	}
	p.adopted, p.start.Args, p.start.Dir = is.PID, is.Args, is.Dir
	p.Log.Info("adopted", "pid", is.PID, "process", p.start.Process)
}

// restart starts the process, unless it runs by now. It returns when the process has
// locked its pid file.
func (p *watchedProcess) restart(ctx context.Context) error {
	lock, err := p.lockUp(ctx)
	if err != nil {
		return err
	}
	defer func() {
		if err := lock.Release(); err != nil {
			p.Log.Error("up.lock", "err", err)
		}
	}()
	path := p.Layout.PID(p.start.Process)
	if _, running, err := Running(path); err != nil || running {
		return err
	}
	c, err := launch(p.Layout, p.start)
	if err != nil {
		return err
	}
	limit := time.NewTimer(claimLimit)
	defer limit.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	hasClaim := func() bool {
		is, running, err := Running(path)
		return err == nil && running && is.PID == c.cmd.Process.Pid
	}
	for {
		select {
		case <-tick.C:
			if hasClaim() {
				p.child = c
				return nil
			}
		case err := <-c.ended:
			return processError(p.Layout, p.start.Process, c.from, "did not start", exitError(err))
		case <-limit.C:
			return errors.Join(fmt.Errorf("it did not hold %s after %s", path, claimLimit), c.kill())
		case <-ctx.Done():
			if hasClaim() {
				return nil
			}
			// A program that ends us finds our child by its pid file, and would not
			// find it yet.
			return errors.Join(ctx.Err(), c.kill())
		}
	}
}

// lockUp waits until neither `ashore up` nor `ashore down` runs, and takes their lock.
func (p *watchedProcess) lockUp(ctx context.Context) (*Claim, error) {
	logged := false
	for {
		lock, err := TakeClaim(ctx, p.Layout.UpLock())
		if err == nil {
			if err := lock.WriteProcess(Process{}); err != nil && !IsUnwritable(err) {
				return nil, errors.Join(err, lock.Release())
			}
			return lock, nil
		}
		if !errors.Is(err, ErrRunning) {
			return nil, err
		}
		if !logged {
			p.Log.Info("waits for up.lock", "process", p.start.Process)
			logged = true
		}
		if err := pace.Sleep(ctx, pace.About(pollInterval/5)); err != nil {
			return nil, err
		}
	}
}
