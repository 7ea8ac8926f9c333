package store

import (
	"errors"
	"strconv"
)

// applied knows which of this store's own transactions have taken effect. Each
// transaction writes an id into the head, and the watch brings all ids in etcd's order.
// Once the watch has reached the revision of a later answer, the store knows whether a
// transaction without an answer took effect. Each id begins with the store's own id, so
// etcd's history tells which server made each write.
type applied struct {
	sent     int64
	expected map[string]int64 // id → revision, 0 until the watch brings it
}

// errHistoryGone says that the watch has missed the ids of some revisions.
var errHistoryGone = errors.New("the answer was lost, and the history in between was compacted")

// errStillPending says that a transaction may still take effect although a later try of
// it has failed.
var errStillPending = errors.New("the answer was lost, and the transaction may be on its way still")

// trackID makes a transaction's id and begins to wait for it.
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

// recordApplied records the revision of an id that the watch has brought.
func (s *Store) recordApplied(id string, rev int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ours := s.applied.expected[id]; ours {
		s.applied.expected[id] = rev
	}
}

// forgetUnseen forgets the ids that the watch has not brought yet. The store calls it
// when the watch has missed revisions: the fate of these transactions is unknown.
func (s *Store) forgetUnseen() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, rev := range s.applied.expected {
		if rev == 0 {
			delete(s.applied.expected, id)
		}
	}
}

// appliedAt returns the revision at which a transaction took effect, 0 if it has not as
// far as the snapshot goes. known is false after forgetUnseen.
func (s *Store) appliedAt(id string) (rev int64, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rev, known = s.applied.expected[id]
	return rev, known
}

// tookEffect says whether the watch has shown that a transaction took effect.
func (s *Store) tookEffect(id string) bool {
	at, _ := s.appliedAt(id)
	return at > 0
}
