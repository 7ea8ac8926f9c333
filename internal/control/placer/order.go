package placer

// order is what one caller wants of the placer. It is placed in one transaction,
// together with other orders. launchOrder is a call of RunTask or StartTask,
// waitingOrder is tasks that wait for a host, and serviceOrder is new tasks of a
// service.
type order interface {
	// taskCount returns how many tasks the order asks for.
	taskCount() int
	// clientToken returns the hash of the caller's token, or "".
	clientToken() string
	// hasCaller reports whether a caller of the API waits for the order.
	hasCaller() bool
	// place decides and writes, in a round's transaction. If it returns an error,
	// nothing is written; ErrTooLarge means that the transaction has no room for the
	// order.
	place(*round) error
	// reset forgets what an earlier run of the transaction's function decided.
	reset()
	// String returns the order's name in the log.
	String() string
}

// pendingOrder is an order whose caller waits.
type pendingOrder struct {
	order
	done chan struct{} // closed once the order is placed or refused
	err  error         // why it was refused; read it only after done is closed
}
