package runtime

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// Limits are the longest times that an engine's answers may take. A zero value means the
// default.
type Limits struct {
	Ping        time.Duration // 10 s; also for Info and for the begin of an event stream
	Read        time.Duration // 30 s: Image, Inspect, List, VolumeExists and the begin of Output
	Stats       time.Duration // 15 s
	Create      time.Duration // 4 min
	Start       time.Duration // 3 min
	Stop        time.Duration // 1 min, in addition to the container's own time
	Remove      time.Duration // 3 min; also for RemoveImage
	Volume      time.Duration // 1 min: CreateVolume, RemoveVolume
	Load        time.Duration // 10 min
	Exec        time.Duration // 30 s, until a command begins
	PullStall   time.Duration // 5 min without progress
	EventsQuiet time.Duration // 20 s without an event or output; then the engine is pinged
}

func (l Limits) withDefaults() Limits {
	for _, d := range []struct {
		limit *time.Duration
		v     time.Duration
	}{
		{&l.Ping, 10 * time.Second}, {&l.Read, 30 * time.Second}, {&l.Stats, 15 * time.Second},
		{&l.Create, 4 * time.Minute}, {&l.Start, 3 * time.Minute}, {&l.Stop, time.Minute}, {&l.Remove, 3 * time.Minute},
		{&l.Volume, time.Minute}, {&l.Load, 10 * time.Minute}, {&l.Exec, 30 * time.Second}, {&l.PullStall, 5 * time.Minute}, {&l.EventsQuiet, 20 * time.Second},
	} {
		if *d.limit == 0 {
			*d.limit = d.v
		}
	}
	return l
}

// Bounded is a Runtime whose calls all end within their limits. If a call exceeds its
// limit, the error is ErrUnreachable. The engine may still carry out the call later.
type Bounded struct {
	rt     Runtime
	limits Limits

	onLate func()

	mu       sync.Mutex
	progress map[string]callProgress // by kind of call: create, start, stats
}

// callProgress records the results of one kind of call. These calls need more than the
// engine's own process: the container runtime and the storage. An engine can answer all
// other calls while these hang.
type callProgress struct {
	answered time.Time // when a call was last answered
	late     time.Time // when a call last timed out; zero if one that began before was answered since
}

var _ Runtime = (*Bounded)(nil)

// NewBounded returns rt with limits. onLate, if not nil, is called when the result of
// CheckLate changes to or from nil. It must not block.
func NewBounded(rt Runtime, l Limits, onLate func()) *Bounded {
	if onLate == nil {
		onLate = func() {}
	}
	return &Bounded{rt: rt, limits: l.withDefaults(), onLate: onLate, progress: map[string]callProgress{}}
}

// The kinds of calls that callProgress records.
const (
	opCreate = "create"
	opStart  = "start"
	opStats  = "stats"
)

// lateWindow is how long a timed-out call counts if no other call of its kind follows.
// After that, the engine gets another chance.
const lateWindow = 5 * time.Minute

// CheckLate returns an error if the engine does not finish its work, even if it answers
// other calls: a call that creates, starts or samples a container timed out, and no call
// of its kind was answered since it began. When the engine's events begin again after it
// was away, this begins again too.
func (b *Bounded) CheckLate() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.checkLateLocked()
}

func (b *Bounded) checkLateLocked() error {
	for op, p := range b.progress {
		if since := time.Since(p.late); since <= lateWindow {
			return &Error{Kind: ErrUnreachable, Err: fmt.Errorf("the container engine does not get its work done: %s was given up %s ago", op, since.Round(time.Second))}
		}
	}
	return nil
}

// recordResult records the result of a call.
func (b *Bounded) recordResult(op string, began time.Time, err error) {
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, ErrUnreachable):
	case errors.Is(err, context.DeadlineExceeded):
		b.update(func() {
			if p := b.progress[op]; !p.answered.After(began) {
				b.progress[op] = callProgress{answered: p.answered, late: time.Now()}
			}
		})
	default:
		b.recordDone(op)
	}
}

// recordDone records that calls of some kinds were answered.
func (b *Bounded) recordDone(ops ...string) {
	b.update(func() {
		for _, op := range ops {
			b.progress[op] = callProgress{answered: time.Now()}
		}
	})
}

// update applies a change and calls onLate if the result of CheckLate has changed.
func (b *Bounded) update(what func()) {
	b.mu.Lock()
	before := b.checkLateLocked()
	what()
	changed := (before == nil) != (b.checkLateLocked() == nil)
	b.mu.Unlock()
	if changed {
		b.onLate()
	}
}

// timeoutError returns the error of a call that timed out.
func timeoutError(op string, limit time.Duration) error {
	return &Error{Kind: ErrUnreachable, Err: fmt.Errorf("the container engine did not answer within %s (%s)", limit, op)}
}

// callWithin makes a call with a limit. If the caller's own context ends, the error is the
// context's.
func callWithin[T any](ctx context.Context, op string, limit time.Duration, call func(context.Context) (T, error)) (T, error) {
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	v, err := call(bounded)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return v, timeoutError(op, limit)
	}
	return v, err
}

func runWithin(ctx context.Context, op string, limit time.Duration, call func(context.Context) error) error {
	_, err := callWithin(ctx, op, limit, func(ctx context.Context) (struct{}, error) { return struct{}{}, call(ctx) })
	return err
}

