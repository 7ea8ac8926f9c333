package link

import (
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ashore/ashore/internal/fleet"
	"github.com/ashore/ashore/internal/identity"
	"github.com/ashore/ashore/internal/store"
	"github.com/ashore/ashore/internal/wire/acs"
	"github.com/ashore/ashore/internal/wire/inflight"
	"github.com/coder/websocket"
)

// hostileFrames are as large as allowed, and take far more memory.
func hostileFrames() map[string]string {
	fill := func(begin, unit, end string) string {
		return begin + strings.Repeat(unit, (acsReadLimit-len(begin)-len(end))/len(unit)-1) + strings.TrimSuffix(unit, ",") + end
	}
	return map[string]string{
		"empty tasks":      fill(`{"type":"InventoryMessage","message":{"tasks":[`, "{},", `]}}`),
		"empty tombstones": fill(`{"type":"InventoryMessage","message":{"tombstones":[`, "{},", `]}}`),
		"empty reports":    fill(`{"type":"ReportMessage","message":{"messageId":"x","reports":[`, "{},", `]}}`),
		"empty acks":       fill(`{"type":"ReportMessage","message":{"messageId":"x","acks":[`, `"",`, `]}}`),
		"another layout":   fill(` {"message":{"stopCandidates":[`, "{},", `]},"type":"TaskStopVerificationMessage"}`),
		"depth":            strings.Repeat(`{"message":`, 100_000),
	}
}

// A frame may cost a few times its size. A frame that would cost more is ignored, and the
// connection goes on.
func TestHostileFramesCostLittle(t *testing.T) {
	w := newWorld(t)
	st := w.store(store.Config{Sole: true})
	seed(t, st)
	s, inst := w.server("s1", st), instance(t, st)
	s.rates = inflight.NewRates(1<<40, 1<<40) // no limit
	a := connect(t, s, inst, manners{})
	for name, text := range hostileFrames() {
		runtime.GC()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		// Write the raw text in one piece: the client's own allocations must not count.
		if err := a.conn.Write(t.Context(), websocket.MessageText, []byte(text)); err != nil {
			t.Fatal(err)
		}
		// The frame has been handled when the next one is answered.
		if refused := a.sendReports(name); len(refused) != 0 {
			t.Fatal(refused)
		}
		runtime.ReadMemStats(&after)
		if spent := after.TotalAlloc - before.TotalAlloc; spent > 10*acsReadLimit {
			t.Errorf("%s: %d MiB for a frame of %d", name, spent>>20, len(text)>>20)
		}
	}
	if held := s.memory.Reserve("all", maxMemory); held.Resize(t.Context(), maxMemory) != nil {
		t.Error("memory of frames is still lent")
	}
}

// An agent with a large message for which there is no memory comes back later. Small
// messages need no reservation.
func TestLargeMessagesWaitForMemory(t *testing.T) {
	w := newWorld(t)
	st := w.store(store.Config{Sole: true})
	seed(t, st)
	s, inst := w.server("s1", st), instance(t, st)
	s.memory = inflight.New(maxMemory, 10*time.Millisecond)
	a := connect(t, s, inst, manners{})
	taken := s.memory.Reserve("others", maxMemory)
	if err := taken.Resize(t.Context(), maxMemory); err != nil {
		t.Fatal(err)
	}
	a.sendReports("small")
	large := &acs.InventoryMessage{MessageID: strings.Repeat("x", 1<<20)}
	a.send(large)
	if err := a.ended(); websocket.CloseStatus(err) != websocket.StatusTryAgainLater {
		t.Errorf("without memory: %v", err)
	}
	taken.Release()
	b := connect(t, s, inst, manners{})
	b.send(large)
	b.sendReports("afterwards")
	eventually(t, "the memory is given back", func() bool {
		l := s.memory.Reserve("all", maxMemory)
		defer l.Release()
		return l.Resize(t.Context(), maxMemory) == nil
	})
}

// A session that ends releases the memory of waiting messages too.
func TestSessionsGiveMemoryBack(t *testing.T) {
	s := &Server{cfg: Config{Log: slog.New(slog.DiscardHandler)}, memory: inflight.New(100, time.Millisecond)}
	x := newSession(s, peer{"c", "i"}, identity.Principal{}, fleet.InstanceSession{})
	parcelOf := func(m acs.Message) received {
		l := s.memory.Reserve("i", 100)
		if err := l.Resize(t.Context(), 25); err != nil {
			t.Fatal(err)
		}
		return received{m, l}
	}
	x.handleMessage(parcelOf(&acs.InventoryMessage{MessageID: "1"}))
	x.handleMessage(parcelOf(&acs.InventoryMessage{MessageID: "2"})) // replaces the first
	x.handleMessage(parcelOf(&acs.AckRequest{}))                     // handled at once
	x.in <- parcelOf(&acs.NackRequest{})
	if len(x.chores) != 1 {
		t.Errorf("%d chores", len(x.chores))
	}
	x.releaseMessages()
	if l := s.memory.Reserve("all", 100); l.Resize(t.Context(), 100) != nil {
		t.Error("memory is still lent")
	}
}

// An agent that sends without end is read at the allowed rate.
func TestMessagesAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := inflight.NewRates(weightPerSecond, weightBurst)
		began := time.Now()
		for range weightBurst + 10*weightPerSecond {
			if err := r.Wait(t.Context(), "c/i", 1); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(began).Round(time.Second); took != 10*time.Second {
			t.Errorf("%d messages are read in %v", weightBurst+10*weightPerSecond, took)
		}
		if err := r.Wait(t.Context(), "c/j", 1); err != nil || time.Since(began).Round(time.Second) != 10*time.Second {
			t.Error("another agent waits, too")
		}
	})
}

// If a host runs many tasks that it must not run, it is told to stop a bounded number at a
// time.
func TestStraysAreBounded(t *testing.T) {
	w := newWorld(t)
	st := w.store(store.Config{Sole: true})
	seed(t, st)
	s, inst := w.server("s1", st), instance(t, st)
	a := connect(t, s, inst, manners{noAcks: true})
	inv := &acs.InventoryMessage{MessageID: "m"}
	for range maxStrays + 500 {
		inv.Tasks = append(inv.Tasks, acs.InventoryTask{TaskArn: site.TaskARN("c", fleet.NewID()), DesiredStatus: acs.StatusRunning, Status: acs.StatusRunning})
	}
	inv.Tasks[0].TaskArn += strings.Repeat("x", maxARN)
	a.send(inv)
	told := map[string]bool{}
	for len(told) < maxStrays {
		for _, task := range next[*acs.PayloadMessage](a).Tasks {
			told[task.Arn] = true
		}
	}
	a.expectNoPayload(st, inst)
	if told[inv.Tasks[0].TaskArn] || len(told) != maxStrays {
		t.Errorf("it is told of %d", len(told))
	}
}
