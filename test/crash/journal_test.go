package crash

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

var (
	killsFlag = flag.Int("crash.kills", 10, "how often TestJournalLostBetweenKills kills")
	seedFlag  = flag.Uint64("crash.seed", 0, "draw the same kills and damage again")
)

const labelContainer = "com.amazonaws.ecs.container-name"

// lossy is a scene whose agent loses its journal.
type lossy struct {
	*scene
	rng   *rand.Rand
	tasks []string // acknowledged
	done  map[string]int
}

// TestJournalLostBetweenKills kills the agent, and sometimes also the server, while
// tasks start. It truncates, damages or removes the agent's journal before the restart.
// Both witnesses must show that no container starts twice. No acknowledged task may be
// lost. In the end exactly the tasks run that the API shows as running.
func TestJournalLostBetweenKills(t *testing.T) {
	ctx, s := newSceneFor(t, limit+time.Duration(*killsFlag)*15*time.Second)
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("seed %d", seed)
	l := &lossy{scene: s, rng: rand.New(rand.NewPCG(seed, 0)), done: map[string]int{}}
	families := l.register(t, ctx)
	for kill := range *killsFlag {
		for i := range 1 + l.rng.IntN(3) {
			of := families[l.rng.IntN(len(families))]
			arns, err := s.runOf(ctx, of, fmt.Sprintf("kill-%d-%d", kill, i), 1)
			if err != nil {
				t.Fatal(err)
			}
			l.tasks = append(l.tasks, arns...)
		}
		if old := len(l.tasks) - 15; old > 0 { // not too many at once
			if _, err := s.API.ECS.StopTask(ctx, &ecs.StopTaskInput{Task: &l.tasks[old]}); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Duration(l.rng.IntN(900)) * time.Millisecond) // the random moment itself
		victims := []string{"agent"}
		if l.rng.IntN(5) == 0 {
			victims = append(victims, "server")
		}
		for _, victim := range victims {
			if err := s.Kill(ctx, victim); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.damage(filepath.Join(s.Layout.Agent(), "journal.db")); err != nil {
			t.Fatal(err)
		}
		if err := s.Up(ctx); err != nil {
			t.Fatal(err)
		}
		l.checkOnce(t, ctx)
		if t.Failed() {
			t.Fatalf("after kill %d", kill+1)
		}
	}
	l.awaitSettled(t, ctx)
	l.checkOnce(t, ctx)
	t.Logf("%d kills, %d tasks, done to the journal: %v", *killsFlag, len(l.tasks), l.done)
}

// register registers the tasks' definitions: one that ends, one whose first container
// ends before or together with the second one, and one that runs on.
func (l *lossy) register(t *testing.T, ctx context.Context) (families []string) {
	t.Helper()
	box := func(name string, essential bool, command ...string) types.ContainerDefinition {
		return types.ContainerDefinition{
			Name: aws.String(name), Image: aws.String(l.witness.Image), Essential: aws.Bool(essential), Cpu: 1, Memory: aws.Int32(16), Command: command,
			MountPoints: []types.MountPoint{{SourceVolume: aws.String("witness"), ContainerPath: aws.String("/witness")}},
		}
	}
	after := box("main", true)
	after.DependsOn = []types.ContainerDependency{{ContainerName: aws.String("migrate"), Condition: types.ContainerConditionComplete}}
	for of, boxes := range map[string][]types.ContainerDefinition{
		"once":   {box("once", true, "/program", "ends")},
		"beside": {box("migrate", false, "/program", "ends"), box("main", true)},
		"before": {after, box("migrate", false, "/program", "ends")},
	} {
		_, err := l.API.ECS.RegisterTaskDefinition(ctx, &ecs.RegisterTaskDefinitionInput{
			Family: aws.String(of), NetworkMode: types.NetworkModeNone, RequiresCompatibilities: []types.Compatibility{types.CompatibilityExternal},
			Volumes:              []types.Volume{{Name: aws.String("witness"), Host: &types.HostVolumeProperties{SourcePath: aws.String(l.witness.Dir)}}},
			ContainerDefinitions: boxes,
		})
		if err != nil {
			t.Fatal(err)
		}
		families = append(families, of)
	}
	slices.Sort(families)
	return append(families, family)
}

// damage damages a journal in some way, or not at all.
func (l *lossy) damage(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	what := []string{"nothing", "cut", "torn", "removed"}[l.rng.IntN(4)]
	l.done[what]++
	switch what {
	case "cut":
		return os.Truncate(path, l.rng.Int64N(info.Size()))
	case "torn":
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		page := int64(os.Getpagesize())
		_, err = f.WriteAt(make([]byte, page), l.rng.Int64N(info.Size()/page)*page)
		return err
	case "removed":
		return os.Remove(path)
	}
	return nil
}

// checkOnce compares what both witnesses saw with what is allowed.
func (l *lossy) checkOnce(t *testing.T, ctx context.Context) {
	t.Helper()
	events, err := l.witness.Started()
	if err != nil {
		t.Fatal(err)
	}
	labels := l.witness.Labels()
	starts := map[string]int{}
	for id, n := range events {
		starts[short(labels[id][labelTask])+" "+labels[id][labelContainer]] += n
	}
	testified, err := l.witness.Testified()
	if err != nil && !os.IsNotExist(err) { // no container has written yet
		t.Fatal(err)
	}
	told := map[string]int{}
	for id := range events {
		if n := testified[id[:12]]; n > 0 {
			told[short(labels[id][labelTask])+" "+labels[id][labelContainer]] += n
		}
	}
	for _, said := range []map[string]int{starts, told} {
		for container, n := range said {
			if n > 1 {
				t.Errorf("%s was started %d times", container, n)
			}
		}
	}
	for id, n := range testified {
		if n > 1 {
			t.Errorf("container %s says that it was started %d times", id, n)
		}
	}
}

// awaitSettled waits until every task is RUNNING or STOPPED, and exactly the containers of
// the RUNNING tasks run.
func (l *lossy) awaitSettled(t *testing.T, ctx context.Context) {
	t.Helper()
	for {
		wrong, err := l.checkSettled(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if wrong == "" {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("not settled: %s", wrong)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func (l *lossy) checkSettled(ctx context.Context) (wrong string, err error) {
	var said []string
	for some := range slices.Chunk(l.tasks, 100) {
		out, err := l.API.ECS.DescribeTasks(ctx, &ecs.DescribeTasksInput{Tasks: some})
		if err != nil {
			return "", err
		}
		if len(out.Failures) > 0 {
			return "", fmt.Errorf("acknowledged and lost: %s: %s", *out.Failures[0].Arn, *out.Failures[0].Reason)
		}
		for _, task := range out.Tasks {
			switch *task.LastStatus {
			case "STOPPED":
			case "RUNNING":
				for _, c := range task.Containers {
					if *c.LastStatus == "RUNNING" {
						said = append(said, short(*task.TaskArn)+" "+*c.Name)
					}
				}
			default:
				return short(*task.TaskArn) + " is " + *task.LastStatus, nil
			}
		}
	}
	all, err := l.Containers(ctx)
	if err != nil {
		return "", err
	}
	var run []string
	for _, c := range all {
		if c.State == "running" {
			run = append(run, short(c.Labels[labelTask])+" "+c.Labels[labelContainer])
		}
	}
	slices.Sort(said)
	slices.Sort(run)
	if !slices.Equal(said, run) {
		return fmt.Sprintf("run: %s; are said to: %s", strings.Join(run, ", "), strings.Join(said, ", ")), nil
	}
	return "", nil
}
