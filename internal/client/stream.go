package client

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

const (
	// silenceLimit is how long a server may send nothing before the client considers it
	// dead. A server sends a line at least every five seconds.
	silenceLimit = 20 * time.Second
	// maxStreamLine is the longest line of a stream that the client reads, in bytes.
	maxStreamLine = 32 << 20
)

// stream calls an operation whose answer is a stream. It calls handle for every line,
// until handle returns done or an error. handle must not retain the line. stream
// returns nil if the server has ended the stream: a server ends old streams.
func (c *Client) stream(ctx context.Context, operation string, in any, handle func(line []byte) (done bool, err error)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watchdog := time.AfterFunc(silenceLimit, func() { cancel(errors.New("the server has gone silent")) })
	defer watchdog.Stop()
	resp, err := c.send(ctx, &http.Client{Transport: c.http.Transport}, operation, in)
	if err != nil {
		return errors.Join(err, context.Cause(ctx))
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, maxStreamLine)
	for lines.Scan() {
		watchdog.Reset(silenceLimit)
		if done, err := handle(lines.Bytes()); done || err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return fmt.Errorf("%s: %w", operation, err)
	}
	return nil
}
