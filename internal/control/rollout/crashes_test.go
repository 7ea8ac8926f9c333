package rollout

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// forget takes away the tasks that have ended, but for the newest.
func (w *world) forget(keep int) {
	var ends []time.Time
	for i := range w.in.Tasks {
		if t := &w.in.Tasks[i]; t.hasStopped() {
			ends = append(ends, t.StoppedAt)
		}
	}
	if len(ends) <= keep {
		return
	}
	slices.SortFunc(ends, func(a, b time.Time) int { return b.Compare(a) })
	w.in.Tasks = slices.DeleteFunc(w.in.Tasks, func(t Task) bool { return t.hasStopped() && !t.StoppedAt.After(ends[keep]) })
}

// loops is a service whose tasks run and end by themselves, on all hosts or on one.
type loops struct {
	*world
	r     *rand.Rand
	sick  func(*Task) bool
	start time.Duration // of a task, at most
	life  time.Duration // of a sick one, at most
	dies  map[string]time.Time
	runs  map[string]time.Time

	launched map[string]int // tasks by host that were to end early
}

// until lets time pass, from one thing that happens to the next.
func (l *loops) until(end time.Time) {
	for {
		before := len(l.in.Tasks)
		l.world.step()
		for i := before; i < len(l.in.Tasks); i++ {
			t := &l.in.Tasks[i]
			l.runs[t.ID] = l.in.Now.Add(time.Duration(l.r.Int64N(int64(l.start))))
			if l.sick(t) {
				l.launched[t.Instance]++
				l.dies[t.ID] = l.runs[t.ID].Add(time.Duration(l.r.Int64N(int64(l.life))))
			}
		}
		next := Step(l.look()).Wake
		for i := range l.in.Tasks {
			t := &l.in.Tasks[i]
			at := l.runs[t.ID]
			if t.Status == fleet.TaskRunning {
				at = l.dies[t.ID]
			}
			if !t.hasStopped() && !at.IsZero() && (next.IsZero() || at.Before(next)) {
				next = at
			}
		}
		if next.IsZero() || next.After(end) {
			l.in.Now = end
			return
		}
		l.in.Now = next
		for i := range l.in.Tasks {
			t := &l.in.Tasks[i]
			switch {
			case t.Stop && !t.hasStopped():
				l.end(t)
			case t.Status == fleet.TaskPending && !l.runs[t.ID].After(next):
				l.run(t)
			case t.Status == fleet.TaskRunning && !l.dies[t.ID].IsZero() && !l.dies[t.ID].After(next):
				l.end(t)
			}
		}
	}
}

// TestCrashLoops lets programs end soon after their start for a while: what is
// launched in their place stays within bounds, however many there are, and a few
// seconds after they have been mended all of them run.
func TestCrashLoops(t *testing.T) {
	first := *seed
	if first == 0 {
		first = uint64(time.Now().UnixNano())
	}
	t.Logf("from seed %d", first)
	for i := range *worlds / 40 {
		if err := crashLoop(first + uint64(i)); err != nil {
			t.Fatalf("-seed %d -worlds 40: %v", first+uint64(i), err)
		}
	}
}

func crashLoop(seed uint64) (err error) {
	r := rand.New(rand.NewPCG(seed, 2))
	l := &loops{world: newWorld(nil), r: r, start: time.Duration(1+r.IntN(3000)) * time.Millisecond, dies: map[string]time.Time{},
		life: []time.Duration{50 * time.Millisecond, time.Second, 9 * time.Second}[r.IntN(3)], runs: map[string]time.Time{}, launched: map[string]int{}}
	defer func() {
		switch p := recover().(type) {
		case nil:
		case broken:
			err = fmt.Errorf("at %s: %s", l.in.Now.Sub(l.world.start), string(p))
		default:
			panic(p)
		}
	}()
	l.checked = checkStep
	for i := range 2 + r.IntN(5) {
		l.hosts = append(l.hosts, &machine{name: fmt.Sprint("h", i), zone: fmt.Sprint("z", i%2), slots: 200})
	}
	s := &l.in.Service
	s.Desired = []int{1, 2, 5, 20}[r.IntN(4)]
	slots := s.Desired // that are to end early
	mended := false
	l.sick = func(*Task) bool { return !mended }
	if r.IntN(3) == 0 {
		s.Strategy, s.MinimumPercent, s.MaximumPercent = types.SchedulingStrategyDaemon, 0, 100
		slots = len(l.hosts)
		if r.IntN(2) == 0 { // on one host only
			slots = 1
			l.sick = func(t *Task) bool { return !mended && t.Instance == "h0" }
		}
	}
	l.deploy("", false, "", "")
	span := time.Duration(3+r.IntN(6)) * time.Minute
	kept := slots * []int{3, 4, 12}[r.IntN(3)]
	for end := l.in.Now.Add(span); l.in.Now.Before(end); {
		l.until(l.in.Now.Add(30 * time.Second))
		l.forget(kept)
	}
	total := 0
	for _, n := range l.launched {
		total += n
	}
	// each: at once, and after 0, 1, 2, 4, 8 and 16 s; then every 30 s
	if most := slots * (longestPauseAfter + int(span/maxPause)); total > most {
		fail("%d launches of %d tasks in %s, at most %d were expected", total, slots, span, most)
	}
	if least := slots * int(span/(maxPause+12*time.Second)); total < least {
		fail("%d launches of %d tasks in %s, at least %d were expected", total, slots, span, least)
	}
	mended = true
	// those launched before may have to end first, and their replacements to wait
	l.until(l.in.Now.Add(l.start + l.life + maxPause + l.start + s.HealthyAfter + time.Second))
	return l.atRest()
}

