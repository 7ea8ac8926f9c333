package contain

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestDo(t *testing.T) {
	plain := errors.New("plain")
	if err := Do(func() error { return plain }); err != plain {
		t.Errorf("an error comes back as %v", err)
	}
	var none map[string]int
	err := Do(func() error { none["x"]++; return nil })
	p := (*Panic)(nil)
	if !errors.As(err, &p) || !strings.Contains(err.Error(), "nil map") || !strings.Contains(string(p.Stack), "TestDo") {
		t.Fatalf("a panic comes back as %v", err)
	}
	var text strings.Builder
	slog.New(slog.NewTextHandler(&text, nil)).Error("x", Attrs(fmt.Errorf("more: %w", err))...)
	if !strings.Contains(text.String(), "contain_test.go") || len(Attrs(plain)) != 2 {
		t.Errorf("the log has no stack: %s", &text)
	}
}

func TestAside(t *testing.T) {
	a := Failures[string]{}
	now := time.Unix(1e9, 0)
	if _, some := a.Next(); some || a.IsWaiting("x", now) {
		t.Error("something is set aside")
	}
	var last time.Duration
	for i := 1; i <= 12; i++ {
		times, wait := a.Add("x", now)
		if times != i || wait > 90*time.Second || !a.IsWaiting("x", now.Add(wait-1)) || a.IsWaiting("x", now.Add(wait)) {
			t.Fatalf("after %d failures %d, %v", i, times, wait)
		}
		if at, some := a.Next(); !some || !at.Equal(now.Add(wait)) {
			t.Errorf("the next is at %v, %v", at, some)
		}
		if due := a.Due(now.Add(wait - 1)); due != nil {
			t.Errorf("due too early: %v", due)
		}
		if due := a.Due(now.Add(wait)); len(due) != 1 || a.Due(now.Add(wait)) != nil {
			t.Errorf("due are %v", due)
		}
		if at, _ := a.Next(); !at.After(now.Add(wait)) || a.IsWaiting("x", now.Add(wait)) {
			t.Errorf("after that the next is at %v", at)
		}
		last = wait
	}
	if last < 30*time.Second {
		t.Errorf("the twelfth wait is %v", last)
	}
	if a.IsWaiting("y", now) {
		t.Error("another one is set aside")
	}
	a.Add("y", now)
	a.Retain(func(k string) bool { return k == "y" })
	a.Forget("z")
	if times, _ := a.Add("x", now); times != 1 || a.Len() != 2 {
		t.Errorf("it is remembered: %d, %d", times, a.Len())
	}
}
