package placer

// order is what one caller wants of the placer. It is placed in one transaction, with
// other orders beside it: launchOrder is a call of RunTask or StartTask, waitingOrder
// are tasks that wait for a host, serviceOrder are new tasks of a service.
type order interface {
	// wanted is how many tasks the order asks for.
	taskCount() int
	// clientToken is the hash of the caller's token; empty: none.
	clientToken() string
	// called says that a caller of the API waits for the order.
	hasCaller() bool
	// place decides and writes, in a round's transaction. Nothing is written where it
	// returns an error; ErrTooLarge says that the transaction can't hold it.
	place(*round) error
	// reset forgets what an earlier run of the transaction's function decided.
	reset()
	// String names the order in the log.
	String() string
}

// pending is an order whose caller waits.
type pendingOrder struct {
	order
	done chan struct{} // closed once the order is placed or refused
	err  error         // why it was refused; to be read once done is closed
}
