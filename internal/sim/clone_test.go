package sim

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/ashore/ashore/internal/agent"
	"github.com/ashore/ashore/internal/client"
)

// A machine whose disk is a copy of another's has its identity and its journal, and none
// of its containers. Every server refuses it and reports it by an event. What runs on the
// first machine goes on, and the first machine stays the instance, also after a restart of
// the servers.
func TestAMachineThatIsACopyOfAnother(t *testing.T) {
	n := size{servers: 2, hosts: 1, cpus: 4, memory: 4000, journal: true}
	w := newWorld(t, n)
	w.family("f", need{cpu: 16, memory: 16})
	arns := w.mustRun(0, "f", 3)
	w.waitStatus(0, arns, "RUNNING")
	first := w.hosts[0]
	if err := first.Stop(); err != nil { // so that its journal is complete
		t.Fatal(err)
	}
	journal, err := os.ReadFile(filepath.Join(first.cfg.Dir, agent.JournalFile))
	if err != nil {
		t.Fatal(err)
	}
	first.Start()
	w.waitConnected(1)

	for i := range w.servers {
		cfg := first.cfg
		cfg.Name, cfg.Dir, cfg.Machine = "copy", filepath.Join(w.dir, "copy", string(rune('0'+i))), NewMachine(n.cpus, n.memory, Faults{})
		cfg.Servers = []string{URLs(i, w.servers...)[0]}
		if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(cfg.Dir, agent.JournalFile), journal, 0o600); err != nil {
			t.Fatal(err)
		}
		cfg.OnConnection = func(up bool) {
			if up {
				t.Error("the copy is connected")
			}
		}
		h := NewHost(cfg)
		h.Start()
		t.Cleanup(func() {
			if err := h.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	w.eventually("the copy is told of", func() bool { return w.countDuplicates(0) > 0 && w.countDuplicates(1) > 0 })
	undisturbed := func() {
		t.Helper()
		w.waitConnected(1)
		w.waitStatus(0, arns, "RUNNING")
		if r := first.Machine().Running(); r != 3 {
			t.Errorf("%d containers run", r)
		}
		for name, n := range first.Machine().Starts() {
			if n != 1 {
				t.Errorf("%s was started %d times", name, n)
			}
		}
	}
	time.Sleep(2 * time.Second) // the copies retry meanwhile
	undisturbed()
	if n := w.countDuplicates(0); n != 1 {
		t.Errorf("told of %d times", n)
	}
}

// countDuplicates counts a server's events about refused agents.
func (w *world) countDuplicates(server int) (n int) {
	w.t.Helper()
	err := w.clients[server].Events(context.Background(), client.EventsInput{After: aws.Int64(0)}, func(l client.EventLine) error {
		for _, raw := range l.Events {
			var e struct {
				DetailType string `json:"detail-type"`
				Source     string
				Detail     struct{ Reason, Address string }
			}
			if err := json.Unmarshal(raw, &e); err != nil {
				return err
			}
			if e.DetailType == "Ashore Duplicate Agent Refused" {
				if e.Source != "ashore" || e.Detail.Address != "127.0.0.1" || !strings.Contains(e.Detail.Reason, "Two machines have one identity") {
					w.t.Errorf("%s", raw)
				}
				n++
			}
		}
		return nil
	}, func(err error) { w.t.Error(err) })
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}
