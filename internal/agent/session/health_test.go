package session

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A change is told at once, those of a check that flaps once a second, and none is
// forgotten.
func TestHealthNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var (
			n     healthNews
			begun = time.Now()
			told  []time.Duration
			last  news
			mu    sync.Mutex // of both
		)
		n.add("before there is a connection")
		n.connect(func() {
			mu.Lock()
			defer mu.Unlock()
			told, last = append(told, time.Since(begun)), n.take()
		})
		time.Sleep(time.Hour)
		synctest.Wait()
		if len(told) > 0 {
			t.Fatalf("told at %s", told)
		}

		begun = time.Now()
		for range 1000 { // for ten seconds
			n.add("a")
			time.Sleep(10 * time.Millisecond)
		}
		n.add("b")
		time.Sleep(time.Hour)
		synctest.Wait()
		if _, ok := last.tasks["b"]; !ok {
			t.Error("the last change was not told")
		}
		if len(told) < 10 || len(told) > 12 || told[0] != gather {
			t.Errorf("told at %s", told)
		}
		for i := range told[1:] {
			if d := told[i+1] - told[i]; d < healthEvery {
				t.Errorf("told %s after the time before", d)
			}
		}

		n.add("c")
		n.take() // all is told
		time.Sleep(time.Hour)
		synctest.Wait()
		n.add("d")
		n.connect(nil)
		before := len(told)
		time.Sleep(time.Hour)
		synctest.Wait()
		if len(told) != before {
			t.Errorf("told %d times more", len(told)-before)
		}
	})
}