// callRecorded is callWithin and records the result.
func callRecorded[T any](ctx context.Context, b *Bounded, op string, limit time.Duration, call func(context.Context) (T, error)) (T, error) {
	return callWithin(ctx, op, limit, func(ctx context.Context) (T, error) {
		began := time.Now()
		v, err := call(ctx)
		b.recordResult(op, began, err)
		return v, err
	})
}

// Ping is limited by Limits.Ping.
func (b *Bounded) Ping(ctx context.Context) error {
	return runWithin(ctx, "ping", b.limits.Ping, b.rt.Ping)
}

// Info is limited by Limits.Ping.
func (b *Bounded) Info(ctx context.Context) (Info, error) {
	return callWithin(ctx, "info", b.limits.Ping, b.rt.Info)
}

// Image is limited by Limits.Read.
func (b *Bounded) Image(ctx context.Context, ref string) (Image, error) {
	return callWithin(ctx, "image", b.limits.Read, func(ctx context.Context) (Image, error) { return b.rt.Image(ctx, ref) })
}

// Pull may take any time while it makes progress. Limits.PullStall limits the time without
// progress.
func (b *Bounded) Pull(ctx context.Context, ref string, progress func()) error {
	stalled, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	limit := b.limits.PullStall
	timer := time.AfterFunc(limit, func() {
		cancel(&Error{Kind: ErrUnreachable, Err: fmt.Errorf("the pull made no progress for %s", limit)})
	})
	defer timer.Stop()
	err := b.rt.Pull(stalled, ref, func() {
		timer.Reset(limit)
		progress()
	})
	if err != nil && stalled.Err() != nil && ctx.Err() == nil {
		return context.Cause(stalled)
	}
	return err
}

// Load is limited by Limits.Load.
func (b *Bounded) Load(ctx context.Context, archive io.Reader) ([]string, error) {
	return callWithin(ctx, "load", b.limits.Load, func(ctx context.Context) ([]string, error) { return b.rt.Load(ctx, archive) })
}

// RemoveImage is limited by Limits.Remove.
func (b *Bounded) RemoveImage(ctx context.Context, ref string) error {
	return runWithin(ctx, "remove image", b.limits.Remove, func(ctx context.Context) error { return b.rt.RemoveImage(ctx, ref) })
}

// Create is limited by Limits.Create.
func (b *Bounded) Create(ctx context.Context, spec Spec) (Created, error) {
	return callRecorded(ctx, b, opCreate, b.limits.Create, func(ctx context.Context) (Created, error) { return b.rt.Create(ctx, spec) })
}

// Start is limited by Limits.Start.
func (b *Bounded) Start(ctx context.Context, id string) error {
	_, err := callRecorded(ctx, b, opStart, b.limits.Start, func(ctx context.Context) (struct{}, error) { return struct{}{}, b.rt.Start(ctx, id) })
	return err
}

// Stop is limited by the container's own time plus Limits.Stop.
func (b *Bounded) Stop(ctx context.Context, id string, timeout time.Duration) error {
	return runWithin(ctx, "stop", timeout+b.limits.Stop, func(ctx context.Context) error { return b.rt.Stop(ctx, id, timeout) })
}

// Remove is limited by Limits.Remove.
func (b *Bounded) Remove(ctx context.Context, id string, force bool) error {
	return runWithin(ctx, "remove", b.limits.Remove, func(ctx context.Context) error { return b.rt.Remove(ctx, id, force) })
}

// Inspect is limited by Limits.Read.
func (b *Bounded) Inspect(ctx context.Context, id string) (Container, error) {
	return callWithin(ctx, "inspect", b.limits.Read, func(ctx context.Context) (Container, error) { return b.rt.Inspect(ctx, id) })
}

// List is limited by Limits.Read.
func (b *Bounded) List(ctx context.Context, labels map[string]string) ([]Container, error) {
	return callWithin(ctx, "list", b.limits.Read, func(ctx context.Context) ([]Container, error) { return b.rt.List(ctx, labels) })
}

// Stats is limited by Limits.Stats.
func (b *Bounded) Stats(ctx context.Context, id string) (Stats, error) {
	return callRecorded(ctx, b, opStats, b.limits.Stats, func(ctx context.Context) (Stats, error) { return b.rt.Stats(ctx, id) })
}

// CreateVolume is limited by Limits.Volume.
func (b *Bounded) CreateVolume(ctx context.Context, v Volume) error {
	return runWithin(ctx, "create volume", b.limits.Volume, func(ctx context.Context) error { return b.rt.CreateVolume(ctx, v) })
}

// VolumeExists is limited by Limits.Read.
func (b *Bounded) VolumeExists(ctx context.Context, name string) (bool, error) {
	return callWithin(ctx, "volume", b.limits.Read, func(ctx context.Context) (bool, error) { return b.rt.VolumeExists(ctx, name) })
}

// RemoveVolume is limited by Limits.Volume.
func (b *Bounded) RemoveVolume(ctx context.Context, name string) error {
	return runWithin(ctx, "remove volume", b.limits.Volume, func(ctx context.Context) error { return b.rt.RemoveVolume(ctx, name) })
}

// Close closes the runtime.
func (b *Bounded) Close() error { return b.rt.Close() }
