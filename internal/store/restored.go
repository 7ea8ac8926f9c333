package store

import "github.com/ashore/ashore/internal/fleet"

const restoredPath = "restored"

var restores = Register[fleet.Restored](restoredPath)

// RestoredChanged tells of the record of a restore.
var RestoredChanged = restores.Changed()

// RestoredKey names the record of a restore, see fleet.Restored.
func RestoredKey() Key[fleet.Restored] { return restores.Key() }

// Restored returns the record of a restore, or nil where there was none, or
// somebody has declared what becomes of the tasks since its backup. Of a record that
// can't be read it returns an empty one: nobody has declared anything.
func (s *Snapshot) Restored() *fleet.Restored { v, _ := s.restored(); return v }

func (s *Snapshot) restored() (*fleet.Restored, int64) {
	v, mod := restores.Key().in(s)
	if u, is := tab(s).unreadable.Get(restoredPath); is {
		return &fleet.Restored{}, u.mod
	}
	return v, mod
}

// Uncertain says whether a task, placed or waiting, came with a restored backup and
// may have run since. While the record of the restore is there that is so of each
// one whose host has not reported it.
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
