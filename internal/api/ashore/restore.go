package ashore

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ashore/ashore/internal/control/report"
	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/store"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

type DescribeRestoreInput struct{}

// DescribeRestoreOutput reports whether a restore still needs a decision about the
// tasks that hosts have run since the backup. It lists these tasks.
type DescribeRestoreOutput struct {
	Restored   bool      `json:"restored"`
	RestoredAt time.Time `json:"restoredAt,omitzero"`
	BackupAt   time.Time `json:"backupAt,omitzero"`
	// Unknown is the number of unknown tasks that have not ended. Tasks has the first
	// of them.
	Unknown int           `json:"unknown"`
	Tasks   []UnknownTask `json:"tasks"`
	// Away is the number of container instances whose agent is not connected. Their
	// tasks are known when they connect.
	Away int `json:"away"`
	// Held is the number of the backup's tasks that may have run since. They do not
	// start before the decision.
	Held int `json:"held"`
}

// UnknownTask is a task that only its host knows.
type UnknownTask struct {
	TaskARN              string    `json:"taskArn"`
	TaskDefinition       string    `json:"taskDefinition"` // family:revision, as the host reports it
	ContainerInstanceARN string    `json:"containerInstanceArn"`
	LastStatus           string    `json:"lastStatus"`
	Stopping             bool      `json:"stopping,omitempty"`
	Since                time.Time `json:"since"` // when it was found
}

// maxUnknown is the largest number of tasks in an answer.
const maxUnknown = 1000

// DescribeRestore lists what an administrator has to decide after a restore.
func (s *Service) DescribeRestore(ctx context.Context, _ *DescribeRestoreInput) (*DescribeRestoreOutput, error) {
	snap, err := s.store.Fresh(ctx)
	if err != nil {
		return nil, err
	}
	out := &DescribeRestoreOutput{Tasks: []UnknownTask{}}
	if r := snap.Restored(); r != nil {
		out.Restored, out.RestoredAt, out.BackupAt = true, r.At, r.BackupAt
	}
	site := s.store.Site()
	for cluster := range snap.Clusters("") {
		for t := range unknownTasks(snap, cluster) {
			if out.Unknown++; len(out.Tasks) == maxUnknown {
				continue
			}
			out.Tasks = append(out.Tasks, UnknownTask{
				TaskARN: site.TaskARN(cluster, t.ID), TaskDefinition: fmt.Sprintf("%s:%d", t.Family, t.Revision),
				ContainerInstanceARN: site.InstanceARN(cluster, t.Instance), LastStatus: string(t.Status()), Stopping: t.Stop != nil, Since: t.CreatedAt,
			})
		}
		if !out.Restored {
			continue
		}
		for i := range snap.Instances(cluster, "") {
			if i.Status != fleet.InstanceInactive && snap.Session(cluster, i.ID) == nil {
				out.Away++
			}
			for t := range snap.TasksOn(cluster, i.ID) {
				if t.Holds() && snap.Uncertain(cluster, t.ID) {
					out.Held++
				}
			}
		}
		for t := range snap.WaitingTasks(cluster, "") {
			if snap.Uncertain(cluster, t.ID) {
				out.Held++
			}
		}
	}
	slices.SortFunc(out.Tasks, func(a, b UnknownTask) int { return strings.Compare(a.TaskARN, b.TaskARN) })
	return out, nil
}

// unknownTasks yields a cluster's unknown tasks that have not ended.
func unknownTasks(snap *store.Snapshot, cluster string) func(yield func(*fleet.TaskState) bool) {
	return func(yield func(*fleet.TaskState) bool) {
		f := store.TaskFilter{StartedBy: fleet.StartedUnknown}
		for _, f.Desired = range []fleet.TaskStatus{fleet.TaskRunning, fleet.TaskStopped} {
			for t := range snap.TasksWhere(cluster, f, "") {
				if t.Unknown && t.Holds() && !yield(t) {
					return
				}
			}
		}
	}
}

// EndRestoreInput decides about the unknown tasks. Either they stop, or they stay as
// ordinary tasks.
type EndRestoreInput struct {
	Stop bool `json:"stop"`
}

type EndRestoreOutput struct {
	Stopped int `json:"stopped"`
}

// stopReason is the reason in the stop of an unknown task.
const stopReason = "The state was restored from a backup that does not have the task."

// EndRestore ends a restore. From then on, unknown tasks that hosts report are stopped,
// and tasks that may have run since the backup can start.
func (s *Service) EndRestore(ctx context.Context, in *EndRestoreInput) (*EndRestoreOutput, error) {
	// This comes first, so that no further unknown tasks are adopted.
	err := s.store.Update(ctx, func(tx *store.Tx) error {
		if store.Get(tx, store.RestoredKey()) == nil {
			return nil
		}
		return store.Delete(tx, store.RestoredKey())
	})
	if err != nil || !in.Stop {
		return &EndRestoreOutput{}, err
	}
	snap, err := s.store.Fresh(ctx)
	if err != nil {
		return nil, err
	}
	out := &EndRestoreOutput{}
	for cluster := range snap.Clusters("") {
		var ids []string
		for t := range unknownTasks(snap, cluster) {
			if t.Stop == nil {
				ids = append(ids, t.ID)
			}
		}
		for some := range slices.Chunk(ids, 20) {
			stop := &fleet.TaskStop{Code: types.TaskStopCodeUserInitiated, Reason: stopReason, At: time.Now().UTC()}
			err := s.store.Update(ctx, func(tx *store.Tx) error {
				for _, id := range some {
					if err := report.Stop(tx, cluster, id, stop); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				return nil, err
			}
			out.Stopped += len(some)
		}
	}
	return out, nil
}