// What is launched for another reason than to replace a task that has ended early
// does not wait.
func TestOnlyReplacementsWait(t *testing.T) {
	w := newWorld(nil)
	w.hosts = []*machine{{name: "a", zone: "z", slots: 100}, {name: "b", zone: "z", slots: 100}}
	w.in.Service.Desired = 10
	w.deploy("", false, "", "")
	w.step()
	w.startAll()
	w.in.Now = w.in.Now.Add(time.Minute)
	newest := func() *Task { return &w.in.Tasks[len(w.in.Tasks)-1] }
	for range 5 { // the first one ends after a minute
		w.end(newest())
		if w.step(); newest().hasStopped() {
			w.in.Now = Step(w.look()).Wake
			w.step()
		}
		w.startAll()
	}
	w.end(newest())
	launched := func() int {
		n := len(w.in.Tasks)
		w.step()
		return len(w.in.Tasks) - n
	}
	if n := launched(); n != 0 {
		t.Errorf("%d launches in the place of one that keeps ending", n)
	}
	w.in.Service.Desired = 15
	if n := launched(); n != 5 {
		t.Errorf("%d launches for 5 more", n)
	}
	w.startAll()
	w.host("a").condition = HostLost
	lost := 0
	for i := range w.in.Tasks {
		if t := &w.in.Tasks[i]; !t.hasStopped() && t.Instance == "a" {
			lost++
		}
	}
	if n := launched(); n != lost || n == 0 {
		t.Errorf("%d launches for %d on a host that is lost", n, lost)
	}
}

// Rounds of tasks that ended early, and what ends their count.
func TestCrashesOf(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	// of each task: how many seconds ago it was launched, and its fate; those that
	// ended did so a second after their launch
	tasks := func(fate Outcome, ago ...float64) (out []LaunchedTask) {
		for _, s := range ago {
			at := now.Add(-time.Duration(s * float64(time.Second)))
			out = append(out, LaunchedTask{Outcome: fate, CreatedAt: at, StoppedAt: at.Add(time.Second)})
		}
		return out
	}
	past := func(launched, ended float64) LaunchedTask {
		ago := func(s float64) time.Time { return now.Add(-time.Duration(s * float64(time.Second))) }
		return LaunchedTask{Outcome: EndedEarly, CreatedAt: ago(launched), StoppedAt: ago(ended)}
	}
	for _, c := range []struct {
		name     string
		launches [][]LaunchedTask // the newest first
		rounds   int
		held     int
		next     time.Duration
	}{
		{"none", nil, 0, 0, 0},
		{"one", [][]LaunchedTask{tasks(EndedEarly, 1)}, 1, 0, 0},
		{"two", [][]LaunchedTask{tasks(EndedEarly, 1, 2)}, 2, 1, time.Second},
		{"one round of three", [][]LaunchedTask{tasks(EndedEarly, 1, 1.1, 1.2)}, 1, 0, 0},
		{"each in the last one's place, within a second", [][]LaunchedTask{{past(0.3, 0.1), past(0.6, 0.3), past(0.9, 0.6)}}, 3, 2, 700 * time.Millisecond},
		{"three rounds, and one under way", [][]LaunchedTask{tasks(Undecided, 1), tasks(EndedEarly, 2, 3.5, 5)}, 3, 1, time.Second},
		{"one that lives between", [][]LaunchedTask{tasks(EndedEarly, 1), tasks(RanLong, 12), tasks(EndedEarly, 13, 15)}, 1, 0, 0},
		{"most of a round live", [][]LaunchedTask{tasks(EndedEarly, 1, 12), tasks(RanLong, 12.1, 12.2), tasks(EndedEarly, 13)}, 1, 0, 0},
		{"most of a round end", [][]LaunchedTask{tasks(EndedEarly, 1, 12), tasks(RanLong, 12.1), tasks(EndedEarly, 12.2, 14)}, 3, 1, 2 * time.Second},
		{"a long time between", [][]LaunchedTask{tasks(EndedEarly, 1, 63.1)}, 1, 0, 0},
		{"not so long", [][]LaunchedTask{tasks(EndedEarly, 1, 61.9)}, 2, 1, time.Second},
		{"as long as can be", [][]LaunchedTask{tasks(EndedEarly, 1, 32, 63, 94, 125, 156, 187, 218, 249, 280, 311)}, 8, 1, 30 * time.Second},
		{"forgotten before the first", [][]LaunchedTask{tasks(EndedEarly, 1), tasks(Forgotten, 2)}, 1, 0, 0},
		{"forgotten before the second", [][]LaunchedTask{tasks(EndedEarly, 1, 3), tasks(Forgotten, 5)}, 2, 2, 28 * time.Second},
	} {
		got := CrashesOf(slices.Values(slices.Concat(c.launches...)), now)
		held, next := got.Delayed(now)
		wait := time.Duration(0)
		if held > 0 {
			wait = next.Sub(now)
		}
		if got.Rounds != c.rounds || held != c.held || wait != c.next {
			t.Errorf("%s: %d rounds, %d wait for %s; want %d, %d, %s", c.name, got.Rounds, held, wait, c.rounds, c.held, c.next)
		}
	}
}
