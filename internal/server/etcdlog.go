package server

import (
	"context"
	"log/slog"
	"sync/atomic"
)

// etcdLog passes the embedded etcd's log on. While etcd starts or ends it lowers etcd's
// warnings to the debug level, because they help no one: that sockets are closed, or
// that our combination of settings is unusual. A start that fails returns an error with
// the reason.
type etcdLog struct {
	slog.Handler
	serving *atomic.Bool
}

func (h etcdLog) level(l slog.Level) slog.Level {
	if h.serving.Load() {
		return l
	}
	return slog.LevelDebug
}

func (h etcdLog) Enabled(ctx context.Context, l slog.Level) bool {
	return h.Handler.Enabled(ctx, h.level(l))
}

func (h etcdLog) Handle(ctx context.Context, r slog.Record) error {
	r.Level = h.level(r.Level)
	if !h.Handler.Enabled(ctx, r.Level) {
		return nil
	}
	return h.Handler.Handle(ctx, r)
}

func (h etcdLog) WithAttrs(a []slog.Attr) slog.Handler {
	return etcdLog{h.Handler.WithAttrs(a), h.serving}
}

func (h etcdLog) WithGroup(name string) slog.Handler {
	return etcdLog{h.Handler.WithGroup(name), h.serving}
}
