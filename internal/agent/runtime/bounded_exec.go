package runtime

import (
	"context"
	"io"
)

// Exec ends a command that does not begin within Limits.Exec. It also ends a command that
// is silent while the engine does not answer a ping. The command itself may take any time.
func (b *Bounded) Exec(ctx context.Context, id string, e Exec) (code int, err error) {
	begun := e.Begun
	err = b.watchCall(ctx, "exec", b.limits.Exec, func(ctx context.Context, began, heard func()) (err error) {
		e.Stdout, e.Stderr = newNotifyingWriter(e.Stdout, heard), newNotifyingWriter(e.Stderr, heard)
		e.Begun = func() {
			began()
			if begun != nil {
				begun()
			}
		}
		code, err = b.rt.Exec(ctx, id, e)
		return err
	})
	return code, err
}

// notifyingWriter calls heard at each write.
type notifyingWriter struct {
	w     io.Writer
	heard func()
}

func newNotifyingWriter(w io.Writer, heard func()) io.Writer {
	if w == nil {
		return nil
	}
	return notifyingWriter{w, heard}
}

func (h notifyingWriter) Write(p []byte) (int, error) {
	h.heard()
	return h.w.Write(p)
}

// Output ends a reading that does not begin within Limits.Read. It also ends a reading
// that is silent while the engine does not answer a ping.
func (b *Bounded) Output(ctx context.Context, id string, from Position, begun func(), on func(Line) error) error {
	return b.watchCall(ctx, "output", b.limits.Read, func(ctx context.Context, began, heard func()) error {
		return b.rt.Output(ctx, id, from, func() { began(); begun() }, func(l Line) error {
			heard()
			return on(l)
		})
	})
}
