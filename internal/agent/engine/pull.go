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

// PullBehavior is the value of ECS_IMAGE_PULL_BEHAVIOR.
type PullBehavior string

// The pull behaviors.
const (
	PullDefault      PullBehavior = "default"       // pull; if that fails, use the image on the host
	PullAlways       PullBehavior = "always"        // always pull
	PullOnce         PullBehavior = "once"          // pull, unless it is on the host and this agent pulled it before
	PullPreferCached PullBehavior = "prefer-cached" // pull only if the image is not on the host
)

// ParsePullBehavior parses the setting. The empty string is the default.
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

// ensureImage makes sure that an image is on the host, and returns the outcome. If the
// runtime is away because of a restart or an upgrade, it retries for as long as a create
// would. It calls begun before a pull that may take long.
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

// obtainImage returns the image on the host or pulls it, as the pull behavior demands.
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
		// An image without a digest never came from a registry, so no registry can have
		// it.
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

// pullImage pulls an image. Unless once is set, it retries if a retry may succeed.
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

// isFinal reports whether a retry of a pull would fail in the same way: the registry has
// refused it, or the reference is invalid.
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

// setsRegion reports whether an image's environment sets an AWS region.
func setsRegion(env []string) bool {
	for _, v := range env {
		if strings.HasPrefix(v, "AWS_REGION=") || strings.HasPrefix(v, "AWS_DEFAULT_REGION=") {
			return true
		}
	}
	return false
}

// isRegistryUnreachable reports whether an image's registry was found unreachable less
// than registryRetryDelay ago.
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

// noteUnreachable records that an image's registry can't be reached now.
func (e *Engine) noteUnreachable(ref string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.unreachable[ref] = time.Now()
}

const pulledKey = "pulled/"

// wasPulled reports whether this agent has pulled an image before.
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

// recordPulled journals that an image was pulled, if the pull behavior needs that.
func (e *Engine) recordPulled(ref string) {
	if e.cfg.Journal != nil && e.cfg.PullBehavior == PullOnce {
		e.cfg.Journal.Put(journal.Meta, pulledKey+ref, []byte(time.Now().UTC().Format(time.RFC3339)))
	}
}
