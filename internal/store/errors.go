package store

import (
	"errors"
	"fmt"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

// ErrClosed is the cause of calls that a closed store did not execute.
var ErrClosed = errors.New("store is closed")

// ErrConflict is Update's error when the transaction conflicted in every try.
var ErrConflict = errors.New("too many conflicting writes")

// ErrUnknown marks errors of Update after which the write may have taken effect, or
// still may: the connection broke, or the caller stopped waiting.
var ErrUnknown = errors.New("it is not known whether the write took effect")

// unable is an error whose text tells callers why nothing can be done at the moment.
type unable string

func (e unable) Error() string  { return string(e) }
func (e unable) Public() string { return string(e) }

// ErrFull says that etcd has reached its quota. Nothing can be written until space is
// freed. On an embedded etcd the store starts to free space at once.
var ErrFull error = unable("etcd has reached its space quota and takes no writes until space is freed: compact and defragment it and disarm its NOSPACE alarm, or raise its quota")

// ErrTooLarge says that a transaction exceeds etcd's limits.
var ErrTooLarge = errors.New("the transaction is too large for etcd")

// ErrWentBack ends a store when etcd shows an older state than before.
var ErrWentBack = errors.New("etcd shows an older state than before: it was restored or has lost data; start the server again")

// errNoLease says that the lease of a leased record has ended.
var errNoLease = errors.New("the server's lease has ended")

// definiteErrors are the errors after which certainly nothing was written.
var definiteErrors = map[error]error{
	rpctypes.ErrNoSpace:          ErrFull,
	rpctypes.ErrLeaseNotFound:    errNoLease,
	rpctypes.ErrRequestTooLarge:  ErrTooLarge,
	rpctypes.ErrTooManyOps:       ErrTooLarge,
	rpctypes.ErrDuplicateKey:     rpctypes.ErrDuplicateKey,
	rpctypes.ErrPermissionDenied: rpctypes.ErrPermissionDenied,
	rpctypes.ErrUserEmpty:        rpctypes.ErrUserEmpty,
	rpctypes.ErrInvalidAuthToken: rpctypes.ErrInvalidAuthToken,
	rpctypes.ErrTooManyRequests:  rpctypes.ErrTooManyRequests,
}

// writeError returns the error that an etcd error on a write means. Unless the error is
// definite, it is an ErrUnknown.
func writeError(err error) error {
	for etcd, ours := range definiteErrors {
		if errors.Is(err, etcd) {
			if ours == etcd {
				return fmt.Errorf("etcd: %w", err)
			}
			return ours
		}
	}
	return unknown(err)
}

func unknown(err error) error { return fmt.Errorf("etcd: %w: %w", ErrUnknown, err) }
