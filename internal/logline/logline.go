// Package logline bounds a log, whatever those say who are quoted in it: how long a
// line gets, and how many lines one caller brings about.
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
	// longest is how many bytes of a text a line has, and longestStack of a stack.
	maxText, maxStack = 1 << 10, 16 << 10
	// most is how many attributes a line has.
	maxAttrs = 32
)

// Limits say how many lines a log gets.
type Limits struct {
	// Sources are the attributes that name whom a line is about; the first that a line
	// has counts. A line without any is bounded only as one of all.
	Sources []string
	// Each brings about so many lines a second, and so many at once.
	Each      float64
	EachBurst int
	// All that is logged above the level debug has together so many.
	All      float64
	AllBurst int
}

// hostLimits are the limits of a process's log: lines that hosts bring about.
var hostLimits = Limits{Sources: []string{"by", "instance", "host"}, Each: 2, EachBurst: 60, All: 200, AllBurst: 4000}

// Handler passes lines on, cut where they are too long. Of those that are too many it
// passes none, and says later how many were left out.
type Handler struct {
	next   slog.Handler
	limits *limits
	source string // of the attributes that come with every line
}

// limits are shared by the handlers of one log.
type limits struct {
	sources   []string
	each, all *inflight.Rates

	mu      sync.Mutex
	leftOut map[string]int // source → lines; guarded by mu
}

// maxLeftOut is of how many sources it is counted what was left out.
const maxLeftOut = 10_000

// New bounds what next gets of what hosts bring about.
func New(next slog.Handler) *Handler { return NewLimited(next, hostLimits) }

// NewLimited bounds what next gets.
func NewLimited(next slog.Handler, l Limits) *Handler {
	return &Handler{next: next, limits: &limits{
		sources: l.Sources, each: inflight.NewRates(l.Each, l.EachBurst), all: inflight.NewRates(l.All, l.AllBurst), leftOut: map[string]int{},
	}}
}

// Enabled is next's.
func (h *Handler) Enabled(ctx context.Context, l slog.Level) bool { return h.next.Enabled(ctx, l) }

// WithGroup is next's.
func (h *Handler) WithGroup(name string) slog.Handler {
	n := *h
	n.next = h.next.WithGroup(name)
	return &n
}

// WithAttrs cuts what comes with every line, and learns whom they are about.
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

// Handle passes a line on, or counts it among those left out.
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

// allow counts a line and says whether it may be written, and how many of its source
// were not since the last that was.
func (l *limits) allow(source string, level slog.Level) (before int, ok bool) {
	ok = (source == "" || l.each.Take(source, 1)) && (level <= slog.LevelDebug || l.all.Take("", 1))
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

// clipAttr cuts what an attribute says.
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

// formatValue is what a value says, as the text handler would.
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
