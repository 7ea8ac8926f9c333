package placer

// sizes estimates which share of a transaction an order takes for each of its tasks,
// from recent orders of its kind: of callers, of waiting tasks, of services. An
// estimate only saves work: an order that does not fit after all comes back from the
// round and was tried in vain.
type sizes struct{ call, waiting, service float64 }

func (s *sizes) shareOf(o order) *float64 {
	switch o.(type) {
	case *waitingOrder:
		return &s.waiting
	case *serviceOrder:
		return &s.service
	}
	return &s.call
}

// estimate returns about which share of a transaction an order takes; 1 is all of it.
func (s *sizes) estimate(p *pendingOrder) float64 {
	share := *s.shareOf(p.order) * float64(p.taskCount())
	if _, is := p.order.(*serviceOrder); is {
		return min(share, maxServiceShare) // as the first order of a round it takes no more
	}
	return share
}

// record learns from the share that an order has taken. A round notices an estimate
// that is too low, but not one that is too high. So a lower value counts at once, and
// a higher one raises the estimate slowly.
func (s *sizes) record(p *pendingOrder, share float64) {
	is, n := s.shareOf(p.order), p.taskCount()
	if p.err != nil || n == 0 || share <= 0 {
		return
	}
	if now := share / float64(n); now < *is || *is == 0 {
		*is = now
	} else {
		*is += (now - *is) / 8
	}
}

// split returns the orders from the front that probably fit into one transaction, and
// the others. Of two orders with the same token the second is left over, so that it
// sees what the first one did.
func (s *sizes) split(all []*pendingOrder) (orders, left []*pendingOrder) {
	share := 0.0
	tokens := map[string]bool{}
	for i, o := range all {
		token := o.clientToken()
		share += s.estimate(o)
		if (i > 0 && share > 1) || (token != "" && tokens[token]) {
			return all[:i], all[i:]
		}
		tokens[token] = true
	}
	return all, nil
}
