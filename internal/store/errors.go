package store

import (
	"errors"
	"fmt"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

// ErrClosed is the cause of calls that a closed store did not carry out.
var ErrClosed = errors.New("store is closed")

// ErrConflict is returned by Update when the transaction lost against others
// as often as it was tried.
var ErrConflict = errors.New("too many conflicting writes")

// ErrUnknown marks errors of Update after which the write may have taken
// effect, or may yet: the connection broke, or the caller stopped waiting.
var ErrUnknown = errors.New("it is not known whether the write took effect")

// unable is an error that tells whoever called why nothing can be done for now.
type unable string

func (e unable) Error() string  { return string(e) }
func (e unable) Public() string { return string(e) }

// ErrFull says that etcd has reached its quota: nothing can be written until
// space is freed. On an embedded etcd that begins by itself at once.
var ErrFull error = unable("etcd has reached its space quota and takes no writes until space is freed: compact and defragment it and disarm its NOSPACE alarm, or raise its quota")

// ErrTooLarge says that a transaction is over etcd's limits.
var ErrTooLarge = errors.New("the transaction is too large for etcd")

// ErrWentBack ends a store whose etcd shows an older state than it did.
var ErrWentBack = errors.New("etcd shows an older state than before: it was restored or has lost data; start the server again")

// errNoLease says that the lease of a leased record has ended meanwhile.
var errNoLease = errors.New("the server's lease has ended")

// definiteErrors are the errors after which nothing was written.
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

// writeError tells what is known after an error of etcd's on a write.
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
