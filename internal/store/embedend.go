package store

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// EtcdError is why the embedded etcd does nothing more in this process.
type EtcdError struct {
	Message string // etcd's own
	Err     error  // the cause, where etcd names one
}

func (e *EtcdError) Error() string {
	if e.Err == nil {
		return e.Message
	}
	return fmt.Sprintf("%s: %v", e.Message, e.Err)
}

func (e *EtcdError) Unwrap() error { return e.Err }

// etcdEnd takes the place of the end of the process. Where etcd can't go on it
// says so by its logger's Fatal or Panic, and counts on it that nothing of it runs
// on behind the call. So the calling goroutine is held for ever, with the locks
// that it has; the others run on, and the process can say what happened, answer
// reads and end in order.
type etcdEnd struct {
	mu    sync.Mutex
	err   *EtcdError    // guarded by mu
	done  chan struct{} // closed with err set: etcd has ended
	stuck chan struct{} // closed then too, and where etcd will end for want of room
	// unallocated is called where etcd has found no room for the next segment of
	// its log. It does not try again, and ends when the present one is written.
	unallocated func()        // constant
	release     chan struct{} // never closed but by tests: what etcd's goroutines wait for
}

func newEtcdEnd(unallocated func()) *etcdEnd {
	return &etcdEnd{done: make(chan struct{}), stuck: make(chan struct{}), release: make(chan struct{}), unallocated: unallocated}
}

// OnWrite is called after what etcd said by Fatal or Panic is logged.
func (e *etcdEnd) OnWrite(entry *zapcore.CheckedEntry, fields []zapcore.Field) {
	err := &EtcdError{Message: entry.Message}
	for _, f := range fields {
		if cause, ok := f.Interface.(error); ok && f.Type == zapcore.ErrorType {
			err.Err = cause
		}
		if f.Key == "panic" && err.Err == nil { // which etcd has recovered from
			err.Err = errors.New(f.String)
			if f.Type != zapcore.StringType {
				err.Err = fmt.Errorf("%v", f.Interface)
			}
		}
	}
	e.setError(err)
	<-e.release
	runtime.Goexit()
}

// setError notes the first error after which etcd does nothing more.
func (e *etcdEnd) setError(err *EtcdError) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.err == nil {
		e.err = err
		close(e.done)
		e.setStuckLocked()
	}
}

func (e *etcdEnd) setStuckLocked() {
	select {
	case <-e.stuck:
	default:
		close(e.stuck)
	}
}

// failure returns why etcd has ended, nil while it has not.
func (e *etcdEnd) failure() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.err == nil {
		return nil
	}
	return e.err
}

// logger makes etcd's logger hand its end over.
func (e *etcdEnd) logger(l *zap.Logger) *zap.Logger {
	return l.WithOptions(zap.WithFatalHook(e), zap.WithPanicHook(e), zap.Hooks(e.onLog))
}

// onLog sees what etcd logs.
func (e *etcdEnd) onLog(entry zapcore.Entry) error {
	if strings.HasPrefix(entry.Message, "failed to preallocate space when creating a new WAL") {
		e.unallocated()
		e.mu.Lock()
		e.setStuckLocked()
		e.mu.Unlock()
	}
	return nil
}
