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

// EtcdError says why the embedded etcd has ended in this process.
type EtcdError struct {
	Message string // etcd's own message
	Err     error  // the cause, if etcd names one
}

func (e *EtcdError) Error() string {
	if e.Err == nil {
		return e.Message
	}
	return fmt.Sprintf("%s: %v", e.Message, e.Err)
}

func (e *EtcdError) Unwrap() error { return e.Err }

// etcdEnd replaces the end of the process. An etcd that can't go on calls its logger's
// Fatal or Panic and relies on it that none of its code runs after the call. So etcdEnd
// blocks the calling goroutine for ever, together with the locks that it has. Other
// goroutines run on. The process can report what happened, answer reads and end in
// order.
type etcdEnd struct {
	mu    sync.Mutex
	err   *EtcdError    // guarded by mu
	done  chan struct{} // closed when err is set: etcd has ended
	stuck chan struct{} // also closed then, and when etcd will end because its disk has no space
	// unallocated is called if etcd found no space for the next segment of its log.
	// etcd does not try again, and ends when the present segment is full.
	unallocated func()        // constant
	release     chan struct{} // etcd's goroutines wait for it; only tests close it
}

func newEtcdEnd(unallocated func()) *etcdEnd {
	return &etcdEnd{done: make(chan struct{}), stuck: make(chan struct{}), release: make(chan struct{}), unallocated: unallocated}
}

// OnWrite runs after an entry of level Fatal or Panic was logged.
func (e *etcdEnd) OnWrite(entry *zapcore.CheckedEntry, fields []zapcore.Field) {
	err := &EtcdError{Message: entry.Message}
	for _, f := range fields {
		if cause, ok := f.Interface.(error); ok && f.Type == zapcore.ErrorType {
			err.Err = cause
		}
		if f.Key == "panic" && err.Err == nil { // a panic that etcd has recovered from
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

// setError stores the first error after which etcd does nothing more.
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

// logger returns etcd's logger with the hooks of e.
func (e *etcdEnd) logger(l *zap.Logger) *zap.Logger {
	return l.WithOptions(zap.WithFatalHook(e), zap.WithPanicHook(e), zap.Hooks(e.onLog))
}

// onLog inspects what etcd logs.
func (e *etcdEnd) onLog(entry zapcore.Entry) error {
	if strings.HasPrefix(entry.Message, "failed to preallocate space when creating a new WAL") {
		e.unallocated()
		e.mu.Lock()
		e.setStuckLocked()
		e.mu.Unlock()
	}
	return nil
}
