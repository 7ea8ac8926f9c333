package store

import (
	"errors"
	"strconv"
)

// applied tells which of this store's own transactions have taken effect: each
// writes an id into the head, and the watch brings them all, in etcd's order. So
// the fate of one whose answer was lost is known once the watch has come as far
// as a later answer. The id begins with the store's own: etcd's history tells of
// every write who has made it.
type applied struct {
	sent     int64
	expected map[string]int64 // id → revision, 0 while it has not been seen
}

// errHistoryGone says that the watch has missed the ids of some revisions.
var errHistoryGone = errors.New("the answer was lost, and the history in between was compacted")

// errStillPending says that a transaction may take effect although a later try of it
// has failed.
var errStillPending = errors.New("the answer was lost, and the transaction may be on its way still")

// trackID makes an id and begins to look for it.
func (s *Store) trackID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.applied.sent++
	id := s.self + "." + strconv.FormatInt(s.applied.sent, 10)
	if s.applied.expected == nil {
		s.applied.expected = map[string]int64{}
	}
	s.applied.expected[id] = 0
	return id
}

func (s *Store) untrackID(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.applied.expected, id)
}

// recordApplied is told of each head that the watch brings.
func (s *Store) recordApplied(id string, rev int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ours := s.applied.expected[id]; ours {
		s.applied.expected[id] = rev
	}
}

// forgetUnseen is told that the watch has missed some: nothing is known of those that
// were not seen yet.
func (s *Store) forgetUnseen() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, rev := range s.applied.expected {
		if rev == 0 {
			delete(s.applied.expected, id)
		}
	}
}

// appliedAt returns the revision at which one has taken effect, 0 if it has not, as
// far as the snapshot goes.
func (s *Store) appliedAt(id string) (rev int64, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rev, known = s.applied.expected[id]
	return rev, known
}

// tookEffect says whether the watch has shown that one has taken effect.
func (s *Store) tookEffect(id string) bool {
	at, _ := s.appliedAt(id)
	return at > 0
}
