// Package logline bounds a log, whatever text of others it quotes. It bounds the length
// of a line, and the number of lines that one caller causes.
package logline

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"

	"github.com/ashore/ashore/internal/wire/inflight"
)

const (
	// maxText is the longest text of a line in bytes, and maxStack the longest stack.
	maxText, maxStack = 1 << 10, 16 << 10
	// maxAttrs is the largest number of attributes of a line.
	maxAttrs = 32
)

// Limits bound the number of lines of a log.
type Limits struct {
	// Sources are the attributes that name the source of a line. The first one that a
	// line has counts. A line without any is bounded only by All.
	Sources []string
	// Each source may cause Each lines a second, and EachBurst at once.
	Each      float64
	EachBurst int
	// All lines above level debug are bounded by All a second, and AllBurst at once.
	All      float64
	AllBurst int
}

// hostLimits are the limits of a process's log. Its sources are hosts.
var hostLimits = Limits{Sources: []string{"by", "instance", "host"}, Each: 2, EachBurst: 60, All: 200, AllBurst: 4000}

// Handler passes lines on and cuts long ones. It drops lines beyond the limits, and a
// later line says how many were left out.
type Handler struct {
	next   slog.Handler
	limits *limits
	source string // from the attributes that every line has
}

// limits are shared by the handlers of one log.
type limits struct {
	sources   []string
	each, all *inflight.Rates

	mu      sync.Mutex
	leftOut map[string]int // source → lines; guarded by mu
}

// maxLeftOut is for how many sources the handler counts the lines left out.
const maxLeftOut = 10_000

// New returns a Handler before next with the limits for hosts.
func New(next slog.Handler) *Handler { return NewLimited(next, hostLimits) }

// NewLimited returns a Handler before next with limits l.
func NewLimited(next slog.Handler, l Limits) *Handler {
	return &Handler{next: next, limits: &limits{
		sources: l.Sources, each: inflight.NewRates(l.Each, l.EachBurst), all: inflight.NewRates(l.All, l.AllBurst), leftOut: map[string]int{},
	}}
}

// Enabled says whether next is enabled.
func (h *Handler) Enabled(ctx context.Context, l slog.Level) bool { return h.next.Enabled(ctx, l) }

// WithGroup returns a Handler before next's WithGroup.
func (h *Handler) WithGroup(name string) slog.Handler {
	n := *h
	n.next = h.next.WithGroup(name)
	return &n
}

// WithAttrs cuts the attributes that every line has, and takes the source from them.
func (h *Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	n := *h
	cut := make([]slog.Attr, 0, len(attrs))
	for _, a := range attrs {
		cut = append(cut, clipAttr(a))
	}
	n.source = h.limits.sourceOf(h.source, cut)
	n.next = h.next.WithAttrs(cut)
	return &n
}

// Handle passes a line on, or counts it as left out.
func (h *Handler) Handle(ctx context.Context, r slog.Record) error {
	cut := make([]slog.Attr, 0, min(r.NumAttrs(), maxAttrs)+1)
	r.Attrs(func(a slog.Attr) bool {
		cut = append(cut, clipAttr(a))
		return len(cut) < maxAttrs
	})
	source := h.limits.sourceOf(h.source, cut)
	before, ok := h.limits.allow(source, r.Level)
	if !ok {
		return nil
	}
	if before > 0 {
		cut = append(cut, slog.Int("left_out_before", before))
	}
	line := slog.NewRecord(r.Time, r.Level, clipText(r.Message, maxText), r.PC)
	line.AddAttrs(cut...)
	return h.next.Handle(ctx, line)
}

// allow counts a line and says whether it may be written. before is the number of lines
// of its source that were left out since the last written one.
func (l *limits) allow(source string, level slog.Level) (before int, ok bool) {
	ok = (source == "" || l.each.Allow(source, 1)) && (level <= slog.LevelDebug || l.all.Allow("", 1))
	l.mu.Lock()
	defer l.mu.Unlock()
	if ok {
		before = l.leftOut[source]
		delete(l.leftOut, source)
	} else if _, counted := l.leftOut[source]; counted || len(l.leftOut) < maxLeftOut {
		l.leftOut[source]++
	}
	return before, ok
}

func (l *limits) sourceOf(source string, attrs []slog.Attr) string {
	for _, name := range l.sources {
		for _, a := range attrs {
			if a.Key == name {
				return a.Value.String()
			}
		}
	}
	return source
}

// clipAttr cuts an attribute's text.
func clipAttr(a slog.Attr) slog.Attr {
	v := a.Value.Resolve()
	limit := maxText
	if a.Key == "stack" {
		limit = maxStack
	}
	switch v.Kind() {
	case slog.KindString:
		return slog.String(a.Key, clipText(v.String(), limit))
	case slog.KindGroup:
		var group []slog.Attr
		for _, g := range v.Group() {
			if len(group) == maxAttrs {
				break
			}
			group = append(group, clipAttr(g))
		}
		return slog.Attr{Key: a.Key, Value: slog.GroupValue(group...)}
	case slog.KindAny:
		return slog.String(a.Key, clipText(formatValue(v.Any()), limit))
	}
	return a
}

// formatValue returns a value's text, as slog's text handler writes it.
func formatValue(v any) string {
	switch v := v.(type) {
	case nil:
		return "<nil>"
	case error:
		return v.Error()
	case fmt.Stringer:
		return v.String()
	}
	return fmt.Sprintf("%+v", v)
}

func clipText(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "… (" + strconv.Itoa(len(s)) + " bytes)"
}
