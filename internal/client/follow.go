package client

import (
	"context"
	"errors"
	"time"

	"github.com/ashore/ashore/internal/pace"
)

// Waits between two connection attempts.
const (
	minBackoff = 100 * time.Millisecond
	maxBackoff = 5 * time.Second
)

// consumerError is an error of the caller's function, not of the connection.
type consumerError struct{ error }

// isTemporary has the refusals after which follow connects again: this server or another
// one may accept the call later.
var isTemporary = map[string]bool{
	"LimitExceededException": true, "ServerException": true, "ServiceUnavailable": true, "ThrottlingException": true, "RequestTimeoutException": true,
}

// follow calls read for one connection after the other, until read returns ended, ctx
// ends, the consumer fails, or the server refuses. It reports every other error and waits
// before the next connection. read resets the wait when the stream makes progress.
func follow(ctx context.Context, report func(error), read func(wait *pace.Backoff) (ended bool, err error)) error {
	wait := pace.Backoff{Min: minBackoff, Max: maxBackoff}
	for {
		ended, err := read(&wait)
		var refused *Error
		var consumer *consumerError
		switch {
		case ended:
			return nil
		case errors.As(err, &consumer):
			return consumer.error
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &refused) && !isTemporary[refused.Code]:
			return refused
		case err != nil:
			report(err)
		}
		if err := pace.Sleep(ctx, pace.About(wait.Next())); err != nil {
			return err
		}
	}
}
