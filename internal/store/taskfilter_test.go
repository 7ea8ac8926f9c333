package store

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// TasksWhere yields the tasks that the filter selects, in order and from any position,
// whether it reads a list or all tasks.
func TestTasksWhere(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	tab := newTables()
	apply := func(path string, v any) {
		t.Helper()
		data, err := marshal(&v)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tab.apply(path, data, 1); err != nil {
			t.Fatal(err)
		}
	}
	const tasks = 2000
	for i := range tasks {
		// One list of each kind has few tasks, and one has most of them.
		of := func(few, most string) string {
			if rng.IntN(100) == 0 {
				return few
			}
			return most
		}
		task := &fleet.Task{
			Cluster: of("small", "c"), ID: fleet.DerivedID("task", fmt.Sprint(i)), Instance: fmt.Sprintf("%032d", rng.IntN(30)), Family: of("few", "most"), Revision: 1,
			StartedBy: of("few", "most"), Group: fleet.ServiceGroup(of("few", "most")), LaunchType: types.LaunchType(of("FARGATE", "EC2")),
		}
		apply(TaskKey(task.Cluster, task.ID).path, task)
		if of("few", "most") == "few" {
			apply(TaskStopKey(task.Cluster, task.ID).path, &fleet.TaskStop{Reason: "enough"})
		}
	}
	s := &Snapshot{hidden: tab}
	all := slices.Collect(s.Tasks("c", ""))
	pick := func(of ...string) string { return of[rng.IntN(len(of))] }
	listed, passed := 0, 0
	for range 500 {
		f := TaskFilter{
			Desired: fleet.TaskStatus(pick("RUNNING", "STOPPED")), Instance: pick("", fmt.Sprintf("%032d", rng.IntN(30))), Family: pick("", "few", "most", "none"),
			StartedBy: pick("", "few", "most"), Service: pick("", "few", "most"), LaunchType: types.LaunchType(pick("", "EC2", "FARGATE")),
		}
		after := pick("", all[rng.IntN(len(all))].ID, fleet.DerivedID("another"))
		var want, got []string
		for _, task := range all {
			if f.Selects(task) && (after == "" || task.ID > after) {
				want = append(want, task.ID)
			}
		}
		for task := range s.TasksWhere("c", f, after) {
			got = append(got, task.ID)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%+v after %q: %d tasks, not %d", f, after, len(got), len(want))
		}
		if len(want) > 0 {
			passed++
		}
		if len(want) > 0 && len(want)*scanFraction < len(all) {
			listed++
		}
	}
	if listed == 0 || passed == listed {
		t.Errorf("of %d filters that select something %d select few tasks", passed, listed)
	}
}
