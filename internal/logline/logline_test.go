package logline

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func open() (*slog.Logger, *bytes.Buffer) {
	var b bytes.Buffer
	return slog.New(New(slog.NewTextHandler(&b, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))), &b
}

type peer struct{ cluster, id string }

func (p peer) String() string { return p.cluster + "/" + p.id }

// A line keeps its content. Long quotes are cut.
func TestLinesAreShort(t *testing.T) {
	log, b := open()
	log.With("instance", peer{"c", "i"}).Warn("said", "n", 3, "err", errors.New("why"), "d", time.Second, "list", []string{"a"}, "none", nil)
	if got := b.String(); got != "level=WARN msg=said instance=c/i n=3 err=why d=1s list=[a] none=<nil>\n" {
		t.Errorf("%q", got)
	}
	b.Reset()
	long := strings.Repeat("ü", 1<<20)
	many := make([]any, 0, 400)
	for i := range 200 {
		many = append(many, fmt.Sprint("k", i), long)
	}
	for name, line := range map[string]func(){
		"a message":       func() { log.Info(long) },
		"a text":          func() { log.Info("m", "k", long) },
		"an error":        func() { log.Info("m", "err", errors.New(long)) },
		"a value":         func() { log.Info("m", "k", []string{long}) },
		"what comes with": func() { log.With("k", long).Info("m") },
		"a group":         func() { log.Info("m", slog.Group("g", "k", long)) },
		"a stack":         func() { log.Error("panic", "stack", long) },
		"attributes":      func() { log.Info("m", many...) },
	} {
		line()
		if n := b.Len(); n > 2*maxStack+maxAttrs*maxText || n < 500 || strings.Count(b.String(), "\n") != 1 || !strings.Contains(b.String(), "… (20971") {
			t.Errorf("%s: a line of %d bytes", name, n)
		}
		b.Reset()
	}
}

// One host causes few lines, whatever it does. Lines of other hosts, and lines without
// a host, are not affected. Omitted lines are counted.
func TestOneHostsLinesAreFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, b := open()
		loud := log.With("instance", peer{"c", "loud"})
		for range 1000 {
			loud.Warn("no")
			log.Warn("no", "instance", "c/loud")
		}
		if n := strings.Count(b.String(), "\n"); n != hostLimits.EachBurst {
			t.Errorf("%d lines of one host", n)
		}
		b.Reset()
		for range 10 {
			log.Warn("quiet", "instance", peer{"c", "quiet"})
			log.Warn("none")
		}
		if n := strings.Count(b.String(), "\n"); n != 20 {
			t.Errorf("%d lines of others", n)
		}
		b.Reset()
		time.Sleep(time.Second)
		loud.Warn("again")
		loud.Warn("again")
		if got := b.String(); got != "level=WARN msg=again instance=c/loud left_out_before=1940\nlevel=WARN msg=again instance=c/loud\n" {
			t.Errorf("%q", got)
		}
	})
}

// All hosts together can't fill the log either.
func TestAllLinesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, b := open()
		for i := range 2 * hostLimits.AllBurst {
			log.Warn("no", "instance", i)
		}
		if n := strings.Count(b.String(), "\n"); n != hostLimits.AllBurst {
			t.Errorf("%d lines", n)
		}
	})
}
