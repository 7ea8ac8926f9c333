package store

import "context"

// ChangeKind says which kind of record changed.
type ChangeKind int

const (
	UnknownChanged ChangeKind = iota
	ClusterChanged
	InstanceChanged
	SessionChanged
	GuardChanged
	TaskChanged
	TokenChanged
	TaskDefinitionChanged
	AccessKeyChanged
	HostChanged
)

// Change names a record that was written or deleted. For task definitions
// Cluster holds the family and ID the padded revision.
type Change struct {
	Kind        ChangeKind
	Cluster, ID string
}

// Advance is one step of the store: the snapshots before and after, and what
// changed between them.
type Advance struct {
	Prev, Next *Snapshot
	Changes    []Change
}

// node is an advance in the chain that feeds walk along. ready is closed once
// the advance is filled in.
type node struct {
	Advance
	ready chan struct{}
	next  *node
}

func newNode() *node { return &node{ready: make(chan struct{})} }

// Feed follows the store from one snapshot on. It belongs to one goroutine.
type Feed struct {
	at   *node
	last *Snapshot
}

// Follow returns a feed and the snapshot that it starts from: Next returns what
// changes after it.
func (s *Store) Follow() (*Snapshot, *Feed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.snap.Load(), &Feed{at: s.tail, last: s.snap.Load()}
}

// Next waits for the next advance. Advances that are already there come merged
// into one, so a slow consumer never falls far behind.
func (f *Feed) Next(ctx context.Context) (Advance, error) {
	select {
	case <-ctx.Done():
		return Advance{}, ctx.Err()
	case <-f.at.ready:
	}
	a := Advance{Prev: f.last, Next: f.at.Next, Changes: f.at.Changes}
	f.at = f.at.next
	for merged := false; ; merged = true {
		select {
		case <-f.at.ready:
			if !merged {
				a.Changes = append([]Change(nil), a.Changes...)
			}
			a.Changes = append(a.Changes, f.at.Changes...)
			a.Next = f.at.Next
			f.at = f.at.next
			continue
		default:
		}
		break
	}
	f.last = a.Next
	return a, nil
}
