package socket

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"

	"github.com/ashore/ashore/internal/agent/runtime"
)

// command is a runtime.Exec without the fields that can't be encoded.
type command struct {
	Command, Env     []string
	User, WorkingDir string
	TTY              bool
	Size             runtime.Size
	Stdin            bool
}

// toCommand is a message to a command: input, the end of input, or a terminal size.
type toCommand struct {
	Input []byte        `json:",omitempty"`
	End   bool          `json:",omitempty"`
	Size  *runtime.Size `json:",omitempty"`
}

// fromCommand is a message from a command: that it has begun, output, or its end.
type fromCommand struct {
	Begun    bool   `json:",omitempty"`
	Out, Err []byte `json:",omitempty"`
	Code     int    `json:",omitempty"`
	Over     bool   `json:",omitempty"`
}

// sender sends messages one at a time.
type sender struct {
	mu    sync.Mutex
	enc   *json.Encoder
	flush func() error // called after each message
}

func (s *sender) send(v any) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.enc.Encode(v); err != nil {
		return err
	}
	return s.flush()
}

// Exec sends input and sizes in the request's body while output arrives in the response's
// body.
func (c *Client) Exec(ctx context.Context, id string, e runtime.Exec) (int, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	body, to := io.Pipe()
	defer to.Close()
	s := &sender{enc: json.NewEncoder(to), flush: func() error { return nil }}
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() {
		// If sending fails, the response has the reason.
		if s.send(request{Name: id, Command: &command{e.Command, e.Env, e.User, e.WorkingDir, e.TTY, e.Size, e.Stdin != nil}}) != nil {
			return
		}
		if e.Stdin != nil { // the caller must end its last Read
			go func() { _ = sendInput(s, e.Stdin) }() // its last Read is the caller's to end
		}
		for e.Resize != nil {
			select {
			case size, more := <-e.Resize:
				if !more || s.send(toCommand{Size: &size}) != nil {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	})
	defer body.Close() // ends the sending
	res, err := c.post(ctx, "exec", body)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	for dec := json.NewDecoder(res.Body); ; {
		var r response[fromCommand]
		if err := dec.Decode(&r); err != nil {
			if ctx.Err() != nil {
				return 0, context.Cause(ctx)
			}
			return 0, &runtime.Error{Kind: runtime.ErrUnreachable, Err: fmt.Errorf("command: %w", err)}
		}
		switch d := r.Out; {
		case r.Failure != nil:
			return 0, r.Failure.toError()
		case d.Over:
			return d.Code, nil
		case d.Begun:
			if e.Begun != nil {
				e.Begun()
			}
		default:
			if err := errors.Join(write(e.Stdout, d.Out), write(e.Stderr, d.Err)); err != nil {
				return 0, err
			}
		}
	}
}

func sendInput(s *sender, in io.Reader) error {
	b := make([]byte, 32<<10)
	for {
		n, err := in.Read(b)
		if n > 0 {
			if err := s.send(toCommand{Input: b[:n]}); err != nil {
				return err
			}
		}
		if err != nil {
			return s.send(toCommand{End: true})
		}
	}
}

func write(w io.Writer, p []byte) error {
	if w == nil || len(p) == 0 {
		return nil
	}
	_, err := w.Write(p)
	return err
}

// exec runs a command for a client until either ends.
func (s *Server) exec(w http.ResponseWriter, r *http.Request) {
	flush := http.NewResponseController(w)
	if err := flush.EnableFullDuplex(); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	dec := json.NewDecoder(r.Body)
	var in request
	if err := dec.Decode(&in); err != nil || in.Command == nil {
		http.Error(w, "no command", http.StatusBadRequest)
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	out := &sender{enc: json.NewEncoder(w), flush: flush.Flush}
	sendOut := func(d fromCommand) error { return out.send(response[fromCommand]{Out: d}) }
	sizes := make(chan runtime.Size)
	e := runtime.Exec{
		Command: in.Command.Command, Env: in.Command.Env, User: in.Command.User, WorkingDir: in.Command.WorkingDir,
		TTY: in.Command.TTY, Size: in.Command.Size, Resize: sizes,
		Stdout: writerFunc(func(p []byte) error { return sendOut(fromCommand{Out: p}) }),
		Stderr: writerFunc(func(p []byte) error { return sendOut(fromCommand{Err: p}) }),
		Begun:  func() { _ = sendOut(fromCommand{Begun: true}) }, // if the client is gone, the command ends anyway
	}
	input, to := io.Pipe()
	defer input.Close()
	if in.Command.Stdin {
		e.Stdin = input
	}
	go func() {
		defer cancel() // the client is gone
		defer to.Close()
		for {
			var u toCommand
			if dec.Decode(&u) != nil {
				return
			}
			switch {
			case u.Size != nil:
				select {
				case sizes <- *u.Size:
				case <-ctx.Done():
					return
				}
			case u.End:
				to.Close()
			default:
				_, _ = to.Write(u.Input) // the command may not read any more
			}
		}
	}()
	code, err := s.rt.Exec(ctx, in.Name, e)
	_ = out.send(response[fromCommand]{Out: fromCommand{Code: code, Over: true}, Failure: toFailure(err)}) // as in writeResponse
}

type writerFunc func([]byte) error

func (t writerFunc) Write(p []byte) (int, error) { return len(p), t(p) }

// Output reads the stream. The first line without a stream means that it has begun, the
// second that it has ended.
func (c *Client) Output(ctx context.Context, id string, from runtime.Position, begun func(), on func(runtime.Line) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	res, err := c.postRequest(ctx, "output", request{Name: id, From: from})
	if err != nil {
		return err
	}
	defer res.Body.Close()
	started := false
	for dec := json.NewDecoder(res.Body); ; {
		var r response[runtime.Line]
		if err := dec.Decode(&r); err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return &runtime.Error{Kind: runtime.ErrUnreachable, Err: fmt.Errorf("output: %w", err)}
		}
		switch {
		case r.Failure != nil:
			return r.Failure.toError()
		case r.Out.Stream != "":
			if err := on(r.Out); err != nil {
				return err
			}
		case started:
			return nil
		default:
			started = true
			begun()
		}
	}
}

func (s *Server) output(w http.ResponseWriter, r *http.Request) {
	var in request
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	out := &sender{enc: json.NewEncoder(w), flush: http.NewResponseController(w).Flush}
	sendLine := func(l runtime.Line) error { return out.send(response[runtime.Line]{Out: l}) }
	err := s.rt.Output(r.Context(), in.Name, in.From, func() { _ = sendLine(runtime.Line{}) }, sendLine) // errors mean that the client is gone
	writeResponse(w, runtime.Line{}, err)
}
