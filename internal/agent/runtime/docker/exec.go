package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/client"

	"github.com/ashore/ashore/internal/agent/runtime"
	"github.com/ashore/ashore/internal/pace"
)

const (
	killTime    = 5 * time.Second       // for killing an abandoned command
	execPoll    = 10 * time.Millisecond // first pause between two calls for a command's exit code
	execPollMax = time.Second           // longest pause
	execEnd     = time.Second           // how long a command may go on after its connection has ended
	resizeTime  = 2 * time.Second       // until a command has a terminal
)

// Exec runs a command. The engine's API can't kill a command. If the context ends,
// killExec kills it from the host.
func (d *Docker) Exec(ctx context.Context, id string, e runtime.Exec) (int, error) {
	created, err := d.api.ExecCreate(ctx, id, client.ExecCreateOptions{
		Cmd: e.Command, Env: e.Env, User: e.User, WorkingDir: e.WorkingDir, TTY: e.TTY,
		AttachStdin: e.Stdin != nil, AttachStdout: true, AttachStderr: true,
	})
	if err != nil {
		return 0, convertError(err)
	}
	conn, err := d.api.ExecAttach(ctx, created.ID, client.ExecAttachOptions{TTY: e.TTY})
	if err != nil {
		return 0, convertError(err)
	}
	if e.Begun != nil {
		e.Begun()
	}
	resizeCtx, endResize := context.WithCancel(ctx)
	resized := make(chan struct{})
	go func() {
		defer close(resized)
		d.resizeTerminal(resizeCtx, created.ID, e)
	}()
	defer func() {
		endResize()
		conn.Close() // also ends the copying of input, except for a Read of the caller's reader
		<-resized
	}()
	stop := context.AfterFunc(ctx, conn.Close) // ends the copying of output
	defer stop()
	if e.Stdin != nil {
		go func() {
			if _, err := io.Copy(conn.Conn, e.Stdin); err == nil {
				_ = conn.CloseWrite() // if the connection is broken, the reader gets the error
			}
		}()
	}
	if err := copyOutput(ctx, conn, e); err != nil {
		if errors.Is(err, runtime.ErrUnreachable) {
			return 0, err
		}
		return 0, d.killExec(ctx, created.ID, err)
	}
	return d.waitExecCode(ctx, created.ID)
}

// copyOutput copies the output until it ends.
func copyOutput(ctx context.Context, conn client.ExecAttachResult, e runtime.Exec) error {
	out, errs := &outputWriter{w: e.Stdout}, &outputWriter{w: e.Stderr}
	var err error
	if e.TTY {
		_, err = io.Copy(out, conn.Reader)
	} else {
		_, err = stdcopy.StdCopy(out, errs, conn.Reader)
	}
	switch {
	case out.err != nil || errs.err != nil:
		return errors.Join(out.err, errs.err)
	case ctx.Err() != nil:
		return context.Cause(ctx)
	default:
		return convertError(err)
	}
}

// outputWriter writes to the caller's writer, if there is one, and stores its error.
type outputWriter struct {
	w   io.Writer
	err error
}

func (s *outputWriter) Write(p []byte) (int, error) {
	if s.w == nil {
		return len(p), nil
	}
	n, err := s.w.Write(p)
	s.err = err
	return n, err
}

// waitExecCode waits for the end of a command whose output has ended. A connection that
// breaks between two messages looks as if the command had ended.
func (d *Docker) waitExecCode(ctx context.Context, exec string) (int, error) {
	heard := time.Now()
	for delay := execPoll; ; delay = min(2*delay, execPollMax) {
		res, err := d.api.ExecInspect(ctx, exec, client.ExecInspectOptions{})
		if err != nil {
			return 0, convertError(err)
		}
		if !res.Running {
			return res.ExitCode, nil
		}
		if time.Since(heard) > execEnd {
			return 0, &runtime.Error{Kind: runtime.ErrUnreachable, Err: errors.New("docker: the command's connection ended before the command")}
		}
		if pace.Sleep(ctx, delay) != nil {
			return 0, d.killExec(ctx, exec, context.Cause(ctx))
		}
	}
}

// resizeTerminal sets the terminal's sizes as they come, until the command has ended.
func (d *Docker) resizeTerminal(ctx context.Context, exec string, e runtime.Exec) {
	set := func(size runtime.Size) {
		first := time.Now()
		for delay := execPoll; time.Since(first) < resizeTime; delay *= 2 {
			// The engine refuses it while the command is being started.
			_, err := d.api.ExecResize(ctx, exec, client.ExecResizeOptions{Height: size.Rows, Width: size.Columns})
			if err == nil || pace.Sleep(ctx, delay) != nil {
				return
			}
		}
	}
	if e.TTY && e.Size != (runtime.Size{}) {
		set(e.Size)
	}
	for {
		select {
		case size, more := <-e.Resize:
			if !more {
				return
			}
			set(size)
		case <-ctx.Done():
			return
		}
	}
}

// killExec kills an abandoned command and its process group, if this process can see the
// engine's processes. It returns why, joined with the errors of the attempt.
func (d *Docker) killExec(ctx context.Context, exec string, why error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), killTime)
	defer cancel()
	for delay := execPoll; ; delay = min(2*delay, execPollMax) {
		res, err := d.api.ExecInspect(ctx, exec, client.ExecInspectOptions{})
		if err == nil && !res.Running {
			return why
		}
		if err == nil && res.PID > 0 { // otherwise it may be about to start
			err = killGroup(res.PID, res.ContainerID)
		}
		if sleep := pace.Sleep(ctx, delay); sleep != nil {
			return fmt.Errorf("%w; the command may go on: %w", why, errors.Join(err, sleep))
		}
	}
}
