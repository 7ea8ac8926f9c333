package fake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/ashore/ashore/internal/agent/runtime"
)

// Exec runs some of the commands of agenttest's probe: `say TEXT`, `complain TEXT`, `cat`,
// `sizes N`, `append FILE LINE`, `alive FILE`, `sleep SECONDS`, `exit CODE`. Other
// commands are not found, as in a container without a shell.
func (f *Fake) Exec(ctx context.Context, id string, e runtime.Exec) (int, error) {
	if !f.waitAnswering(ctx, "exec", id) {
		return 0, ctx.Err()
	}
	if err := f.beginCall(ctx, "exec", id, 0); err != nil {
		return 0, err
	}
	f.mu.Lock()
	c, err := f.find(id)
	if err == nil && c.Phase != runtime.PhaseRunning {
		err = &runtime.Error{Kind: runtime.ErrNotRunning, Err: fmt.Errorf("Error response from daemon: Container %s is not running", id)} //nolint:staticcheck // an engine's words
	}
	if err != nil {
		f.mu.Unlock()
		return 0, err
	}
	ended := c.ended
	f.mu.Unlock()
	if e.Begun != nil {
		e.Begun()
	}
	run, end := context.WithCancelCause(ctx)
	defer end(nil)
	go func() {
		select {
		case <-ended:
			end(errOver)
		case <-run.Done():
		}
	}()
	x := &execution{f: f, c: c, e: e, ctx: run, size: e.Size}
	code, err := x.run()
	if errors.Is(context.Cause(run), errOver) {
		return 137, nil // it was killed with its container
	}
	return code, err
}

var errOver = errors.New("fake: the container has ended")

// execution is a running command.
type execution struct {
	f    *Fake
	c    *container
	e    runtime.Exec
	ctx  context.Context
	size runtime.Size
}

func (x *execution) run() (int, error) {
	words := x.e.Command
	if len(words) > 0 && words[0] == "/probe" {
		words = words[1:]
	}
	next := func() string {
		if len(words) == 0 {
			return ""
		}
		w := words[0]
		words = words[1:]
		return w
	}
	for len(words) > 0 {
		if !x.f.waitAnswering(x.ctx, "exec", x.c.ID) {
			return 0, context.Cause(x.ctx)
		}
		var err error
		switch w := next(); w {
		case "say":
			err = x.write(x.e.Stdout, next()+"\n")
		case "complain":
			err = x.write(x.e.Stderr, next()+"\n")
		case "cat":
			err = x.copyInput()
		case "sizes":
			err = x.printSizes(next())
		case "append":
			file := next()
			next()
			x.f.mu.Lock()
			if x.c.files == nil {
				x.c.files = map[string]bool{}
			}
			x.c.files[file] = true
			x.f.mu.Unlock()
		case "alive":
			x.f.mu.Lock()
			exists := x.c.files[next()]
			x.f.mu.Unlock()
			if !exists {
				return 1, nil
			}
		case "sleep":
			err = x.sleep(next())
		case "exit":
			return strconv.Atoi(next())
		default:
			return 127, x.write(x.e.Stdout, fmt.Sprintf("exec: %q: executable file not found in $PATH", w))
		}
		if err != nil {
			return 0, err
		}
	}
	return 0, nil
}

func (x *execution) write(w io.Writer, text string) error {
	if x.e.TTY {
		w, text = x.e.Stdout, strings.ReplaceAll(text, "\n", "\r\n")
	}
	if w == nil {
		return nil
	}
	_, err := io.WriteString(w, text)
	return err
}

func (x *execution) sleep(seconds string) error {
	s, err := strconv.ParseFloat(seconds, 64)
	if err != nil {
		return err
	}
	t := time.NewTimer(time.Duration(s * float64(time.Second)))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-x.ctx.Done():
		return context.Cause(x.ctx)
	}
}

// printSizes prints the terminal's size each time it changes, n times.
func (x *execution) printSizes(n string) error {
	count, err := strconv.Atoi(n)
	if err != nil {
		return err
	}
	for size := x.size; ; {
		if size != (runtime.Size{}) {
			if err := x.write(x.e.Stdout, fmt.Sprintf("%dx%d\n", size.Rows, size.Columns)); err != nil {
				return err
			}
			count--
		}
		if count == 0 {
			return nil
		}
		select {
		case size = <-x.e.Resize:
		case <-x.ctx.Done():
			return context.Cause(x.ctx)
		}
	}
}

// copyInput writes its input to its output until the input ends.
func (x *execution) copyInput() error {
	if x.e.Stdin == nil {
		return nil
	}
	heard := make(chan []byte)
	go func() {
		defer close(heard)
		for {
			b := make([]byte, 4096)
			n, err := x.e.Stdin.Read(b)
			select {
			case heard <- b[:n]:
			case <-x.ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	for {
		select {
		case b, more := <-heard:
			if !more {
				return nil
			}
			if err := x.write(x.e.Stdout, string(b)); err != nil {
				return err
			}
		case <-x.ctx.Done():
			return context.Cause(x.ctx)
		}
	}
}
