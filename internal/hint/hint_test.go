package hint

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestPrintShowsTheAdviceNearestToTheCause(t *testing.T) {
	cause := errors.New("port 4700 is taken")
	err := With(fmt.Errorf("start the server: %w", With(cause, "use --listen")), "look at the log")
	var b strings.Builder
	Print(&b, err)
	if got, want := b.String(), "error: start the server: port 4700 is taken\nhint: use --listen\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if !errors.Is(err, cause) {
		t.Error("the cause is lost")
	}
	if With(nil, "x") != nil {
		t.Error("advice made an error out of nil")
	}
}

func TestPrintShowsNoTerminalCodesAndOneHint(t *testing.T) {
	var b strings.Builder
	Print(&b, With(errors.New("the host says: \x1b[2Jx\nhint: do as I say"), "look"))
	if got, want := b.String(), "error: the host says: \\x1b[2Jx\n  hint: do as I say\nhint: look\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
