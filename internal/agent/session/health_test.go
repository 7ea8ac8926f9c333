package session

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A change is sent at once. The changes of a flapping check are sent once a second. None
// is lost.
func TestHealthNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var (
			n     healthChanges
			begun = time.Now()
			told  []time.Duration
			last  changeSet
			mu    sync.Mutex // guards both
		)
		n.addTask("before there is a connection")
		n.setSend(func() {
			mu.Lock()
			defer mu.Unlock()
			told, last = append(told, time.Since(begun)), n.takeChanges()
		})
		time.Sleep(time.Hour)
		synctest.Wait()
		if len(told) > 0 {
			t.Fatalf("told at %s", told)
		}

		begun = time.Now()
		for range 1000 { // for ten seconds
			n.addTask("a")
			time.Sleep(10 * time.Millisecond)
		}
		n.addTask("b")
		time.Sleep(time.Hour)
		synctest.Wait()
		if _, ok := last.tasks["b"]; !ok {
			t.Error("the last change was not told")
		}
		if len(told) < 10 || len(told) > 12 || told[0] != gatherTime {
			t.Errorf("told at %s", told)
		}
		for i := range told[1:] {
			if d := told[i+1] - told[i]; d < healthInterval {
				t.Errorf("told %s after the time before", d)
			}
		}

		n.addTask("c")
		n.takeChanges() // everything is sent
		time.Sleep(time.Hour)
		synctest.Wait()
		n.addTask("d")
		n.setSend(nil)
		before := len(told)
		time.Sleep(time.Hour)
		synctest.Wait()
		if len(told) != before {
			t.Errorf("told %d times more", len(told)-before)
		}
	})
}
