package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ashore/ashore/internal/agent/journal"
	"github.com/ashore/ashore/internal/agent/runtime"
	"github.com/ashore/ashore/internal/pace"
)

// PullBehavior is ECS_IMAGE_PULL_BEHAVIOR.
type PullBehavior string

// The behaviours.
const (
	PullDefault      PullBehavior = "default"       // the registry, else what is here
	PullAlways       PullBehavior = "always"        // the registry
	PullOnce         PullBehavior = "once"          // the registry the first time
	PullPreferCached PullBehavior = "prefer-cached" // what is here, else the registry
)

// ParsePullBehavior reads the setting; empty is default.
func ParsePullBehavior(s string) (PullBehavior, error) {
	switch b := PullBehavior(s); b {
	case "":
		return PullDefault, nil
	case PullDefault, PullAlways, PullOnce, PullPreferCached:
		return b, nil
	default:
		return "", fmt.Errorf("ECS_IMAGE_PULL_BEHAVIOR: %q is none of default, always, once, prefer-cached", s)
	}
}

// ensureImage makes sure of an image and reports how. An engine that is away, while it
// is restarted or upgraded, fails no task as long as a create would wait for it.
// begun is called when a registry is asked that may take its time.
func (e *Engine) ensureImage(ctx context.Context, container, ref string, begun func(at time.Time)) PullDone {
	end := time.Now().Add(e.cfg.CreateTimeout)
	for delay := awayDelay; ; delay = min(2*delay, awayDelayMax) {
		done, err := e.obtainImage(ctx, ref, begun)
		done.Container = container
		if err == nil {
			return done
		}
		done.Err = toFailure(CannotPull, err)
		if !errors.Is(err, runtime.ErrUnreachable) || time.Now().After(end) {
			return done
		}
		if delay == awayDelay {
			e.log.Warn("engine unreachable, trying again", "image", ref, "err", err)
		}
		if pace.Sleep(ctx, pace.Nearly(delay)) != nil {
			return done
		}
	}
}

// obtainImage takes an image from here or from its registry, as the pull behaviour
// says.
func (e *Engine) obtainImage(ctx context.Context, ref string, begun func(time.Time)) (done PullDone, err error) {
	img, err := e.cfg.Runtime.Image(ctx, ref)
	if errors.Is(err, runtime.ErrUnreachable) {
		return done, err
	}
	local := err == nil
	use := func(img runtime.Image) (PullDone, error) {
		done.Digest, done.SetsRegion = img.Digest, setsRegion(img.Env)
		return done, nil
	}
	limit := e.cfg.PullTimeout
	switch e.cfg.PullBehavior {
	case PullPreferCached:
		if local {
			return use(img)
		}
	case PullOnce:
		if local && e.wasPulled(ref) {
			return use(img)
		}
	case PullAlways:
	default:
		// An image without a digest never came from a registry: there is
		// nowhere to ask.
		if local && (img.Digest == "" || e.isRegistryUnreachable(ref)) {
			return use(img)
		}
		if local {
			limit = e.cfg.LocalPullTimeout
		}
	}
	done.Started = time.Now()
	if limit != e.cfg.LocalPullTimeout {
		begun(done.Started)
	}
	err = e.pullImage(ctx, ref, limit, local && e.cfg.PullBehavior == PullDefault)
	done.Stopped = time.Now()
	if err != nil && local && e.cfg.PullBehavior == PullDefault && ctx.Err() == nil && !errors.Is(err, runtime.ErrUnreachable) {
		e.noteUnreachable(ref)
		done.Started = time.Time{}
		done.Note = CannotPull + ": " + err.Error()
		return use(img)
	}
	if err == nil {
		img, err = e.cfg.Runtime.Image(ctx, ref)
	}
	if err != nil {
		return done, err
	}
	e.recordPulled(ref)
	return use(img)
}

const (
	pullTries    = 4
	pullDelay    = 1100 * time.Millisecond
	pullDelayMax = 5 * time.Second
)

// pullImage tries a registry, more than once where a next try may fare better.
func (e *Engine) pullImage(ctx context.Context, ref string, limit time.Duration, once bool) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	delay := pullDelay
	for try := 1; ; try++ {
		err := e.cfg.Runtime.Pull(ctx, ref, func() {})
		if err == nil {
			return nil
		}
		if errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("the registry did not answer within %s", limit)
		}
		if once || try == pullTries || ctx.Err() != nil || errors.Is(err, runtime.ErrUnreachable) || isFinal(err) {
			return err
		}
		if pace.Sleep(ctx, delay) != nil {
			return err
		}
		delay = min(2*delay, pullDelayMax)
	}
}

// isFinal: the registry answered, or nobody need be asked, and a next try would
// end the same.
func isFinal(err error) bool {
	if errors.Is(err, runtime.ErrConfig) {
		return true
	}
	text := strings.ToLower(err.Error())
	for _, s := range []string{
		"manifest unknown", "not found", "access denied", "access to the resource is denied", "unauthorized",
		"invalid reference", "no basic auth", "repository does not exist", "no matching manifest",
	} {
		if strings.Contains(text, s) {
			return true
		}
	}
	return false
}

func setsRegion(env []string) bool {
	for _, v := range env {
		if strings.HasPrefix(v, "AWS_REGION=") || strings.HasPrefix(v, "AWS_DEFAULT_REGION=") {
			return true
		}
	}
	return false
}

// isRegistryUnreachable: the registry of an image was out of reach a moment ago.
func (e *Engine) isRegistryUnreachable(ref string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	at, ok := e.unreachable[ref]
	if ok && time.Since(at) > registryRetryDelay {
		delete(e.unreachable, ref)
		ok = false
	}
	return ok
}

func (e *Engine) noteUnreachable(ref string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.unreachable[ref] = time.Now()
}

const pulledKey = "pulled/"

func (e *Engine) wasPulled(ref string) bool {
	if e.cfg.Journal == nil {
		return false
	}
	v, err := e.cfg.Journal.Get(journal.Meta, pulledKey+ref)
	if err != nil {
		e.log.Error("journal read failed", "err", err)
	}
	return v != nil
}

func (e *Engine) recordPulled(ref string) {
	if e.cfg.Journal != nil && e.cfg.PullBehavior == PullOnce {
		e.cfg.Journal.Put(journal.Meta, pulledKey+ref, []byte(time.Now().UTC().Format(time.RFC3339)))
	}
}
