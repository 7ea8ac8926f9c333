package fleet

import (
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Restored says that the state was restored from a backup, and that nobody has
// declared since what becomes of the tasks that hosts have run in the meantime.
// While it is there such tasks run on, as Unknown ones, and nothing of the backup
// is started of which it is not known whether it has run.
type Restored struct {
	At       time.Time `json:"at"`
	BackupAt time.Time `json:"backupAt"`
	Revision int64     `json:"revision"` // of the state when it was backed up

	Extra jsontext.Value `json:",embed"`
}

// StartedUnknown is the StartedBy of tasks that hosts ran when the state was
// restored from a backup that does not have them.
const StartedUnknown = "ashore-unknown"
