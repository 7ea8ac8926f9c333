package fleet

import (
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Restored says that the state was restored from a backup, and that no administrator
// has decided yet about the tasks that hosts have run since the backup. While the
// record exists, such tasks run on as Unknown tasks, and a task of the backup that may
// have run since is not started.
type Restored struct {
	At       time.Time `json:"at"`
	BackupAt time.Time `json:"backupAt"`
	Revision int64     `json:"revision"` // of the state at the time of the backup

	Extra jsontext.Value `json:",embed"`
}

// StartedUnknown is the StartedBy of tasks that hosts ran and that a restored backup
// does not have.
const StartedUnknown = "ashore-unknown"
