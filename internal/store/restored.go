package store

import "github.com/ashore/ashore/internal/fleet"

const restoredPath = "restored"

var restores = Register[fleet.Restored](restoredPath)

// RestoredChanged is the kind of changes of a restore's record.
var RestoredChanged = restores.Changed()

// RestoredKey names the record of a restore, see fleet.Restored.
func RestoredKey() Key[fleet.Restored] { return restores.Key() }

// Restored returns the record of a restore. It returns nil if there was no restore, or
// if an administrator has decided about the tasks since the backup. If the record can't
// be read, Restored returns an empty one: the decision is still open.
func (s *Snapshot) Restored() *fleet.Restored { v, _ := s.restored(); return v }

func (s *Snapshot) restored() (*fleet.Restored, int64) {
	v, mod := restores.Key().in(s)
	if u, is := tab(s).unreadable.Get(restoredPath); is {
		return &fleet.Restored{}, u.mod
	}
	return v, mod
}

// Uncertain says whether a task, placed or waiting, came with a restored backup and may
// have run since. That is so while the record of the restore exists and the task's host
// has not reported the task.
func (s *Snapshot) Uncertain(cluster, id string) bool {
	v, restored := s.restored()
	if v == nil {
		return false
	}
	if r, ok := tab(s).tasks.Get(cluster + "/" + id); ok && r.state.Task != nil {
		return r.taskMod < restored && r.state.Report == nil
	}
	w, mod := tab(s).waiting.get(cluster + "/" + id)
	return w != nil && mod < restored
}
