package placer

// sizes are how much of a transaction orders have taken lately for each task, by what
// they are: of callers, of tasks that wait, of services. They only save work: what does
// not fit after all comes back from the round, but was looked at for nothing.
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

// guess is about how much of a transaction an order takes.
func (s *sizes) estimate(p *pendingOrder) float64 {
	share := *s.shareOf(p.order) * float64(p.taskCount())
	if _, is := p.order.(*serviceOrder); is {
		return min(share, maxServiceShare) // it takes no more where it is the first
	}
	return share
}

// note takes in what an order has taken. A guess that is too low is found out, and one
// that is too high is not: so the least there was lately counts.
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

// split takes orders from the front that one transaction may hold. Of two with the same
// token the second waits, so that it sees what the first did.
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
